import type { IncomingMessage } from 'node:http';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import { MemoryStore } from 'express-session';
import { Strategy as LocalStrategy } from 'passport-local';
import {
  MemoryTokenStore,
  type SparkAuthenticateOptions,
  type SparkError,
  type TokenRecord,
  type TokenStore,
} from '../../src/index.js';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

/** Spark on routes, beside a local sign-in that keeps the session's other data. */
const withLocal: TestAppOptions['routes'] = (app, passport, strategy) => {
  passport.use(new LocalStrategy((username, _password, done) => done(null, { id: username })));
  app.get('/login', passport.authenticate('spark'));
  app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/', keepSessionInfo: true }));
  app.get('/local/:username', (req, res, next) => {
    req.logIn({ id: req.params.username } as Express.User, { keepSessionInfo: true } as never, (error) =>
      error ? next(error) : res.json({}),
    );
  });
  app.get('/logout', (req, res, next) => {
    req.logout({ keepSessionInfo: true }, (error) => (error ? next(error) : res.json({})));
  });
  app.get('/status', (req, res, next) => {
    strategy.status(req).then((status) => res.json({ status: status ?? null, session: req.session }), next);
  });
};

class WatchedStore extends MemoryTokenStore {
  readonly created: string[] = [];
  readonly removed: string[] = [];
  override async create(...args: Parameters<TokenStore['create']>): Promise<boolean> {
    this.created.push(args[0]);
    return await super.create(...args);
  }
  override async remove(key: string): Promise<TokenRecord | undefined> {
    this.removed.push(key);
    return await super.remove(key);
  }
}

/** A session store that fails once. */
class StumblingStore extends MemoryStore {
  stumbles = false;
  override set(...args: Parameters<MemoryStore['set']>): void {
    if (this.stumbles) args[2]?.(new Error('the session store is away'));
    else super.set(...args);
    this.stumbles = false;
  }
}

/** Account linking, whose failure is told in the session, as connect-flash does. */
const withAdopt: TestAppOptions['routes'] = (app, passport, strategy) => {
  withLocal(app, passport, strategy);
  app.get('/adopt', async (req, res) => {
    try {
      await strategy.adopt(req, JSON.parse(String(req.query.params)));
      res.json({});
    } catch {
      Object.assign(req.session, { notice: 'try again' });
      res.status(500).json({});
    }
  });
};

/** What the grant endpoint answers, for the address of `/adopt`. */
async function moreTokens(person: Visitor): Promise<string> {
  const { origin } = new URL((await person.page('/login?for=tokens')).headers.location as string);
  const grant = await fetch(`${origin}/v1/oauth2/grant`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_id: 'emulator-client',
      client_secret: 'emulator-secret',
      grant_type: 'password',
      username: 'agent',
      password: 'spark',
    }),
  });
  return encodeURIComponent(await grant.text());
}

// A record that lapses before its session would sign this person out.
it.each([
  [{ maxAge: 90 * 24 * 3_600_000 }, 90 * 24 * 3_600_000],
  [{}, undefined],
])('the record of a sign-in is kept as long as the session: %j', async (cookie, keepMs) => {
  const kept: unknown[] = [];
  class Store extends MemoryTokenStore {
    override async create(...args: Parameters<MemoryTokenStore['create']>): Promise<boolean> {
      kept.push(args[1].keepMs);
      return await super.create(...args);
    }
  }
  const { url } = await startApp({ strategy: { tokenStore: new Store() }, session: { cookie } });
  await new Visitor(url).signIn('/page');
  expect(kept).toEqual([keepMs]);
});

describe('the session link', () => {
  it('holds a key and a digest, and never a token', async () => {
    const { url } = await startApp({ routes: withLocal });
    const person = new Visitor(url);
    await person.signIn('/login');
    const { status, session } = (await person.agent.get('/status')).body;
    expect(status).toMatchObject({ role: 'private', generation: 0, renewable: true, state: 'live' });
    expect(session.spark).toEqual({
      key: expect.stringMatching(/^[\w-]{43}$/),
      user: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(JSON.stringify(session)).not.toMatch(
      /access|refresh|[0-9a-z]{25}/i.test(session.spark.key) ? /access_token/ : /access|refresh/,
    );
  });

  // Seen in a trial: with keepSessionInfo another person's sign-in kept the first person's token.
  it.each(['/local/somebody-else', '/logout'])('ends for the next person: %s with keepSessionInfo', async (path) => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({ routes: withLocal, strategy: { tokenStore } });
    const person = new Visitor(url);
    await person.signIn('/login');
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);

    expect((await person.agent.get(path)).status).toBe(200);

    expect((await person.call('/spark/v1/my/account')).status).toBe(401);
    expect(tokenStore.removed).toEqual(tokenStore.created);
  });

  it('is new at every sign-in, and the record before it is removed', async () => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({ routes: withLocal, strategy: { tokenStore } });
    const person = new Visitor(url);
    await person.signIn('/login');
    await person.signIn('/login?again');
    const [first, second] = tokenStore.created;
    expect(first).not.toBe(second);
    expect(tokenStore.removed).toEqual([first]);
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  it.each(['/auth/spark/callback'])('leaves no record behind when the session can not be saved', async () => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({
      strategy: { tokenStore },
      routes: (app: Express, passport) => {
        app.use((req, _res, next) => {
          if (req.path === '/auth/spark/callback') {
            const { regenerate } = req.session;
            req.session.regenerate = function failing(this: typeof req.session, done) {
              return regenerate.call(this, (error) => {
                req.session.save = (saved?: (error: unknown) => void) => {
                  saved?.(new Error('the session store is away'));
                  return req.session;
                };
                done(error);
              });
            };
          }
          next();
        });
        app.use(passport.authenticate('spark'));
      },
    });
    const person = new Visitor(url);
    const back = await person.signIn('/page');
    expect(back.status).toBeGreaterThanOrEqual(500);
    expect(tokenStore.created).toHaveLength(1);
    expect(tokenStore.removed).toEqual(tokenStore.created);
    expect((await person.call('/spark/v1/my/account')).status).toBe(401);
  });

  it('and the user are not there when the session could not be saved, though a later change of it is', async () => {
    const store = new StumblingStore();
    const { url } = await startApp({
      session: { store },
      routes: (app, passport, strategy) => {
        withLocal(app, passport, strategy);
        app.use((_error: Error, req: Request, res: Response, _next: NextFunction) => {
          res
            .status(500)
            .json({ user: req.user ?? null, notice: Object.assign(req.session, { notice: 'sorry' }).notice });
        });
      },
    });
    const person = new Visitor(url);
    const address = await person.goToSpark('/login');
    store.stumbles = true;

    expect((await person.back(address)).body).toEqual({ user: null, notice: 'sorry' });

    const { session } = (await person.agent.get('/status')).body;
    expect(session).toMatchObject({ notice: 'sorry' });
    expect(session).not.toHaveProperty('spark');
    expect(session.passport ?? {}).not.toHaveProperty('user');
  });

  it('is not made for session: false', async () => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({
      strategy: { tokenStore },
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { session: false }), (req, res) => {
          res.json(req.user);
        });
      },
    });
    const person = new Visitor(url);
    expect((await person.signIn('/login')).body.id).toEqual(expect.any(String));
    expect(tokenStore.created).toEqual([]);
    expect((await person.call('/spark/v1/my/account')).status).toBe(401);
  });

  it.each([
    ['passport.authorize', (passport: TestApp['passport']) => passport.authorize('spark')],
    ['session: false', (passport: TestApp['passport']) => passport.authenticate('spark', { session: false })],
  ])('is not made, and nobody else is signed in, by %s in app.use', async (_what, mounted) => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({
      strategy: { tokenStore },
      routes: (app, passport) => {
        app.get('/local', (req, res, next) => {
          req.logIn({ id: 'local' } as Express.User, (error) => (error ? next(error) : res.json({})));
        });
        app.get('/who', (req, res) => {
          res.json(req.user);
        });
        app.use(mounted(passport), (req, res) => {
          res.json({ spark: (req as { account?: unknown }).account ?? req.user });
        });
      },
    });
    const person = new Visitor(url);
    await person.page('/local');

    const back = await person.signIn('/connect');

    expect(back.body.spark.name).toEqual(expect.any(String));
    expect((await person.page('/who')).body).toEqual({ id: 'local' });
    expect(tokenStore.created).toEqual([]);
  });

  it('is refused where a wall is asked for that keeps nobody', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark', { wall: true, session: false } as SparkAuthenticateOptions));
        app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
          res.status(500).json({ name: error.name, message: error.message });
        });
      },
    });

    const reply = await new Visitor(url).page('/');

    expect(reply.body).toMatchObject({ name: 'ConfigError', message: expect.stringContaining('leave "wall" out') });
  });

  // NestJS authenticates with session: false and then calls logIn by itself.
  it('is made by a logIn that follows session: false', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { session: false }), (req, res, next) => {
          req.logIn(req.user as Express.User, (error) => (error ? next(error) : res.json({})));
        });
      },
    });
    const person = new Visitor(url);
    await person.signIn('/login');
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  const signingIn = (logIn: (req: Request, user: Express.User, done: (error?: unknown) => void) => void) =>
    ((app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.get('/auth/spark/callback', (req, res, next) => {
        const done = (_error: unknown, user: Express.User): void =>
          logIn(req, user, (error) => (error ? next(error) : res.json({})));
        (passport.authenticate('spark', done) as RequestHandler)(req, res, next);
      });
    }) satisfies TestAppOptions['routes'];

  it('is made by req.login as by req.logIn', async () => {
    const { url } = await startApp({ routes: signingIn((req, user, done) => req.login(user, done)) });
    const person = new Visitor(url);
    expect((await person.signIn('/login')).status).toBe(200);
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  // The application may look the person up, and find another: that one is not who gave Spark's password.
  it.each(['login', 'logIn'] as const)(
    'is not made for another user than that of this sign-in, by %s',
    async (method) => {
      const tokenStore = new WatchedStore();
      const { url } = await startApp({
        strategy: { tokenStore },
        routes: signingIn((req, user, done) => req[method]({ ...user }, done)),
      });
      const person = new Visitor(url);
      expect((await person.signIn('/login')).status).toBe(200);
      expect(tokenStore.created).toEqual([]);
      expect((await person.call('/spark/v1/my/account')).status).toBe(401);
    },
  );

  // The next request would have found the link of nobody, and removed the tokens.
  it('is refused by adopt where nobody is signed in', async () => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({
      strategy: { tokenStore },
      routes: (app, _passport, strategy) => {
        app.get('/adopt', (req, res) => {
          strategy.adopt(req, { access_token: 'a' }).then(
            () => res.json({}),
            ({ status, code }: SparkError) => res.status(status).json({ code }),
          );
        });
      },
    });

    const reply = await new Visitor(url).agent.get('/adopt');

    expect([reply.status, reply.body]).toEqual([401, { code: 'sign_in_required' }]);
    expect(tokenStore.created).toEqual([]);
  });

  it('links tokens to the user who is signed in already, by adopt', async () => {
    const { url } = await startApp({ routes: withAdopt });
    const person = new Visitor(url);
    await person.agent.get('/local/somebody');
    expect((await person.call('/spark/v1/system')).status).toBe(401);
    await person.agent.get(`/adopt?params=${await moreTokens(person)}`).expect(200);
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
    expect((await person.agent.get('/status')).body.session.passport.user.id).toBe('somebody');
  });

  // The session would be stored with a link to a record that was removed, and the tokens of the sign-in be lost.
  it('stays as it was when adopt can not save the session, though a later change of the session is saved', async () => {
    const tokenStore = new WatchedStore();
    const store = new StumblingStore();
    const { url } = await startApp({ routes: withAdopt, strategy: { tokenStore }, session: { store } });
    const person = new Visitor(url);
    await person.signIn('/login');
    const { spark: link } = (await person.agent.get('/status')).body.session;
    const params = await moreTokens(person);
    store.stumbles = true;

    expect((await person.agent.get(`/adopt?params=${params}`)).status).toBe(500);

    const { session, status } = (await person.agent.get('/status')).body;
    expect(session).toMatchObject({ notice: 'try again', spark: link });
    expect(status).toMatchObject({ state: 'live' });
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
    expect(tokenStore.removed).toEqual(tokenStore.created.slice(1));
  });

  it('is not there when adopt could not save the session of somebody who had none', async () => {
    const store = new StumblingStore();
    const { url } = await startApp({ routes: withAdopt, session: { store } });
    const person = new Visitor(url);
    await person.agent.get('/local/somebody');
    const params = await moreTokens(person);
    store.stumbles = true;

    expect((await person.agent.get(`/adopt?params=${params}`)).status).toBe(500);

    const { session } = (await person.agent.get('/status')).body;
    expect(session).toMatchObject({ notice: 'try again' });
    expect(session).not.toHaveProperty('spark');
  });

  // It would stay in the store for 30 days, with tokens that live, and no link to it.
  it('leaves no record behind when the token store stores it, but does not say so in time', async () => {
    class LateStore extends WatchedStore {
      away = false;
      override async create(...args: Parameters<TokenStore['create']>): Promise<boolean> {
        await super.create(...args);
        if (this.away) throw new Error('no answer within 200 ms');
        return true;
      }
      override async read(key: string): Promise<TokenRecord | undefined> {
        if (this.away) throw new Error('no answer within 200 ms');
        return await super.read(key);
      }
    }
    const tokenStore = new LateStore();
    const { url } = await startApp({ strategy: { tokenStore }, routes: withAdopt });
    const person = new Visitor(url);
    await person.signIn('/login');
    const address = await person.goToSpark('/login?again');
    const params = await moreTokens(person);
    const { spark: link } = (await person.agent.get('/status')).body.session;
    tokenStore.away = true;

    expect((await person.back(address)).status).toBe(503);
    expect((await person.agent.get(`/adopt?params=${params}`)).status).toBe(500);

    tokenStore.away = false;
    const [first, ...late] = tokenStore.created;
    expect(late).toHaveLength(2);
    expect(tokenStore.removed).toEqual(late);
    expect((await person.agent.get('/status')).body.session.spark).toEqual(link);
    expect(link.key).toBe(first);
    expect((await person.call('/spark/v1/system')).status).toBe(200); // who was signed in before still is
  });

  // Nobody was signed out, and the application said that somebody was.
  it('is not ended by signOut where there is no session, and the application is told', async () => {
    const tokenStore = new WatchedStore();
    const { url } = await startApp({
      strategy: { tokenStore },
      routes: (app, passport, strategy) => {
        app.post('/sign-out', (req, res) => {
          if (req.query.without === 'session') delete (req as { session?: unknown }).session;
          strategy.signOut(req).then(
            () => res.json({}),
            ({ name, code, status }: SparkError) => res.status(status).json({ name, code }),
          );
        });
        app.use(passport.authenticate('spark'));
      },
    });
    const person = new Visitor(url);
    await person.signIn('/page');

    const reply = await person.agent.post('/sign-out?without=session');

    expect([reply.status, reply.body]).toEqual([503, { name: 'UnavailableError', code: 'no_session' }]);
    expect(tokenStore.removed).toEqual([]);
    expect((await person.call('/spark/v1/system')).status).toBe(200);
  });

  // A role that is written wrong would have asked a consumer's tokens for an agent's profile.
  it.each([
    [{ role: 'VOW' }, `"role" is 'VOW'; write one of 'private', 'idx', 'vow'.`],
    [{ role: 'vow', portal: 5 }, `"portal" is of type number; write the portal's name, like 'myportal'.`],
  ])('is refused with what to write instead: %p', async (origin, problem) => {
    const tokenStore = new WatchedStore();
    const { strategy } = await startApp({ strategy: { tokenStore } });

    const adopted = strategy.adopt({} as IncomingMessage, { access_token: 'one' }, origin as never);

    await expect(adopted).rejects.toMatchObject({ name: 'ConfigError', problems: [problem] });
    expect(tokenStore.created).toEqual([]);
  });

  it('is the shorter name of tokens.adopt for tokens that were issued beforehand', async () => {
    const { strategy } = await startApp();

    await strategy.adopt('office', { accessToken: 'one', lifetimeMs: 60_000 }, { role: 'idx' });
    await strategy.adopt('office', { accessToken: 'two', lifetimeMs: 60_000 });
    const kept = await strategy.tokens.peek('adopted:office');
    await strategy.adopt('office', { accessToken: 'three', lifetimeMs: 60_000 }, { replace: true });
    const replaced = await strategy.tokens.peek('adopted:office');

    expect(kept).toMatchObject({ accessToken: 'one', role: 'idx', generation: 0 });
    expect(replaced).toMatchObject({ accessToken: 'three', role: 'idx', generation: 1 });
    await expect(strategy.adopt(' ', { accessToken: 'one' })).rejects.toMatchObject({ name: 'ConfigError' });
  });

  // It counted as one that can be renewed: each renewal would be refused, and nobody be asked to sign in.
  it('takes a blank refresh token for none', async () => {
    const { url } = await startApp({
      routes: (app, passport, strategy) => {
        withLocal(app, passport, strategy);
        app.get('/adopt', async (req, res) => {
          await strategy.adopt(req, { access_token: 'one', refresh_token: '', expires_in: 60 });
          res.json({});
        });
      },
    });
    const { agent } = new Visitor(url);
    await agent.get('/local/somebody');
    await agent.get('/adopt');
    expect((await agent.get('/status')).body.status).toMatchObject({ state: 'live', renewable: false });
  });

  it('is refused with a reason where there is no session', async () => {
    const tokenStore = new WatchedStore();
    const { strategy } = await startApp({ strategy: { tokenStore } });

    const adopted = strategy.adopt({ headers: {} } as IncomingMessage, { access_token: 'one' });

    await expect(adopted).rejects.toMatchObject({ name: 'UnavailableError', code: 'no_session', status: 503 });
    expect(tokenStore.created).toEqual([]);
  });
});
