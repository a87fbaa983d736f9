import type { EventEmitter } from 'node:events';
import express from 'express';
import session from 'express-session';
import { Passport } from 'passport';
import { Strategy as BearerStrategy } from 'passport-http-bearer';
import { MemoryTokenStore, type SparkAuthenticateOptions, SparkStrategy, UnavailableError } from '../../src/index.js';
import { rawCall } from '../proxy/support.js';
import { CLIENT, startApp, type TestAppOptions } from '../support/app.js';
import { serve } from '../support/server.js';
import { answerSpark, Visitor } from '../support/visitor.js';

const PAGE = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Accept: 'text/html' };

describe('without sign-in, a request that no person waits for', () => {
  it.each([
    ['a page that Chrome loads in advance', { ...PAGE, 'Sec-Purpose': 'prefetch' }],
    ['a page that Chrome renders in advance', { ...PAGE, 'Sec-Purpose': 'prefetch;prerender' }],
    ['a page that older browsers load in advance', { Accept: 'text/html', Purpose: 'prefetch' }],
    ['a page that old Firefox loads in advance', { Accept: 'text/html', 'X-Moz': 'prefetch' }],
    ['an XMLHttpRequest that says so', { Accept: 'text/html', 'X-Requested-With': 'XMLHttpRequest' }],
    [
      "a service worker's script",
      { 'Sec-Fetch-Mode': 'same-origin', 'Sec-Fetch-Dest': 'serviceworker', Accept: '*/*' },
    ],
    ['a script', { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script', Accept: '*/*' }],
    ['a web socket', { 'Sec-Fetch-Mode': 'websocket', Accept: '*/*' }],
  ])('is told to sign in, and begins no attempt: %s', async (_name, headers) => {
    const { url } = await startApp();
    const reply = await new Visitor(url).agent.get('/page').set(headers);
    expect([reply.status, reply.body.D.Error]).toEqual([401, 'sign_in_required']);
    expect(reply.headers['set-cookie']).toBeUndefined();
    expect(reply.headers['cache-control']).toBe('no-store'); // the visit that follows must ask again
  });

  it('is sent to Spark all the same when a service worker passes a navigation on', async () => {
    const { url } = await startApp();
    const preload = { ...PAGE, 'Service-Worker-Navigation-Preload': 'true' };
    expect((await new Visitor(url).agent.get('/page').set(preload)).status).toBe(302);
  });

  it.each(['put', 'patch', 'delete', 'options'] as const)('is told to sign in: %s', async (method) => {
    const { url } = await startApp();
    const reply = await new Visitor(url).agent[method]('/page').set(PAGE);
    expect([reply.status, reply.body.D.Error]).toEqual([401, 'sign_in_required']);
  });
});

// Clickjacking, and a password typed into a frame whose address nobody sees.
describe('in a frame', () => {
  it.each(['iframe', 'frame', 'fencedframe', 'object', 'embed'])('asks for the whole window: %s', async (dest) => {
    const { url } = await startApp();
    const reply = await new Visitor(url).agent.get('/inner?a=1').set({ ...PAGE, 'Sec-Fetch-Dest': dest });
    expect(reply.status).toBe(401);
    expect(reply.text).toContain('<a href="/inner?a=1" target="_top">Sign in</a>');
    expect(reply.headers['content-security-policy']).toContain("frame-ancestors 'self'");
    expect(reply.headers['referrer-policy']).toBe('no-referrer');
    expect(reply.headers['set-cookie']).toBeUndefined();
  });

  it('links to the very address, and to nothing that the address makes of it', async () => {
    const { url } = await startApp();
    const headers = Object.entries({ ...PAGE, Host: 'app', 'Sec-Fetch-Dest': 'iframe', Connection: 'close' });
    const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const reply = await rawCall(url, `GET /a"b='c'&d=<e> HTTP/1.1\r\n${head}\r\n`);
    expect(reply).toContain('<a href="/a&quot;b=&#39;c&#39;&amp;d=&lt;e&gt;" target="_top">');
  });

  it('passes who is signed in', async () => {
    const { url } = await startApp();
    const person = new Visitor(url);
    await person.signIn('/page');
    expect((await person.agent.get('/page').set({ ...PAGE, 'Sec-Fetch-Dest': 'iframe' })).status).toBe(200);
  });
});

describe('in a sub-application', () => {
  it('comes back to the whole address, the callback below the wall or on a route beside it', async () => {
    for (const callbackPath of ['/admin/callback', '/auth/spark/callback']) {
      const { url } = await startApp({
        routes: (app, passport, strategy) => {
          passport.use('below', Object.assign(Object.create(strategy), { name: 'below' }));
          const admin = express.Router();
          const options: SparkAuthenticateOptions = { callbackURL: `${url_()}${callbackPath}` };
          admin.use(passport.authenticate('spark', options));
          admin.get('/reports', (req, res) => {
            res.json({ at: req.originalUrl });
          });
          app.use('/admin', admin);
          app.get(
            '/auth/spark/callback',
            passport.authenticate('spark', { ...options, wall: true } as SparkAuthenticateOptions),
          );
          app.get('/public', (_req, res) => {
            res.json({});
          });
          function url_(): string {
            return strategy.origin ?? '';
          }
        },
      });
      const person = new Visitor(url);
      expect((await person.page('/public')).status).toBe(200);
      expect((await person.signIn('/admin/reports?year=2026')).headers.location).toBe('/admin/reports?year=2026');
      expect((await person.page('/admin/reports?year=2026')).body).toEqual({ at: '/admin/reports?year=2026' });
    }
  });
});

describe('behind a proxy', () => {
  const relative = { callbackURL: '/auth/spark/callback' };
  const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'app.example.com, inner' };
  const redirectURI = async (
    options: TestAppOptions,
    trust: unknown,
  ): Promise<{ uri: string | null; cookie: string }> => {
    const { url } = await startApp({
      ...options,
      routes: (app, passport) => {
        if (trust !== undefined) app.set('trust proxy', trust);
        app.use(passport.authenticate('spark'));
      },
    });
    const away = await new Visitor(url).page('/').set(forwarded);
    return {
      uri: new URL(away.headers.location as string).searchParams.get('redirect_uri'),
      cookie: [away.headers['set-cookie']].flat().join(),
    };
  };

  it.each([
    ['trust proxy', relative, true],
    ['trust proxy that names the address', relative, 'loopback'],
    ['the option proxy', { ...relative, proxy: true }, undefined],
  ])('believes what it says: %s', async (_name, strategy, trust) => {
    const { uri, cookie } = await redirectURI({ strategy }, trust);
    expect(uri).toBe('https://app.example.com/auth/spark/callback');
    expect(cookie).toMatch(/^__Host-spark-attempt\..*; Secure/);
  });

  it.each([
    ['no trust', undefined],
    ['trust in somebody else', '203.0.113.7'],
  ])('believes nothing without trust: %s', async (_name, trust) => {
    expect((await redirectURI({ strategy: relative }, trust)).uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\//);
  });

  it('refuses a Host that is none', async () => {
    const { url } = await startApp({ strategy: relative });
    expect((await new Visitor(url).page('/').set('Host', 'a b')).status).toBe(400);
  });
});

// Every sign-in ended in «This sign-in is over», and nothing said why.
describe('on another host than that of the callback', () => {
  let warn: jest.SpyInstance;
  beforeEach(() => {
    warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
  });
  afterEach(() => warn.mockRestore());
  const warnings = (): unknown[] => warn.mock.calls.filter(([, { code }]) => code === 'SPARK_CALLBACK_HOST');
  const callbackURL = 'https://www.example.com/auth/spark/callback';

  it('warns once for both, naming them', async () => {
    const { url } = await startApp({ strategy: { callbackURL } });
    for (const host of ['example.com', 'EXAMPLE.com:443', 'localhost:3000', 'example.com']) {
      expect((await new Visitor(url).page('/').set('Host', host)).status).toBe(302);
    }
    expect(warnings()).toEqual([
      [expect.stringMatching(/at example\.com .* to www\.example\.com/), expect.anything()],
      [expect.stringMatching(/at localhost .* to www\.example\.com/), expect.anything()],
    ]);
  });

  it.each([
    ['the same host', { Host: 'www.example.com' }],
    ['the same host at another port', { Host: 'WWW.example.com:8443' }],
    ['a proxy that forwards the host', { Host: 'app:3000', 'X-Forwarded-Host': 'www.example.com, inner' }],
    ['no host', { Host: 'a b' }],
  ])('says nothing of %s', async (_what, headers) => {
    const { url } = await startApp({ strategy: { callbackURL } });
    expect((await new Visitor(url).page('/').set(headers)).status).toBe(302);
    expect(warnings()).toEqual([]);
  });

  it('says nothing where the callback is a path', async () => {
    const { url } = await startApp({ strategy: { callbackURL: '/auth/spark/callback' } });
    expect((await new Visitor(url).page('/').set('Host', 'example.com')).status).toBe(302);
    expect(warnings()).toEqual([]);
  });

  // The host comes with the request: whoever makes them up must not fill the log and the memory.
  it('says no more after twenty', async () => {
    const { url } = await startApp({ strategy: { callbackURL } });
    for (let i = 0; i < 25; i += 1) await new Visitor(url).page('/').set('Host', `host-${i}.example.com`);
    expect(warnings()).toHaveLength(20);
  });
});

describe('below a route that called next()', () => {
  it('signs in, warns once, and does not send the person round and round', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/page', (_req, _res, next) => next());
        app.use(passport.authenticate('spark'));
        app.use((_req, res) => {
          res.json({});
        });
      },
    });
    const person = new Visitor(url);
    await person.signIn('/page');
    expect((await person.page('/page')).status).toBe(200);
    expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('{ wall: true }')]);
    warn.mockRestore();
  });

  it('is a wall when it is told so', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.all('/page', (_req, _res, next) => next());
        app.use(passport.authenticate('spark', { wall: true } as SparkAuthenticateOptions));
        app.use((_req, res) => {
          res.json({});
        });
      },
    });
    const person = new Visitor(url);
    expect((await person.agent.get('/page').set('Accept', 'application/json')).status).toBe(401);
    await person.signIn('/page');
    for (let i = 0; i < 3; i += 1) expect((await person.page('/page')).status).toBe(200);
  });
});

describe('in a chain with bearer tokens', () => {
  const chain = (names: string[], options: SparkAuthenticateOptions = {}): TestAppOptions => ({
    routes: (app, passport) => {
      passport.use(new BearerStrategy((token, done) => done(null, token === 'good' ? { id: 'program' } : false)));
      app.use(passport.authenticate(names, { session: undefined, ...options } as never));
      app.use((req, res) => {
        res.json(req.user);
      });
    },
  });

  it.each([
    ['bearer first', chain(['bearer', 'spark'])],
    ['Spark first, told to fail', chain(['spark', 'bearer'], { wall: 'fail' })],
    ['Spark first, failing with an error', chain(['spark', 'bearer'], { failWithError: true })],
  ])('serves programs and people: %s', async (_name, options) => {
    const { url } = await startApp(options);
    const program = (token: string): ReturnType<Visitor['page']> =>
      new Visitor(url).agent.get('/data').set({ Accept: 'application/json', Authorization: `Bearer ${token}` });
    expect((await program('good')).body).toEqual({ id: 'program' });
    expect((await program('bad')).status).toBe(401);
    const person = new Visitor(url);
    expect((await person.signIn('/page')).headers.location).toBe('/page');
    expect((await person.page('/page')).body.name).toBe('Agent Example');
  });
});

// A wall that let this person pass for ever, while every call is refused, would leave no way to sign in.
it('sends people to Spark whose tokens have expired and can not be renewed', async () => {
  class WithoutRefreshTokens extends MemoryTokenStore {
    override async create(key: string, record: Parameters<MemoryTokenStore['create']>[1]): Promise<boolean> {
      return await super.create(key, { ...record, refreshToken: undefined });
    }
  }
  const { url, spark } = await startApp({ strategy: { tokenStore: new WithoutRefreshTokens() } });
  const person = new Visitor(url);
  await person.signIn('/page');
  expect((await person.page('/page')).status).toBe(200);
  spark.expireAllAccessTokens();

  expect((await person.call('/spark/v1/my/account')).status).toBe(401);
  expect((await person.page('/page')).status).toBe(302);

  await person.signIn('/page');
  expect((await person.page('/page')).status).toBe(200);
  expect((await person.call('/spark/v1/my/account')).status).toBe(200);
});

describe('while something is away', () => {
  // express-session goes on without a session then, and passport.session(), which comes before the wall, errs by itself.
  it('never redirects when the session store is, for pages and programs', async () => {
    class Away extends session.MemoryStore {}
    const store = new Away();
    const { url } = await startApp({ session: { store } });
    (store as EventEmitter).emit('disconnect');
    for (const accept of ['text/html', 'application/json']) {
      const reply = await new Visitor(url).agent.get('/page').set('Accept', accept);
      expect([reply.status, reply.headers.location]).toEqual([500, undefined]);
    }
  });

  it('answers 503 when the token store is, and signs nobody out', async () => {
    class Flaky extends MemoryTokenStore {
      away = false;
      override async read(key: string): ReturnType<MemoryTokenStore['read']> {
        if (this.away) throw new UnavailableError('away', { code: 'store_unavailable' });
        return await super.read(key);
      }
    }
    const tokenStore = new Flaky();
    const { url } = await startApp({ strategy: { tokenStore } });
    const person = new Visitor(url);
    await person.signIn('/page');
    tokenStore.away = true;
    expect((await person.page('/page')).status).toBe(503);
    expect((await person.agent.get('/page').set('Accept', 'application/json')).status).toBe(503);
    // Nothing could keep a sign-in that begins now.
    const stranger = await new Visitor(url).page('/page');
    expect([stranger.status, stranger.headers.location, stranger.headers['set-cookie']]).toEqual([
      503,
      undefined,
      undefined,
    ]);
    tokenStore.away = false;
    expect((await person.page('/page')).status).toBe(200);
    expect((await new Visitor(url).page('/page')).status).toBe(302);
  });
});

describe('a sign-in that would go round for ever', () => {
  it('ends on a page when the browser keeps no cookie at all', async () => {
    const { url } = await startApp();
    const away = await new Visitor(url).page('/page');
    const page = await new Visitor(url).back(await answerSpark(away.headers.location as string));
    expect([page.status, page.text]).toEqual([403, expect.stringContaining('cookies must be allowed')]);
  });

  // The person was told to allow cookies, and the operator nothing.
  it.each([
    ['passport.session() is missing', false, undefined, 'mount passport.session() before'],
    ['deserializeUser knows nobody', true, false, 'deserializeUser'],
  ])('ends on a page when %s, and the log says so', async (_what, mounted, known, cause) => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { spark } = await startApp();
    const app = express();
    const { url } = await serve(app);
    const passport = new Passport();
    passport.serializeUser((user, done) => done(null, user));
    passport.deserializeUser((user: Express.User, done) => done(null, known ?? user));
    const options = { ...CLIENT, callbackURL: `${url}/callback`, platformURL: spark.url, apiURL: spark.url };
    passport.use(new SparkStrategy(options, (_a, _r, profile, done) => done(null, profile)));
    app.use(session({ secret: 'test secret', resave: false, saveUninitialized: false }));
    if (mounted) app.use(passport.session());
    app.use(passport.authenticate('spark'));
    const person = new Visitor(url);
    await person.signIn('/page');

    const page = await person.page('/page');

    expect([page.status, page.text]).toEqual([503, expect.stringContaining('it did not last')]);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining(cause), expect.objectContaining({ code: 'SPARK_SIGN_IN' })],
    ]);
    warn.mockRestore();
  });

  it.each([{}, { wall: 'fail' } as const])(
    'is told to the log where the session does not come back: %p',
    async (options) => {
      const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
      const { url } = await startApp({
        session: { cookie: { secure: true } }, // over http: never sent
        routes: (app, passport) => {
          app.use(passport.authenticate('spark', options as SparkAuthenticateOptions));
        },
      });
      const person = new Visitor(url);
      await person.signIn('/page');
      expect((await person.page('/page')).status).toBe(403);
      expect(warn.mock.calls).toEqual([
        [expect.stringContaining('sign_in_loop'), expect.objectContaining({ code: 'SPARK_SIGN_IN' })],
      ]);
      warn.mockRestore();
    },
  );

  it('ends on a page when the token store forgets at once, and the log says where to look', async () => {
    class Forgetful extends MemoryTokenStore {
      override async read(): Promise<undefined> {
        return undefined;
      }
    }
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({ strategy: { tokenStore: new Forgetful() } });
    const person = new Visitor(url);
    await person.signIn('/page');
    const page = await person.page('/page');
    expect([page.status, page.text]).toEqual([503, expect.stringContaining('it did not last')]);
    expect(warn.mock.calls.join()).toContain('does the token store keep them?');
    warn.mockRestore();
  });
});
