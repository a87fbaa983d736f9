import { MemoryStore } from 'express-session';
import { MemoryTokenStore, type SparkError, SparkStrategy, sparkProxy, type TokenRecord } from '../../src/index.js';
import { CLIENT, startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

describe.each([
  [4, '0.6'],
  [4, '0.7'],
  [5, '0.6'],
  [5, '0.7'],
] as const)('Express %i with Passport %s', (express, passport) => {
  const versions = { express, passport };

  it('signs in at the wall, calls, renews and signs out', async () => {
    const { url, spark } = await startApp({
      versions,
      routes: (app, passportOfApp, strategy) => {
        app.post('/sign-out', (req, res, next) => {
          strategy.signOut(req, { revoke: true }).then(() => res.json({}), next);
        });
        app.use(passportOfApp.authenticate('spark'));
        app.use((req, res) => {
          res.json(req.user);
        });
      },
    });
    const person = new Visitor(url);
    expect((await person.signIn('/page')).headers.location).toBe('/page');
    expect((await person.page('/page')).body.id).toEqual(expect.any(String));
    spark.expireAllAccessTokens();
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
    expect(spark.grants('refresh_token')).toHaveLength(1);

    expect((await person.agent.post('/sign-out')).status).toBe(200);
    expect((await person.call('/spark/v1/my/account')).status).toBe(401);
    expect(spark.requests().at(-1)).toMatchObject({ method: 'DELETE' }); // revoked, and nothing was called since
  });

  it('keeps the session data of a sign-in with keepSessionInfo, and ends the link with a logout that keeps it', async () => {
    const { url } = await startApp({
      versions,
      routes: (app, passportOfApp) => {
        app.get('/basket', (req, res) => {
          Object.assign(req.session, { basket: 'full' });
          res.json({});
        });
        app.get('/logout', (req, res, next) => {
          req.logout({ keepSessionInfo: true }, (error) => (error ? next(error) : res.json({})));
        });
        app.get('/session', (req, res) => {
          res.json(req.session);
        });
        app.use(passportOfApp.authenticate('spark', { keepSessionInfo: true }));
      },
    });
    const person = new Visitor(url);
    await person.agent.get('/basket');
    await person.signIn('/page');
    expect((await person.agent.get('/session')).body).toMatchObject({ basket: 'full', spark: {} });
    expect((await person.call('/spark/v1/system')).status).toBe(200);
    await person.agent.get('/logout');
    expect((await person.call('/spark/v1/system')).status).toBe(401);
  });

  it('calls a function on the wall below a sub-application', async () => {
    const { url } = await startApp({ versions });
    const person = new Visitor(url);
    await person.signIn('/a/b/c?d=e');
    expect((await person.page('/a/b/c?d=e')).body.url).toBe('/a/b/c?d=e');
  });
});

describe('two strategies in one application', () => {
  it('live side by side with session keys of their own', async () => {
    const { url, passport, spark } = await startApp({
      emulator: {
        clients: [
          { id: 'emulator-client', secret: 'emulator-secret', redirectURIs: 'loopback' },
          { id: 'vow-client', secret: 'vow-secret', redirectURIs: 'loopback' },
        ],
      },
      routes: (app, passportOfApp, strategy) => {
        app.get('/agents', passportOfApp.authenticate('spark'));
        app.get('/auth/spark/callback', passportOfApp.authenticate('spark', { successRedirect: '/' }));
        app.get('/buyers', (req, res, next) => passportOfApp.authorize('vow')(req, res, next));
        app.get(
          '/auth/vow/callback',
          (req, res, next) => passportOfApp.authorize('vow')(req, res, next),
          async (req, res) => {
            const { account } = req as { account?: { tokens: Record<string, unknown> } };
            await vow.adopt(req, account?.tokens ?? {}, { role: 'vow', portal: 'myportal' });
            res.json({ agents: await strategy.status(req), buyers: await vow.status(req) });
          },
        );
      },
    });
    const vow = new SparkStrategy(
      {
        clientID: 'vow-client',
        clientSecret: 'vow-secret',
        callbackURL: `${url}/auth/vow/callback`,
        platformURL: spark.url,
        apiURL: spark.url,
        role: 'vow',
        portal: 'myportal',
        sessionKey: 'vow',
        tokenStore: new MemoryTokenStore(),
      },
      (_accessToken, _refreshToken, params, _profile, done) => done(null, { tokens: params }),
    );
    passport.use('vow', vow);
    const person = new Visitor(url);
    await person.signIn('/agents');
    const both = (await person.signIn('/buyers', { username: 'consumer' })).body;
    expect(both).toMatchObject({ agents: { role: 'private' }, buyers: { role: 'vow', portal: 'myportal' } });
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  it('refuse to share a session key between two clients', async () => {
    const { url, passport, spark } = await startApp({
      routes: (app, passportOfApp) => {
        app.get('/one', passportOfApp.authenticate('spark'));
        app.get('/two', passportOfApp.authenticate('second'));
      },
    });
    const options = {
      ...CLIENT,
      clientID: 'second-client',
      callbackURL: `${url}/cb`,
      platformURL: spark.url,
      apiURL: spark.url,
    };
    passport.use('second', new SparkStrategy(options, (_a, _r, profile, done) => done(null, profile)));
    expect((await new Visitor(url).page('/one')).status).toBe(302);
    const second = await new Visitor(url).page('/two');
    expect(second.status).toBe(500);
    expect(second.text).toContain('give one of them a &quot;sessionKey&quot; of its own');
  });

  // A person who was signed in got 401 for ever, and nothing said why.
  it.each(['after session()', 'in the express lane'])('are told so by the proxy %s', async (where) => {
    const sessions = { store: new MemoryStore(), secret: 'test secret', resave: false, saveUninitialized: false };
    const { url } = await startApp({
      session: sessions,
      routes: (app, passport, { origin, apiURL }) => {
        const options = { ...CLIENT, callbackURL: `${origin}/cb`, platformURL: apiURL, apiURL };
        const second = new SparkStrategy({ ...options, clientID: 'second-client' }, (_a, _r, profile, done) =>
          done(null, profile),
        );
        const lane = where === 'in the express lane' ? { session: sessions } : {};
        app.use('/second', sparkProxy({ strategy: second, ...lane }));
        app.use(passport.authenticate('spark'));
      },
    });
    const person = new Visitor(url);
    await person.signIn('/page');

    const reply = await person.call('/second/v1/system');

    expect([reply.status, reply.body.D]).toEqual([
      500,
      expect.objectContaining({ Error: 'config', Message: expect.stringContaining('give one of them a "sessionKey"') }),
    ]);
    expect((await person.call('/spark/v1/system')).status).toBe(200);
  });
});

// Some servers want a header of their own with token requests, even an Authorization; a revocation has the person's.
it("revokes with the person's token, whatever customHeaders say", async () => {
  const customHeaders = { Authorization: 'Basic b3VyczpvdXJz', 'X-Key': 'ours' };
  const { url, spark } = await startApp({
    strategy: { customHeaders },
    routes: (app, passport, strategy) => {
      app.post('/sign-out', (req, res, next) => {
        strategy.signOut(req, { revoke: true }).then(() => res.json({}), next);
      });
      app.use(passport.authenticate('spark'));
    },
  });
  const person = new Visitor(url);
  await person.signIn('/page');

  expect((await person.agent.post('/sign-out')).status).toBe(200);

  const revocation = spark.requests().find(({ method }) => method === 'DELETE');
  expect(spark.grants()[0]?.headers).toMatchObject({ authorization: 'Basic b3VyczpvdXJz', 'x-key': 'ours' });
  expect(revocation?.headers).toMatchObject({
    authorization: expect.stringMatching(/^OAuth /),
    'x-sparkapi-user-agent': 'TestApp/1.0',
  });
  expect(revocation?.headers).not.toHaveProperty('x-key');
});

it('signs out here even when Spark can not be told to revoke the tokens', async () => {
  const { url, spark } = await startApp({
    routes: (app, passport, strategy) => {
      app.post('/sign-out', (req, res) => {
        strategy.signOut(req, { revoke: true }).then(
          () => res.json({}),
          (error: { code: string }) => res.json({ failed: error.code }),
        );
      });
      app.use(passport.authenticate('spark'));
    },
  });
  const person = new Visitor(url);
  await person.signIn('/page');
  await spark.close();
  expect((await person.agent.post('/sign-out')).body).toEqual({ failed: 'revocation_failed' });
  expect((await person.call('/spark/v1/my/account')).status).toBe(401);
  expect((await person.page('/page')).status).toBe(302);
});

it('signs nobody out while the token store is away', async () => {
  class Flaky extends MemoryTokenStore {
    away = false;
    override async remove(key: string): Promise<TokenRecord | undefined> {
      if (this.away) throw new Error('away');
      return await super.remove(key);
    }
  }
  const tokenStore = new Flaky();
  const { url } = await startApp({
    strategy: { tokenStore },
    routes: (app, passport, strategy) => {
      app.post('/sign-out', (req, res) => {
        strategy.signOut(req, { revoke: true }).then(
          () => res.json({}),
          ({ code, status }: SparkError) => res.status(status).json({ code }),
        );
      });
      app.use(passport.authenticate('spark'));
      app.use((_req, res) => {
        res.json({});
      });
    },
  });
  const person = new Visitor(url);
  await person.signIn('/page');

  tokenStore.away = true;
  expect(await person.agent.post('/sign-out')).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
  expect((await person.page('/page')).status).toBe(200);
  expect((await person.call('/spark/v1/my/account')).status).toBe(200);

  tokenStore.away = false;
  expect((await person.agent.post('/sign-out')).status).toBe(200);
  expect((await person.call('/spark/v1/my/account')).status).toBe(401);
});
