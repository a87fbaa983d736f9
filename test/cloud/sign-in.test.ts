import { inspect } from 'node:util';
import express, { type ErrorRequestHandler } from 'express';
import session from 'express-session';
import { Passport } from 'passport';
import { CloudError, MfaRequiredError, SparkCloudStrategy } from '../../src/cloud/index.js';
import { MemoryTokenStore } from '../../src/index.js';
import { errorOf } from '../oauth2/start.js';
import { serve } from '../support/server.js';
import { addressesOf, CAREFUL, MAKER, startCloud, startCloudApp } from './support.js';

const WAYS = ['oauth', 'session'] as const;

describe.each(WAYS)('signing in by name and password, way %s', (way) => {
  it('lists the devices of whom the form names', async () => {
    const { cloud, visitor } = await startCloudApp({ way });
    const person = visitor();

    const reply = await person.signIn();
    const devices = await person.agent.get('/devices');

    expect(reply).toMatchObject({ status: 200, body: { user: { id: MAKER.username, provider: 'spark-cloud' } } });
    expect(devices.body.map(({ name }: { name: string }) => name)).toEqual(['greenhouse', 'letterbox']);
    const types = way === 'oauth' ? ['password'] : ['sign-in', 'access-token'];
    expect(cloud.grants().map(({ type }) => type)).toEqual(types);
    expect(cloud.requests().at(-1)?.authorization).toMatch(/^Bearer [0-9a-f]{40}$/);
  });

  it.each([
    ['a wrong password', { ...MAKER, password: 'not the password' }, undefined, 'wrong_password', 401],
    [
      'an unknown account, as a cloud that keeps it to itself',
      { ...MAKER, username: 'x@example.com' },
      undefined,
      'wrong_password',
      401,
    ],
    ['an unknown account', { ...MAKER, username: 'x@example.com' }, { revealsAccounts: true }, 'unknown_account', 401],
  ])('tells %s', async (_what, fields, cloud, code, status) => {
    const { visitor, failures } = await startCloudApp({ way, cloud: cloud ?? {} });
    const person = visitor();

    const reply = await person.signIn(fields);

    expect(reply).toMatchObject({ status, body: { code } });
    expect(failures[0]).toBeInstanceOf(CloudError);
    expect((await person.call('/v1/devices')).status).toBe(401);
  });

  it('tells when the cloud asks to slow down, and how long', async () => {
    const { cloud, visitor, failures } = await startCloudApp({ way });
    cloud.failNextGrant({ status: 429, retryAfter: 30 });

    expect(await visitor().signIn()).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(failures[0]).toMatchObject({ retryAfterMs: 30_000 });
  });

  it('is an error, and no refusal, when the cloud is at fault', async () => {
    const { cloud, visitor } = await startCloudApp({ way });
    cloud.failNextGrant({ status: 503 });

    expect((await visitor().signIn()).status).toBe(500);
    expect((await visitor().signIn()).status).toBe(200);
  });

  it('keeps the password nowhere: not in the session, the token store, an error or the strategy', async () => {
    const password = 'correct horse battery staple';
    const cloud = { accounts: [{ username: MAKER.username, password }] };
    const sessions = new session.MemoryStore();
    const tokenStore = new MemoryTokenStore();
    const app = await startCloudApp({ way, cloud, store: sessions, strategy: { tokenStore } });
    const person = app.visitor();
    await person.signIn({ username: MAKER.username, password: `${password}?` });
    app.cloud.failNextGrant({ status: 500, error: password });
    const failed = await person.signIn({ username: MAKER.username, password });
    const ok = await person.signIn({ username: MAKER.username, password });

    expect([failed.status, ok.status]).toEqual([500, 200]);
    const kept = [sessions, tokenStore, app.strategy, app.failures].map((where) =>
      inspect(where, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    );
    for (const text of [...kept, failed.text, ok.text]) expect(text).not.toContain(password);
  });

  it.each([
    ['nothing', {}],
    ['no password', { username: 'x' }],
    ['lists', { username: ['a', 'b'], password: { a: 'b' } }],
  ])('says that the form lacks something: %s', async (_what, fields) => {
    const { cloud, visitor } = await startCloudApp({ way });

    expect(await visitor().signIn(fields)).toMatchObject({ status: 400, body: { code: 'fields_missing' } });
    expect(cloud.grants()).toEqual([]);
  });

  it('reads no password from the address', async () => {
    const { visitor } = await startCloudApp({ way });

    expect((await visitor().signIn({}, `/login?${new URLSearchParams(MAKER)}`)).status).toBe(400);
  });

  it('reads the fields that the options name', async () => {
    const { visitor } = await startCloudApp({ way, strategy: { usernameField: 'email', passwordField: 'secret' } });

    expect((await visitor().signIn({ email: MAKER.username, secret: MAKER.password })).status).toBe(200);
    expect((await visitor().signIn()).status).toBe(400);
  });

  it("works with Passport's own middleware, by name", async () => {
    const { visitor } = await startCloudApp({ way });
    const person = visitor();

    expect((await person.signIn({ ...MAKER, password: 'wrong' }, '/simple')).status).toBe(401);
    expect((await person.signIn(MAKER, '/simple')).body.user.id).toBe(MAKER.username);
    expect((await person.call('/v1/devices')).status).toBe(200);
  });
});

describe('an account with a second factor', () => {
  it('is signed in by the one-time code', async () => {
    const { visitor, failures } = await startCloudApp();
    const person = visitor();

    const first = await person.signIn(CAREFUL);
    expect(first).toMatchObject({ status: 401, body: { code: 'mfa_required' } });
    expect(failures[0]).toBeInstanceOf(MfaRequiredError);
    expect((await person.call('/v1/devices')).status).toBe(401);

    const wrong = await person.signIn({ otp: '000000' });
    expect(wrong).toMatchObject({ status: 401, body: { code: 'wrong_otp' } });

    const right = await person.signIn({ otp: '123456' });
    expect(right).toMatchObject({ status: 200, body: { user: { id: CAREFUL.username } } });
    expect((await person.call('/v1/devices')).status).toBe(200);
  });

  it('has to begin again when the code comes too late', async () => {
    const { cloud, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn(CAREFUL);
    cloud.clock.advance(60 * 60_000);

    expect(await person.signIn({ otp: '123456' })).toMatchObject({ status: 401, body: { code: 'mfa_expired' } });
  });

  it('shows what the second step needs to who asks for it, and to no log', async () => {
    const { visitor, failures } = await startCloudApp();
    await visitor().signIn(CAREFUL);
    const [error] = failures as MfaRequiredError[];
    const mfaToken = error?.challenge.mfaToken ?? '';

    expect(mfaToken).toMatch(/^[0-9a-f]{40}$/);
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(mfaToken);
    expect(JSON.stringify(error)).not.toContain(mfaToken);
    expect(String(error)).not.toContain(mfaToken);
  });

  it('can be finished and linked by the application itself', async () => {
    const { cloud, visitor } = await startCloudApp({
      routes: (app, strategy) => {
        app.post('/local', (req, res, next) => {
          req.logIn({ id: 'local' } as Express.User, (error) => (error ? next(error) : res.json({})));
        });
        app.post('/link', (req, res, next) => {
          const { challenge } = req.session as unknown as { challenge: { mfaToken: string; username: string } };
          strategy
            .finishMfa(challenge, '123456')
            .then((signIn) => strategy.adopt(req, signIn))
            .then(() => res.json({}), next);
        });
      },
    });
    const person = visitor();
    await person.agent.post('/local');
    await person.signIn(CAREFUL);

    expect((await person.agent.post('/link')).status).toBe(200);
    expect((await person.call('/v1/devices')).status).toBe(200);
    expect(cloud.requests()).toHaveLength(1);
  });
});

describe.each(WAYS)('a sign-in without Passport, way %s', (way) => {
  it('brings the tokens, or says why not', async () => {
    const cloud = await startCloud();
    const strategy = new SparkCloudStrategy(addressesOf(cloud, way));

    const signedIn = await strategy.signIn(MAKER);
    const refused = await errorOf(strategy.signIn({ ...MAKER, password: 'wrong' }));

    expect(signedIn).toMatchObject({ username: MAKER.username, way, tokens: { refreshToken: expect.any(String) } });
    expect(refused).toMatchObject({ code: 'wrong_password', status: 401 });
    if (way === 'oauth') expect(await errorOf(strategy.signIn(CAREFUL))).toBeInstanceOf(MfaRequiredError);
  });
});

describe('two sign-ins that overlap', () => {
  it.each(['by name', 'by instance'])('do not swap people: %s', async (kind) => {
    const app = await startCloudApp({
      cloud: { accounts: ['a', 'b'].map((name) => ({ username: `${name}@example.com`, password: name })) },
      routes: (routes, strategy) => {
        const given = (kind === 'by name' ? 'spark-cloud' : strategy) as string; // Passport's types know names alone
        routes.post('/overlap', (req, res, next) => {
          app.passport.authenticate(given)(req, res, (error?: unknown) =>
            error ? next(error) : res.json({ user: req.user }),
          );
        });
      },
    });

    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? 'a' : 'b')).map(async (name) => [
        `${name}@example.com`,
        (await app.visitor().signIn({ username: `${name}@example.com`, password: name }, '/overlap')).body.user.id,
      ]),
    );

    for (const [asked, got] of replies) expect(got).toBe(asked);
  });
});

describe('a verify function', () => {
  it('decides who may sign in, and what the user is, with the request where it asks for that', async () => {
    const cloud = await startCloud();
    const strategy = new SparkCloudStrategy(
      { ...addressesOf(cloud, 'oauth'), passReqToCallback: true },
      (req, profile, done) => {
        if (req.headers['x-let'] !== 'in') return done(null, false, { message: 'Not today.' });
        return done(null, { id: `cloud:${profile.id}` } as Express.User);
      },
    );
    const passport = new Passport();
    const app = express();
    app.use(express.urlencoded({ extended: false }));
    app.post('/login', passport.authenticate(strategy as unknown as string, { session: false }), (req, res) => {
      res.json(req.user);
    });
    const { url } = await serve(app);
    const post = (headers: Record<string, string>) =>
      fetch(`${url}/login`, { method: 'POST', headers, body: new URLSearchParams(MAKER) });

    expect((await post({})).status).toBe(403);
    expect(await (await post({ 'X-Let': 'in' })).json()).toEqual({ id: `cloud:${MAKER.username}` });
  });

  // It ended the process: nobody looked at the promise.
  it('errs when it is async and rejects', async () => {
    const cloud = await startCloud();
    const strategy = new SparkCloudStrategy({ ...addressesOf(cloud, 'oauth'), passReqToCallback: false }, async () => {
      await Promise.reject(new Error('the database is away'));
    });
    const passport = new Passport();
    const app = express();
    app.use(express.urlencoded({ extended: false }));
    app.post('/login', passport.authenticate(strategy as unknown as string, { session: false }));
    app.use(((error, _req, res, _next) => {
      res.status(500).json({ message: error.message });
    }) as ErrorRequestHandler);
    const { url } = await serve(app);

    const reply = await fetch(`${url}/login`, { method: 'POST', body: new URLSearchParams(MAKER) });

    expect([reply.status, await reply.json()]).toEqual([500, { message: 'the database is away' }]);
  });
});
