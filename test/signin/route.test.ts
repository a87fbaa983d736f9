import { type RequestHandler, Router } from 'express';
import { MemoryTokenStore, type SparkAuthenticateOptions, SparkStrategy } from '../../src/index.js';
import { CLIENT, startApp, type TestAppOptions } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

it('is an ordinary strategy on routes: redirect, then success', async () => {
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', passport.authenticate('spark', { session: true }), (req, res) => {
        res.json({ user: req.user, info: req.authInfo });
      });
    },
  });
  const back = await new Visitor(url).signIn('/login');
  expect(back.status).toBe(200);
  expect(back.body.user.id).toEqual(expect.any(String));
});

it('calls a custom callback, links at its logIn, and returns application state', async () => {
  const seen: unknown[] = [];
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark', { state: { plan: 'gold' } } as object));
      app.get('/auth/spark/callback', (req, res, next) => {
        (
          passport.authenticate('spark', (error: unknown, user: Express.User, info: object) => {
            seen.push(error, info);
            req.logIn(user, (failed) => (failed ? next(failed) : res.json({ done: true })));
          }) as RequestHandler
        )(req, res, next);
      });
    },
  });
  const person = new Visitor(url);
  expect((await person.signIn('/login')).body).toEqual({ done: true });
  expect(seen).toEqual([null, { returnTo: '/login', state: { plan: 'gold' } }]);
  expect((await person.call('/spark/v1/my/account')).status).toBe(200);
});

it('returns the application state that a store of its own has kept', async () => {
  const store = {
    store: (_req: unknown, done: (error: null, state: string) => void): void => done(null, 'a-handle'),
    verify: (_req: unknown, _state: string, done: (error: null, ok: true, state: object) => void): void =>
      done(null, true, { plan: 'gold' }),
  };
  const { url } = await startApp({
    strategy: { store },
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', (req, res, next) => {
        const authenticate = passport.authenticate('spark', (_error: unknown, _user: unknown, info: object) =>
          res.json(info),
        ) as RequestHandler;
        authenticate(req, res, next);
      });
    },
  });
  expect((await new Visitor(url).signIn('/login')).body).toEqual({ returnTo: '/login', state: { plan: 'gold' } });
});

it('leads back to no address that was posted to: a visit would be another request', async () => {
  const { url } = await startApp({
    routes: (app, passport) => {
      app.post('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', (req, res, next) => {
        const authenticate = passport.authenticate('spark', (_error: unknown, _user: unknown, info: object) =>
          res.json(info),
        ) as RequestHandler;
        authenticate(req, res, next);
      });
    },
  });
  const person = new Visitor(url);
  const away = await person.agent.post('/login');
  const back = await person.back(await answerSpark(away.headers.location as string));
  expect(back.body).toEqual({ returnTo: '/' });
});

it('sends what an application adds to the address of the sign-in, which can not replace what belongs to it', async () => {
  const { url } = await startApp({
    routes: (app, passport, strategy) => {
      const own = { prompt: 'login', client_id: 'another', redirect_uri: 'https://evil.example.com/', state: 'known' };
      strategy.authorizationParams = () => own;
      app.get('/login', passport.authenticate('spark'));
    },
  });
  const { location } = (await new Visitor(url).page('/login')).headers;
  expect(Object.fromEntries(new URL(location as string).searchParams)).toEqual({
    response_type: 'code',
    client_id: CLIENT.clientID,
    redirect_uri: `${url}/auth/spark/callback`,
    state: expect.stringMatching(/^[\w-]{22}$/),
    prompt: 'login',
  });
});

it('sends what an application adds to the token request, which can not replace what belongs to the grant', async () => {
  const { url } = await startApp({
    routes: (app, passport, strategy) => {
      const own = {
        resource: 'one',
        grant_type: 'password',
        redirect_uri: 'https://evil.example.com/',
        code: 'another',
      };
      strategy.tokenParams = () => own;
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/done' }));
    },
  });
  expect((await new Visitor(url).signIn('/login')).headers.location).toBe('/done');
});

it('fails for a denial, so that failureRedirect and messages work', async () => {
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', passport.authenticate('spark', { failureRedirect: '/sorry' }));
    },
  });
  expect((await new Visitor(url).signIn('/login', { decision: 'deny' })).headers.location).toBe('/sorry');
});

it('fails with a stable code, and in the words of Spark only for an attempt of this browser', async () => {
  const failures: object[] = [];
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', (req, res, next) => {
        (
          passport.authenticate('spark', (_error: unknown, _user: unknown, info: object) => {
            failures.push(info);
            res.json({});
          }) as RequestHandler
        )(req, res, next);
      });
    },
  });
  const person = new Visitor(url);
  await person.signIn('/login', { decision: 'deny' });
  await person.page('/auth/spark/callback?error=access_denied&error_description=Call+555');
  await person.page('/auth/spark/callback?code=abc&state=unknown');
  expect(failures).toEqual([
    { message: 'The user denied you access', code: 'access_denied' },
    { message: 'The person denied access.', code: 'access_denied' },
    { message: 'The attempt to sign in is not known here.', code: 'attempt_unknown' },
  ]);
});

it('errs with a typed error when Spark refuses the code, without a secret in it', async () => {
  let caught: { name?: string; code?: string } & Error = new Error('none');
  const { url, spark } = await startApp({
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', passport.authenticate('spark'));
      app.use(((error, _req, res, _next) => {
        caught = error;
        res.status(error.status).json({});
      }) as import('express').ErrorRequestHandler);
    },
  });
  spark.failNextGrant({
    kind: 'refuse',
    error: 'invalid_client',
    description: 'secret emulator-secret does not match',
    status: 401,
  });
  await new Visitor(url).signIn('/login');
  expect(caught).toMatchObject({
    name: 'TokenError',
    code: 'invalid_client',
    message: 'secret [hidden] does not match',
  });
});

describe('a browser that is sent to the login route again and again', () => {
  /** An application that sends everybody without a user to its login route. */
  const withLogin =
    (options: SparkAuthenticateOptions = {}): NonNullable<TestAppOptions['routes']> =>
    (app, passport) => {
      app.get('/', (req, res) => (req.user ? res.json(req.user) : res.redirect('/login')));
      app.get('/login', passport.authenticate('spark', options));
      app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/' }));
      app.post('/logout', (req, res, next) => {
        req.logout((error) => (error ? next(error) : res.json({})));
      });
    };
  /** Follows redirects, and signs in at Spark, which asks nobody who has just been there. */
  const follow = async (person: Visitor, path: string): Promise<Awaited<ReturnType<Visitor['page']>>> => {
    for (let i = 0; i < 30; i += 1) {
      const reply = await person.page(path);
      const { location } = reply.headers as { location?: string };
      if (location === undefined) return reply;
      const away = location.startsWith('/') ? location : await answerSpark(location);
      path = away.startsWith('/') ? away : new URL(away).pathname + new URL(away).search;
    }
    throw new Error('no end in sight');
  };
  const blocked = { cookie: { secure: true } }; // over http: never sent

  // Seen: 404, because the route let the person pass, as a wall in its place would.
  it.each([
    ['successRedirect', { successRedirect: '/' }],
    ['successReturnToOrRedirect', { successReturnToOrRedirect: '/' }],
  ])('begins a sign-in for who is signed in, where %s says where to go', async (_option, callback) => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', callback));
      },
    });
    const person = new Visitor(url);
    expect((await person.signIn('/login')).headers.location).toBe('/');
    expect((await person.signIn('/login')).headers.location).toBe('/');
    expect((await person.call('/spark/v1/system')).status).toBe(200);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it('begins a sign-in for who is signed in as often as it is asked to: the session comes back each time', async () => {
    const { url, spark } = await startApp({
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/' }));
      },
    });
    const person = new Visitor(url);

    for (let i = 0; i < 5; i += 1) expect((await person.signIn('/login')).headers.location).toBe('/');

    expect(spark.grants('authorization_code')).toHaveLength(5);
    expect((await person.call('/spark/v1/system')).status).toBe(200);
  });

  it('begins a sign-in for who is signed in, beside a wall, where returnTo says where to go', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const start = async (options: SparkAuthenticateOptions): Promise<Visitor> => {
      const { url } = await startApp({
        routes: (app, passport) => {
          app.get('/login', passport.authenticate('spark', options));
          app.use(passport.authenticate('spark'));
          app.get('/', (_req, res) => {
            res.json({});
          });
        },
      });
      return new Visitor(url);
    };
    const told = await start({ returnTo: '/' });
    expect((await told.signIn('/login')).headers.location).toBe('/');
    expect((await told.page('/')).status).toBe(200);
    expect((await told.signIn('/login')).headers.location).toBe('/');
    expect(warn).not.toHaveBeenCalled();

    const untold = await start({});
    expect((await untold.signIn('/login')).headers.location).toBe('/login');
    expect((await untold.page('/login')).status).toBe(404);
    expect(warn.mock.calls.join()).toContain('give it { returnTo: "/" }');
    warn.mockRestore();
  });

  // Seen: thirty requests, and ten codes spent.
  it.each([{}, { returnTo: '/' }])(
    'gets a page at the third time when it keeps no session cookie: %p',
    async (options) => {
      const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
      const { url, spark } = await startApp({ session: blocked, routes: withLogin(options) });

      const page = await follow(new Visitor(url), '/');

      expect([page.status, page.text]).toEqual([403, expect.stringContaining('your browser did not keep it')]);
      expect(spark.grants()).toHaveLength(3);
      warn.mockRestore();
    },
  );

  // A router of routes seldom has a page of its own.
  it('gets a page that links to the first page, also below a router', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({
      session: blocked,
      routes: (app, passport) => {
        const router = Router();
        router.get('/login', passport.authenticate('spark'));
        router.get('/spark/callback', passport.authenticate('spark', { successRedirect: '/' }));
        app.use('/auth', router);
        app.get('/', (req, res) => (req.user ? res.json({}) : res.redirect('/auth/login')));
      },
    });

    expect((await follow(new Visitor(url), '/')).text).toContain('<a href="/">Try again</a>');
    warn.mockRestore();
  });

  it('gets the page in place of a failureRedirect, which may lead to the login route again', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({ session: blocked, routes: withLogin({ failureRedirect: '/login' }) });
    expect((await follow(new Visitor(url), '/')).status).toBe(403);
    warn.mockRestore();
  });

  it('gets a page when the token store forgets', async () => {
    class Forgetful extends MemoryTokenStore {
      override async read(): Promise<undefined> {
        return undefined;
      }
    }
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({
      strategy: { tokenStore: new Forgetful() },
      routes: (app, passport, strategy) => {
        app.get('/', (req, res, next) => {
          strategy.status(req).then((status) => (status ? res.json(status) : res.redirect('/login')), next);
        });
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/' }));
      },
    });

    const page = await follow(new Visitor(url), '/');

    expect([page.status, page.text]).toEqual([503, expect.stringContaining('it did not last')]);
    expect(warn.mock.calls.join()).toContain('does the token store keep them?');
    warn.mockRestore();
  });

  it('may sign in again after a sign-out of the application', async () => {
    const { url } = await startApp({ routes: withLogin() });
    const person = new Visitor(url);
    for (let i = 0; i < 2; i += 1) {
      await person.signIn('/login');
      expect((await person.page('/')).status).toBe(200);
      await person.agent.post('/logout').expect(200);
    }
    expect((await person.page('/login')).headers.location).toContain('/oauth2?');
  });
});

// passport.authenticate(instance) does not clone the strategy: in a trial two overlapping sign-ins swapped people.
describe.each(['by name', 'by instance'])('two sign-ins that overlap, mounted %s', (how) => {
  it('end with the person who began each', async () => {
    const { url, spark } = await startApp({
      routes: (app, passport, strategy) => {
        const mounted = how === 'by name' ? 'spark' : strategy;
        app.use(passport.authenticate(mounted as string));
        app.use((req, res) => {
          res.json(req.user);
        });
      },
    });
    const [one, two] = [new Visitor(url), new Visitor(url)];
    const [first, second] = [await one.goToSpark('/one'), await two.goToSpark('/two')];
    spark.delayNextGrant(150); // the first callback waits while the second is served
    const slow = one.back(first).then((reply) => reply);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const quick = await two.back(second);

    expect(quick.headers.location).toBe('/two');
    expect((await slow).headers.location).toBe('/one');
    expect((await one.page('/one')).status).toBe(200);
    expect((await two.page('/two')).status).toBe(200);
  });
});

it('gives a verify function what its arity asks for', async () => {
  const calls: unknown[][] = [];
  const record =
    (done: number) =>
    (...args: unknown[]): void => {
      calls.push(args);
      (args[done] as (e: null, user: object) => void)(null, { id: 1 });
    };
  const four = (a: unknown, b: unknown, c: unknown, d: unknown): void => record(3)(a, b, c, d);
  const five = (a: unknown, b: unknown, c: unknown, d: unknown, e: unknown): void => record(4)(a, b, c, d, e);
  for (const [verify, passReqToCallback] of [
    [four, false],
    [five, false],
    [five, true],
    [record(3), false], // hides its parameters, as NestJS and mocks do
  ] as const) {
    const { url, passport, spark } = await startApp({
      routes: (app, passportOfApp) => {
        app.get('/login', passportOfApp.authenticate('second'));
        app.get('/auth/spark/callback', passportOfApp.authenticate('second', { session: false }), (_req, res) => {
          res.json({});
        });
      },
    });
    passport.use(
      'second',
      new SparkStrategy(
        {
          ...CLIENT,
          callbackURL: `${url}/auth/spark/callback`,
          platformURL: spark.url,
          apiURL: spark.url,
          passReqToCallback,
        } as never,
        verify as never,
      ),
    );
    await new Visitor(url).signIn('/login');
  }
  const kinds = calls.map((args) =>
    args.map((arg) => (typeof arg === 'object' && arg && 'headers' in arg ? 'req' : typeof arg)),
  );
  expect(kinds).toEqual([
    ['string', 'string', 'object', 'function'],
    ['string', 'string', 'object', 'object', 'function'],
    ['req', 'string', 'string', 'object', 'function'],
    ['string', 'string', 'object', 'function'],
  ]);
  expect(calls[1]?.[2]).toMatchObject({
    access_token: calls[1]?.[0],
    refresh_token: calls[1]?.[1],
    expires_in: 86_400,
  });
});
