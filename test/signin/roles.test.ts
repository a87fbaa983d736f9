import type { ErrorRequestHandler } from 'express';
import { ConfigError, MemoryTokenStore, type SparkAuthenticateOptions, SparkStrategy } from '../../src/index.js';
import { CLIENT, startApp, type TestApp, type TestAppOptions } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

const PRIVATE = { role: 'private', username: 'agent', endpoint: '/oauth2', resource: '/v1/my/account' } as const;
const IDX = { role: 'idx', username: 'agent', endpoint: '/oauth2', resource: '/v1/my/account' } as const;
const VOW = {
  role: 'vow',
  portal: 'MyPortal',
  username: 'consumer',
  endpoint: '/auth/vow/myportal',
  resource: '/v1/my/contact',
} as const;
const ANY_PORTAL = { ...VOW, portal: false, endpoint: '/auth/vow' } as const;
const HYBRID = { flow: 'hybrid', endpoint: '/openid' } as const;

describe.each([
  ['Private by OAuth 2', PRIVATE],
  ['IDX by OAuth 2', IDX],
  ['VOW by its portal', VOW],
  ['VOW by the multi-agent endpoint', ANY_PORTAL],
  ['Private by the hybrid flow', { ...PRIVATE, ...HYBRID }],
  ['IDX by the hybrid flow', { ...IDX, ...HYBRID }],
])('%s', (_name, { username, endpoint, resource, ...strategy }) => {
  it('signs in, tells who it is, and calls the API', async () => {
    const { url, spark } = await startApp({ strategy });
    const person = new Visitor(url);

    const away = await person.page('/wanted');
    expect(new URL(away.headers.location as string).pathname).toBe(endpoint);
    const back = await person.back(await answerSpark(away.headers.location as string, { username }));

    expect(back.headers.location).toBe('/wanted');
    expect((await person.page('/wanted')).body.user.name).toEqual(expect.any(String));
    expect((await person.call(`/spark${resource}`)).status).toBe(200);
    expect(spark.requests().map((request) => request.url)).toEqual([resource, resource]);
    expect(spark.grants('authorization_code')).toHaveLength(1);
  });

  it('says why when the person denies access, and signs nobody in', async () => {
    const { url, spark } = await startApp({ strategy });
    const person = new Visitor(url);

    const back = await person.signIn('/', { username, decision: 'deny' });

    expect(back.status).toBe(403);
    expect(back.text).toContain('You did not allow access');
    expect(spark.grants()).toHaveLength(0);
    expect((await person.call('/spark/v1/system')).status).toBe(401);
  });

  it('renews with the redirect URI of the sign-in', async () => {
    const { url, spark } = await startApp({ strategy, emulator: { refreshNeedsRedirectURI: true } });
    const person = new Visitor(url);
    await person.signIn('/', { username });
    spark.expireAllAccessTokens();

    expect((await person.call(`/spark${resource}`)).status).toBe(200);
    expect(spark.grants('refresh_token')).toMatchObject([{ redirectURI: `${url}/auth/spark/callback`, status: 200 }]);
  });
});

it('renews with the redirect URI of the sign-in where callbackURL is a path', async () => {
  const { url, spark } = await startApp({
    strategy: { callbackURL: '/auth/spark/callback' },
    emulator: { refreshNeedsRedirectURI: true },
  });
  const person = new Visitor(url);
  await person.signIn('/');
  spark.expireAllAccessTokens();

  expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  expect(spark.grants('refresh_token')).toMatchObject([{ redirectURI: `${url}/auth/spark/callback`, status: 200 }]);
});

it('shows what to do when Spark does not know the redirect URI', async () => {
  const { url, spark } = await startApp({
    emulator: {
      clients: [{ id: 'emulator-client', secret: 'emulator-secret', redirectURIs: ['http://127.0.0.1:1/elsewhere'] }],
    },
  });
  const away = await new Visitor(url).page('/');
  const back = await fetch(away.headers.location as string, { redirect: 'manual' });
  const location = new URL(back.headers.get('location') ?? '');
  expect(location.searchParams.get('error')).toBe('redirect_uri_mismatch');

  const page = await new Visitor(url).page(`/auth/spark/callback${location.search}`);
  expect(page.status).toBe(500);
  expect(page.text).toContain('is not the one that Spark has on record');
  expect(spark.grants()).toHaveLength(0);
});

it('takes role, portal and flow from one call of authenticate', async () => {
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get('/agents', passport.authenticate('spark', { flow: 'hybrid', role: 'idx' } as SparkAuthenticateOptions));
      app.get(
        '/buyers',
        passport.authenticate('spark', { role: 'vow', portal: 'myportal' } as SparkAuthenticateOptions),
      );
      app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/done' }));
      app.get('/broken', passport.authenticate('spark', { role: 'vow', flow: 'hybrid' } as SparkAuthenticateOptions));
    },
  });
  const agent = new Visitor(url);
  const buyer = new Visitor(url);
  expect((await agent.signIn('/agents')).headers.location).toBe('/done');
  expect((await buyer.signIn('/buyers', { username: 'consumer' })).headers.location).toBe('/done');
  expect((await agent.call('/spark/v1/my/account')).status).toBe(200);
  expect((await buyer.call('/spark/v1/my/contact')).status).toBe(200);
  expect((await buyer.page('/broken')).status).toBe(500);
});

// The profile was asked at another address with the access token, or the callback refused: nothing said why.
describe.each([
  [{ state: false }, '"state" can not be switched off: it keeps others from signing people in; leave it out.'],
  [{ state: 5 }, '"state" can not be switched off: it keeps others from signing people in; leave it out.'],
  [{ scope: 5 }, `"scope" is neither a text nor a list of texts; write ['listings', 'contacts'].`],
  [{ role: 'VOW' }, `"role" is 'VOW'; write one of 'private', 'idx', 'vow'.`],
  [{ flow: 'openid' }, `"flow" is 'openid'; write one of 'oauth2', 'hybrid'.`],
  [{ role: 'vow', portal: () => 5 }, `"portal" is of type number; write the portal's name, like 'myportal'.`],
  [{ callbackURL: 'http://' }, `"callbackURL" is 'http://'; write an absolute URL like 'https://app.example.com/…'.`],
  [
    { callbackURL: 'auth/callback' },
    `"callbackURL" is 'auth/callback'; write an absolute URL like 'https://app.example.com/…'.`,
  ],
])('one call with %p', (given, problem) => {
  const options = given as unknown as SparkAuthenticateOptions;

  it('errs on a route with what to write instead', async () => {
    const errors: unknown[] = [];
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark', options));
        app.use(((error, _req, res, _next) => {
          errors.push(error);
          res.status(error.status).json({});
        }) as ErrorRequestHandler);
      },
    });

    const reply = await new Visitor(url).page('/login');

    expect([reply.status, reply.headers.location]).toEqual([500, undefined]);
    expect(errors).toEqual([expect.any(ConfigError)]);
    expect((errors as ConfigError[])[0]?.problems).toEqual([problem]);
  });

  it('ends on a page at a wall, and the log says what to write instead', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({ routes: (app, passport) => app.use(passport.authenticate('spark', options)) });

    const reply = await new Visitor(url).page('/');

    expect([reply.status, reply.text]).toEqual([500, expect.stringContaining('The sign-in failed')]);
    expect(warn.mock.calls.join()).toContain(problem);
    warn.mockRestore();
  });
});

it('asks a function for the portal of each request', async () => {
  const { url } = await startApp({ strategy: { role: 'vow', portal: (req) => String(req.headers['x-tenant']) } });
  const away = await new Visitor(url).page('/').set('X-Tenant', 'Lakeside');
  expect(new URL(away.headers.location as string).pathname).toBe('/auth/vow/lakeside');
  // A hostile name must not choose another path or host.
  const hostile = await new Visitor(url).page('/').set('X-Tenant', '../../openid');
  expect(hostile.status).toBe(500);
  expect(hostile.headers.location).toBeUndefined();
});

// A consumer who signed in at a wall of portals would read what is there for agents alone.
describe('a wall that is told a role', () => {
  const PAGES: [path: string, options: SparkAuthenticateOptions][] = [
    ['/agents', { role: 'private' }],
    ['/search', { role: 'idx' }],
    ['/buyers', { role: 'vow', portal: 'myportal' }],
    ['/others', { role: 'vow', portal: 'other' }],
    ['/tenant', { role: 'vow', portal: (req) => String(req.headers['x-tenant'] ?? 'myportal') }],
    ['/any-portal', { role: 'vow', portal: false }],
    ['/anybody', {}],
  ];

  const start = async (more: Partial<TestAppOptions> = {}): Promise<TestApp> =>
    await startApp({
      emulator: { portals: ['myportal', 'other'] },
      ...more,
      routes: (app, passport) => {
        for (const [path, options] of PAGES)
          app.use(path, passport.authenticate('spark', { ...options, wall: true } as SparkAuthenticateOptions));
        app.use(passport.authenticate('spark'));
        app.use((req, res) => {
          res.json({ at: req.originalUrl });
        });
      },
    });

  const passed = async (person: Visitor): Promise<string[]> => {
    const statuses = await Promise.all(PAGES.map(async ([path]) => [path, (await person.page(path)).status] as const));
    return statuses.filter(([, status]) => status === 200).map(([path]) => path);
  };

  it.each([
    ['agent', '/agents', ['/agents', '/anybody']],
    ['agent', '/search', ['/search', '/anybody']],
    ['consumer', '/buyers', ['/buyers', '/tenant', '/any-portal', '/anybody']],
    ['consumer', '/others', ['/others', '/any-portal', '/anybody']],
    ['consumer', '/any-portal', ['/any-portal', '/anybody']],
    ['agent', '/anybody', ['/agents', '/anybody']],
  ])('lets in the %s who signed in at %s: %p', async (username, path, pages) => {
    const { url } = await start();
    const person = new Visitor(url);

    expect((await person.signIn(path, { username })).headers.location).toBe(path);

    expect(await passed(person)).toEqual(pages);
  });

  it('treats others as people who are not signed in: a redirect for pages, 401 for scripts', async () => {
    const { url, spark } = await start();
    const person = new Visitor(url);
    await person.signIn('/buyers', { username: 'consumer' });

    const page = await person.page('/agents');
    const script = await person.agent.get('/agents').set('Accept', 'application/json');
    const tenant = await person.page('/tenant').set('X-Tenant', 'other');

    expect([page.status, page.headers.location]).toEqual([302, expect.stringContaining(`${spark.url}/oauth2?`)]);
    expect([script.status, script.body.D.Error]).toEqual([401, 'sign_in_required']);
    expect(tenant.headers.location).toContain('/auth/vow/other?');
  });

  it('lets them in when they have signed in there, time and again', async () => {
    const { url } = await start();
    const person = new Visitor(url);
    for (let i = 0; i < 4; i += 1) {
      for (const [path, username] of [
        ['/agents', 'agent'],
        ['/buyers', 'consumer'],
      ] as const) {
        expect((await person.signIn(path, { username })).headers.location).toBe(path);
        expect((await person.page(path)).status).toBe(200);
      }
    }
  });

  it('goes by the role of its strategy, where that is written', async () => {
    const tokenStore = new MemoryTokenStore();
    const { url, passport, spark } = await startApp({
      strategy: { tokenStore },
      routes: (app, passportOfApp) => {
        app.use('/agents', passportOfApp.authenticate('agents'));
        app.use('/buyers', passportOfApp.authenticate('buyers'));
        app.use(passportOfApp.authenticate('spark'));
        app.use((_req, res) => {
          res.json({});
        });
      },
    });
    const common = { ...CLIENT, callbackURL: `${url}/auth/spark/callback`, platformURL: spark.url, apiURL: spark.url };
    for (const [name, role] of [
      ['agents', { role: 'private' }],
      ['buyers', { role: 'vow', portal: 'myportal' }],
    ] as const) {
      const strategy = new SparkStrategy({ ...common, ...role, tokenStore }, (_a, _r, profile, done) =>
        done(null, profile),
      );
      passport.use(name, strategy);
    }
    const [consumer, agent] = [new Visitor(url), new Visitor(url)];
    await consumer.signIn('/buyers', { username: 'consumer' });
    await agent.signIn('/');

    for (const [path, ofConsumer, ofAgent] of [
      ['/buyers', 200, 302],
      ['/agents', 302, 200],
      ['/', 200, 200], // its strategy is told no role
    ] as const) {
      expect([(await consumer.page(path)).status, (await agent.page(path)).status]).toEqual([ofConsumer, ofAgent]);
    }
  });

  it('knows a portal in whatever case it is written, as Spark does, and one without a name by its address', async () => {
    const { url } = await startApp({
      routes: (app, passport, { apiURL }) => {
        const portals = {
          '/lower': 'myportal',
          '/upper': 'MyPortal',
          '/one': { name: undefined, authorizationURL: `${apiURL}/auth/vow?of=one` },
          '/two': { name: undefined, authorizationURL: `${apiURL}/auth/vow?of=two` },
        };
        for (const [path, portal] of Object.entries(portals))
          app.use(path, passport.authenticate('spark', { role: 'vow', portal } as object), (_req, res) => res.json({}));
        app.get('/auth/spark/callback', passport.authenticate('spark', { wall: true } as object));
      },
    });
    const passed = async (path: string): Promise<string[]> => {
      const person = new Visitor(url);
      await person.signIn(path, { username: 'consumer' });
      const pages = ['/lower', '/upper', '/one', '/two'];
      const statuses = await Promise.all(pages.map(async (page) => (await person.page(page)).status));
      return pages.filter((_page, i) => statuses[i] === 200);
    };

    expect(await passed('/lower')).toEqual(['/lower', '/upper']);
    expect(await passed('/upper')).toEqual(['/lower', '/upper']);
    expect(await passed('/one')).toEqual(['/one']);
    expect(await passed('/two')).toEqual(['/two']);
  });

  it('lets in people of whose tokens no role is known', async () => {
    class Roleless extends MemoryTokenStore {
      override async read(key: string): ReturnType<MemoryTokenStore['read']> {
        const record = await super.read(key);
        return record && { ...record, role: undefined };
      }
    }
    const { url } = await start({ strategy: { tokenStore: new Roleless() } });
    const person = new Visitor(url);
    await person.signIn('/agents');
    expect(await passed(person)).toEqual(PAGES.map(([path]) => path));
  });

  it('may stand below one that is told none', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark'));
        app.use('/buyers', passport.authenticate('spark', { role: 'vow', portal: 'myportal' } as object));
        app.use((_req, res) => {
          res.json({});
        });
      },
    });
    const person = new Visitor(url);
    await person.signIn('/buyers');
    expect((await person.signIn('/buyers', { username: 'consumer' })).headers.location).toBe('/buyers');
    expect((await person.page('/buyers')).status).toBe(200);
  });

  it('does not send people round for ever below one that is told another', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark', { role: 'private' } as object));
        app.use('/buyers', passport.authenticate('spark', { role: 'vow', portal: 'myportal' } as object));
      },
    });
    const person = new Visitor(url);
    for (const username of ['agent', 'consumer', 'agent']) await person.signIn('/buyers', { username });

    const page = await person.page('/buyers');

    expect([page.status, page.text]).toEqual([503, expect.stringContaining('it did not last')]);
    expect(warn.mock.calls.join()).toContain('another wall before it');
    warn.mockRestore();
  });
});
