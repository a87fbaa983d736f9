import { inspect } from 'node:util';
import flash from 'connect-flash';
import cookieSession from 'cookie-session';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import express from 'express';
import { Passport } from 'passport';
import { ConfigError, MemoryTokenStore, type SparkAuthenticateOptions, SparkStrategy } from '../../src/index.js';
import { CLIENT, startApp, type TestAppOptions } from '../support/app.js';
import { serve } from '../support/server.js';
import { Visitor } from '../support/visitor.js';

/** On routes or as a wall, with these options, and a page that shows what was left for it. */
const withFailure = (mount: 'wall' | 'routes', options: object): NonNullable<TestAppOptions['routes']> => {
  return (app, passport) => {
    app.use(flash());
    app.get('/sorry', (req, res) => {
      const { messages = [] } = req.session as { messages?: string[] };
      res.json({ messages, flash: (req as unknown as { flash(): unknown }).flash() });
    });
    if (mount === 'wall') app.use(passport.authenticate('spark', options));
    app.get('/page', passport.authenticate('spark'));
    app.get('/auth/spark/callback', passport.authenticate('spark', options));
  };
};

describe.each(['wall', 'routes'] as const)('a denial at a %s', (mount) => {
  const words = mount === 'wall' ? 'This application needs your permission' : 'The user denied you access';

  it('goes to failureRedirect with failureFlash and failureMessage', async () => {
    const routes = withFailure(mount, { failureRedirect: '/sorry', failureFlash: true, failureMessage: true });
    const person = new Visitor((await startApp({ routes })).url);
    expect((await person.signIn('/page', { decision: 'deny' })).headers.location).toBe('/sorry');
    expect((await person.page('/sorry')).body).toEqual({
      messages: [expect.stringContaining(words)],
      flash: { error: [expect.stringContaining(words)] },
    });
  });

  it('goes there with the words of the application', async () => {
    const own = { failureFlash: { type: 'notice', message: 'Own flash' }, failureMessage: 'Own message' };
    const routes = withFailure(mount, { failureRedirect: '/sorry', ...own });
    const person = new Visitor((await startApp({ routes })).url);
    await person.signIn('/page', { decision: 'deny' });
    expect((await person.page('/sorry')).body).toEqual({ messages: ['Own message'], flash: { notice: ['Own flash'] } });
  });

  it('is an error with failWithError', async () => {
    const seen: { status?: number; name?: string }[] = [];
    const { url } = await startApp({
      routes: (app, passport, strategy) => {
        withFailure(mount, { failWithError: true })(app, passport, strategy);
        app.use(((error, _req, res, _next) => {
          seen.push(error);
          res.status(error.status).json({});
        }) as ErrorRequestHandler);
      },
    });
    const back = await new Visitor(url).signIn('/page', { decision: 'deny' });
    expect(back.status).toBeGreaterThanOrEqual(401);
    expect(seen).toMatchObject([{ name: 'AuthenticationError', status: back.status }]);
  });
});

// Anybody can send somebody a link to the callback, and would have the application say what it likes.
it('shows no words of an error that no attempt of this browser belongs to', async () => {
  const shown: unknown[] = [];
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/auth/spark/callback', (req, res, next) => {
        const authenticate = passport.authenticate('spark', (error: unknown, _user: unknown, info: unknown) => {
          shown.push(error, info);
          res.json({});
        }) as RequestHandler;
        authenticate(req, res, next);
      });
    },
  });
  const words = 'error_description=Call+evil&error_uri=https://evil.example.com/';
  await new Visitor(url).page(`/auth/spark/callback?error=server_error&${words}&state=unknown`);
  expect(shown).toHaveLength(2);
  expect(inspect(shown)).not.toMatch(/evil/);
});

it('tells the log the cause of a token error, the person what to do, and neither a secret', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
  const { url, spark } = await startApp();
  spark.failNextGrant({ kind: 'refuse', error: 'invalid_client', description: 'emulator-secret is wrong' });
  const page = await new Visitor(url).signIn('/page');
  expect(page.status).toBe(502);
  expect(page.text).toContain('Spark did not finish the sign-in');
  const log = warn.mock.calls.join();
  expect(log).toContain('TokenError (invalid_client): [hidden] is wrong');
  expect(page.text + log).not.toContain('emulator-secret');
  warn.mockRestore();
});

it('goes to no failureRedirect while the token store is away: nothing failed, and the page there would ask again', async () => {
  const tokenStore = new MemoryTokenStore();
  const routes = withFailure('wall', { failureRedirect: '/sorry' });
  const person = new Visitor((await startApp({ routes, strategy: { tokenStore } })).url);
  await person.signIn('/page');
  tokenStore.read = async () => {
    throw new Error('away');
  };
  const { status, headers } = await person.page('/page');
  expect([status, headers['retry-after'], headers.location]).toEqual([503, expect.any(String), undefined]);
});

describe('a verify function that lets nobody in', () => {
  const start = async (info: object | undefined): Promise<Visitor> => {
    const { url, passport, spark } = await startApp({
      routes: (app, passportOfApp) => app.use(passportOfApp.authenticate('members')),
    });
    const options = { ...CLIENT, callbackURL: `${url}/auth/spark/callback`, platformURL: spark.url, apiURL: spark.url };
    passport.use('members', new SparkStrategy(options, (_a, _r, _profile, done) => done(null, false, info)));
    return new Visitor(url);
  };
  const GENERAL = 'Spark knows you, but this application does not let you in. Ask its operator for access.';

  it('is quoted by a wall, as text', async () => {
    const page = await (await start({ message: '<b>Kim</b> & Lee: not on the list' })).signIn('/page');
    expect([page.status, page.text]).toEqual([
      403,
      expect.stringContaining('<p>&lt;b&gt;Kim&lt;/b&gt; &amp; Lee: not on the list</p>'),
    ]);
    expect(page.text).not.toContain(GENERAL);
  });

  it.each([undefined, {}, { message: '' }, { message: 5 }])(
    'is spoken for by a wall where it says nothing: %p',
    async (info) => {
      expect((await (await start(info)).signIn('/page')).text).toContain(GENERAL);
    },
  );
});

// Below a mount `/` is another application's page, or nobody's.
it.each<[string, string, string, TestAppOptions['routes']]>([
  ['the first page', '/auth/spark/callback', '/', (app, passport) => app.use(passport.authenticate('spark'))],
  ['its mount', '/admin/callback', '/admin', (app, passport) => app.use('/admin', passport.authenticate('spark'))],
  [
    'what the call says',
    '/admin/callback',
    '/start',
    (app, passport) =>
      app.use('/admin', passport.authenticate('spark', { returnTo: '/start' } as SparkAuthenticateOptions)),
  ],
  [
    'no other site, whatever it says',
    '/auth/spark/callback',
    '/',
    (app, passport) =>
      app.use(passport.authenticate('spark', { returnTo: '//elsewhere.example' } as SparkAuthenticateOptions)),
  ],
])('links from an error page to %s', async (_where, callbackURL, href, routes) => {
  const { url } = await startApp({ strategy: { callbackURL }, ...(routes && { routes }) });
  const page = await new Visitor(url).signIn('/admin/page', { decision: 'deny' });
  expect([page.status, page.text]).toEqual([403, expect.stringContaining(`<a href="${href}">Try again</a>`)]);
});

// It ended the process: nobody looked at the promise.
describe('an async verify function that rejects', () => {
  const start = async (reason: unknown): Promise<{ person: Visitor; errors: unknown[] }> => {
    const errors: unknown[] = [];
    const { url, spark, passport } = await startApp({
      routes: (app, passportOfApp) => {
        app.get('/login', passportOfApp.authenticate('async'));
        app.get('/auth/spark/callback', passportOfApp.authenticate('async'));
        app.use(((error, _req, res, _next) => {
          errors.push(error);
          res.status(500).end();
        }) as ErrorRequestHandler);
      },
    });
    const callbackURL = `${url}/auth/spark/callback`;
    const verify = async (_a: string, _r: string | undefined, _profile: object, _done: unknown): Promise<void> => {
      await Promise.reject(reason);
    };
    const options = { ...CLIENT, callbackURL, platformURL: spark.url, apiURL: spark.url };
    passport.use('async', new SparkStrategy(options, verify));
    return { person: new Visitor(url), errors };
  };

  it('errs as one that calls done with the error', async () => {
    const reason = new Error('the database is away');
    const { person, errors } = await start(reason);
    expect((await person.signIn('/login')).status).toBe(500);
    expect(errors).toEqual([reason]);
  });

  // Express takes next(undefined) for "go on".
  it('errs when it gives no reason', async () => {
    const { person, errors } = await start(undefined);
    expect((await person.signIn('/login')).status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('without a reason') })]);
  });
});

describe('when Spark does not say who signed in', () => {
  it('asks once more where it hiccups, because the code is spent', async () => {
    const { url, spark } = await startApp();
    spark.failNextCall({ code: 1026 });
    expect((await new Visitor(url).signIn('/page')).headers.location).toBe('/page');
    expect(spark.requests().map(({ status }) => status)).toEqual([500, 200]);
  });

  it('fails with a typed error, and revokes the tokens that nobody will use', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    const address = await person.goToSpark('/page');
    spark.failNextCall({ code: 1026 }, 2);
    const page = await person.back(address);
    expect([page.status, page.text]).toEqual([502, expect.stringContaining('Spark did not say who you are')]);
    expect(spark.requests().map(({ method, status }) => [method, status])).toEqual([
      ['GET', 500],
      ['GET', 500],
      ['DELETE', 200],
    ]);
    expect((await person.call('/spark/v1/system')).status).toBe(401);
  });

  it('says so also when it does not take the tokens back', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    const address = await person.goToSpark('/page');
    spark.failNextCall({ code: 1026 }, 3);
    expect((await person.back(address)).text).toContain('Spark did not say who you are');
    expect(spark.requests().map(({ method, status }) => [method, status])).toEqual([
      ['GET', 500],
      ['GET', 500],
      ['DELETE', 500],
    ]);
  });

  it('does not ask again when Spark refuses', async () => {
    const { url, spark } = await startApp();
    spark.failNextCall({ code: 1500 });
    expect((await new Visitor(url).signIn('/page')).status).toBe(502);
    expect(spark.requests().map(({ method }) => method)).toEqual(['GET', 'DELETE']);
  });

  it('keeps the tokens and goes on without a profile where the application wants that', async () => {
    const profiles: unknown[] = [];
    const { url, spark } = await startApp({
      strategy: { onProfileFailure: 'continue' },
      verify: (profile) => profiles.push(profile),
    });
    const person = new Visitor(url);
    const address = await person.goToSpark('/page');
    spark.failNextCall({ code: 1026 }, 2);
    expect((await person.back(address)).headers.location).toBe('/page');
    expect(profiles).toEqual([undefined]);
    expect((await person.call('/spark/v1/system')).status).toBe(200);
  });

  it('goes by the userProfile of a subclass, and by skipUserProfile', async () => {
    const profiles: unknown[] = [];
    const own = await startApp({ verify: (profile) => profiles.push(profile) });
    own.strategy.userProfile = (_token, done) => done(null, { id: 'own' } as never);
    await new Visitor(own.url).signIn('/page');
    for (const skipUserProfile of [
      true,
      () => true,
      (_t: string, done: (e: null, skip: boolean) => void) => done(null, true),
    ]) {
      const { url, spark } = await startApp({
        strategy: { skipUserProfile },
        verify: (profile) => profiles.push(profile),
      });
      await new Visitor(url).signIn('/page');
      expect(spark.requests()).toHaveLength(0);
    }
    expect(profiles).toEqual([{ id: 'own' }, undefined, undefined, undefined]);
  });
});

describe('cookie-session', () => {
  /** An application whose sessions live in the browser. */
  const start = async (options: SparkAuthenticateOptions): Promise<{ url: string; errors: Error[] }> => {
    const { spark } = await startApp();
    const errors: Error[] = [];
    const app = express();
    const { url } = await serve(app);
    const passport = new Passport();
    passport.serializeUser((user, done) => done(null, user));
    const callbackURL = `${url}/auth/spark/callback`;
    passport.use(
      new SparkStrategy(
        { ...CLIENT, callbackURL, platformURL: spark.url, apiURL: spark.url },
        (_a, _r, profile, done) => done(null, profile),
      ),
    );
    app.use(cookieSession({ secret: 'test secret' }));
    app.use(passport.authenticate('spark', options));
    app.use(((error, _req, res, _next) => {
      errors.push(error);
      res.status(error.status).end();
    }) as ErrorRequestHandler);
    return { url, errors };
  };

  // What the browser keeps, no sign-out can end.
  it('is refused at the first request, with what to use instead', async () => {
    const { url, errors } = await start({});
    expect((await new Visitor(url).page('/page')).status).toBe(500);
    expect(errors).toEqual([expect.any(ConfigError)]);
    expect(errors[0]?.message).toContain('Use express-session with a store.');
  });

  it('is no hindrance to a sign-in without a session', async () => {
    const { url } = await start({ session: false });
    expect((await new Visitor(url).page('/page')).status).toBe(302);
  });
});

it('returns the state that a custom store kept, and the reason of its refusal', async () => {
  const seen: unknown[] = [];
  let verdict: [boolean, object] = [true, { plan: 'gold' }];
  const { url } = await startApp({
    strategy: {
      store: {
        store: (_req: unknown, done: (e: null, state: string) => void) => done(null, 'a-handle'),
        verify: (_req: unknown, _state: string, done: (e: null, ok: boolean, info: object) => void) =>
          done(null, ...verdict),
      },
    },
    routes: (app, passport) => {
      app.get('/page', passport.authenticate('spark'));
      app.get('/auth/spark/callback', (req, res, next) => {
        const done = (_error: unknown, user: unknown, info: object): void => {
          seen.push([Boolean(user), info]);
          res.json({});
        };
        (passport.authenticate('spark', done) as express.RequestHandler)(req, res, next);
      });
    },
  });
  await new Visitor(url).signIn('/page');
  verdict = [false, { message: 'the store has forgotten it' }];
  await new Visitor(url).signIn('/page');
  expect(seen).toEqual([
    [true, { returnTo: '/page', state: { plan: 'gold' } }],
    [false, { message: 'the store has forgotten it' }],
  ]);
});

it('joins the scopes of a call as those of the strategy', async () => {
  const { url } = await startApp({
    strategy: { scope: ['x'], scopeSeparator: ',' },
    routes: (app, passport) => {
      app.get('/call', passport.authenticate('spark', { scope: ['a', 'b'] }));
      app.get('/none', passport.authenticate('spark', { scope: '' }));
      app.get('/strategy', passport.authenticate('spark'));
    },
  });
  const scopeAt = async (path: string): Promise<string | null> =>
    new URL((await new Visitor(url).page(path)).headers.location as string).searchParams.get('scope');
  expect([await scopeAt('/call'), await scopeAt('/strategy'), await scopeAt('/none')]).toEqual(['a,b', 'x', null]);
});
