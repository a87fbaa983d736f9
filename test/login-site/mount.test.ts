import { get, type RequestListener } from 'node:http';
import express from 'express';
import session, { MemoryStore } from 'express-session';
import helmet from 'helmet';
import { type Authenticator, Passport } from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import type { SparkStrategy } from '../../src/index.js';
import { serve, strategyAt, type TestServer } from './servers.js';
import { type Visit, Visitor } from './visitor.js';

// An alias of a second Express in the development dependencies; it has no types under that name.
const express4 = jest.requireActual<() => express.Express>('express4');

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;

beforeAll(async () => {
  spark = await createSparkEmulator().listen(0);
});
afterAll(() => spark.close());
beforeEach(() => {
  visitor = new Visitor();
});
afterEach(() => server.close());

function strategyFor(callbackURL: string): SparkStrategy {
  return strategyAt(spark, callbackURL);
}

/** An application with people of its own: its session, its Passport, its local sign-in. */
function hostApplication(passport: Authenticator, store = new MemoryStore()): express.Express {
  passport.use(new LocalStrategy((username, password, done) => done(null, password === 'local' && { username })));
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user as Express.User));
  const app = express();
  app.use(session({ secret: 'host-session-secret', store, resave: false, saveUninitialized: false, name: 'host.sid' }));
  app.use(passport.session());
  app.post('/local', express.urlencoded(), passport.authenticate('local', { successRedirect: '/who' }));
  app.get('/who', (req, res) => {
    const { username, displayName } = (req.user ?? {}) as { username?: string; displayName?: string };
    res.send(username ?? displayName ?? 'nobody');
  });
  return app;
}

function newPassport(): Authenticator {
  return new Passport() as unknown as Authenticator;
}

async function signInLocally(): Promise<Visit> {
  return await visitor.visit(`${server.origin}/local`, {
    method: 'POST',
    form: { username: 'lee', password: 'local' },
  });
}

async function who(): Promise<string> {
  return (await visitor.visit(`${server.origin}/who`)).text;
}

/** Everything that a page of the site points to on this origin. */
function links(page: Visit): string[] {
  return [...page.text.matchAll(/(?:href|src|action|data-base)="([^"]*)"/g)]
    .map(([, link = '']) => link)
    .filter((link) => link.startsWith('/'));
}

describe('below a path of a host application with helmet', () => {
  beforeEach(async () => {
    server = await serve((origin) => {
      const app = express();
      app.use(helmet());
      app.use('/members/area', createLoginSite({ baseURL: `${origin}/members/area`, emulator: spark }));
      app.use((_req, res) => res.status(404).send('host'));
      return app;
    });
  });

  it('keeps every link, redirect and cookie of its own below the mount', async () => {
    const home = await visitor.visit(`${server.origin}/members/area`);
    const account = await visitor.signIn(`${server.origin}/members/area/login?role=private`, 'agent');

    expect(account.url).toBe(`${server.origin}/members/area/account`);
    for (const link of [...links(home), ...links(account)]) expect(link).toMatch(/^\/members\/area(\/|$)/);
    for (const link of links(home).filter((each) => each.includes('/assets/'))) {
      expect((await visitor.visit(server.origin + link)).status).toBe(200);
    }
    expect(visitor.cookieNames(`${server.origin}/members/area/account`)).toContain('spark-login.sid');
    expect(visitor.cookieNames(`${server.origin}/members`)).not.toContain('spark-login.sid');
    expect((await visitor.visit(`${server.origin}/members/area/spark/v1/my/account`)).status).toBe(200);

    const after = await visitor.visit(`${server.origin}/members/area/logout`, { method: 'POST' });
    expect(after.url).toBe(`${server.origin}/members/area/?notice=signed-out`);
  });

  it("keeps helmet's Content-Security-Policy, and says nothing that it forbids", async () => {
    const { headers, text } = await visitor.visit(`${server.origin}/members/area/`);

    expect(headers.get('content-security-policy')).toContain("script-src-attr 'none'");
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).not.toMatch(/<style|<script(?![^>]* src=)|\son\w+=|\sstyle=/);
  });

  it('answers for everything below the mount, and for nothing beside it', async () => {
    expect((await visitor.visit(`${server.origin}/members/area/nowhere`)).text).toContain('There is no such page');
    expect((await visitor.visit(`${server.origin}/members/areal`)).text).toBe('host');
  });

  it('leads another spelling of the mount to the one that cookies go by', async () => {
    const page = await visitor.visit(`${server.origin}/Members/AREA/login?role=vow&flow=hybrid`);

    expect(page.url).toBe(`${server.origin}/members/area/login?role=vow&flow=hybrid`);
  });
});

it('sets a strict Content-Security-Policy where the host has none', async () => {
  server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark }));

  const { headers } = await visitor.visit(`${server.origin}/`);

  expect(headers.get('content-security-policy')).toBe(
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self' ${spark.url}; base-uri 'none'; frame-ancestors 'none'`,
  );
  expect(headers.get('x-powered-by')).toBeNull();
});

it.each([
  [
    'a router that gives only the origin as base URL',
    (site: RequestListener) => express().use('/a', express.Router().use('/b', site)),
  ],
  ['an application inside an application', (site: RequestListener) => express().use('/a', express().use('/b', site))],
  ['an Express 4 application', (site: RequestListener) => express4().use('/a/b', site)],
])('finds its mount in %s', async (_where, mount) => {
  server = await serve((origin) => {
    const strategy = strategyFor(`${origin}/a/b/back`);
    return mount(createLoginSite({ baseURL: origin, strategy, emulator: spark }));
  });

  const page = await visitor.signIn(`${server.origin}/a/b/login`, 'agent');

  expect(page).toMatchObject({ url: `${server.origin}/a/b/account`, status: 200 });
});

// The visitor writes what stands for a pattern: `/\\elsewhere.example` in front of a redirect leads to that site.
it('answers at no mount that a browser would read as another host', async () => {
  const target: unknown[] = [];
  server = await serve((origin) => express().use('/:tenant', createLoginSite({ baseURL: origin, emulator: spark })));
  await new Promise<void>((resolve) => {
    const { hostname, port } = new URL(server.origin);
    get({ hostname, port, path: '/\\elsewhere.example/account' }, (res) => {
      target.push(res.statusCode, res.headers.location);
      res.resume().on('end', resolve);
    });
  });

  expect(target).toEqual([400, undefined]);
});

describe("with the host's Passport and session", () => {
  let passport: Authenticator;

  beforeEach(async () => {
    passport = newPassport();
    server = await serve((origin) => {
      const app = hostApplication(passport);
      const strategy = strategyFor(`${origin}/spark-login/callback`);
      app.use('/spark-login', createLoginSite({ strategy, passport, baseURL: `${origin}/spark-login` }));
      return app;
    });
  });

  it('both ways to sign in work, in one session', async () => {
    await signInLocally();
    expect(await who()).toBe('lee');
    expect((await visitor.visit(`${server.origin}/spark-login/`)).text).toContain('knows you as <strong>lee</strong>');
    expect((await visitor.visit(`${server.origin}/spark-login/spark/v1/my/account`)).status).toBe(401);

    const account = await visitor.signIn(`${server.origin}/spark-login/login?role=idx`, 'agent');
    expect(account.text).toContain('<h1>Agent Example</h1>');
    expect(await who()).toBe('Agent Example');
    expect(visitor.cookieNames(`${server.origin}/spark-login/`)).not.toContain('spark-login.sid');

    await signInLocally();
    expect(await who()).toBe('lee');
    expect((await visitor.visit(`${server.origin}/spark-login/spark/v1/my/account`)).status).toBe(401);
  });

  it('signs out of both', async () => {
    await visitor.signIn(`${server.origin}/spark-login/login`, 'agent');

    await visitor.visit(`${server.origin}/spark-login/logout`, { method: 'POST' });

    expect(await who()).toBe('nobody');
  });

  it('registers nothing with it', () => {
    // Passport has no public list of what is registered.
    const { _strategies, _serializers } = passport as unknown as { _strategies: object; _serializers: unknown[] };

    expect(Object.keys(_strategies).sort()).toEqual(['local', 'session']);
    expect(_serializers).toHaveLength(1);
  });
});

it("takes the strategy that the host's Passport uses already", async () => {
  const passport = newPassport();
  server = await serve((origin) => {
    passport.use(strategyFor(`${origin}/auth/spark/callback`));
    const app = hostApplication(passport);
    app.use('/auth', createLoginSite({ passport, baseURL: origin }));
    return app;
  });

  const page = await visitor.signIn(`${server.origin}/auth/login`, 'agent');

  expect(page).toMatchObject({ url: `${server.origin}/auth/account`, status: 200 });
});

it('says what is missing where the host has no session', async () => {
  const log = jest.spyOn(console, 'error').mockImplementation();
  server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark, session: false }));

  const page = await visitor.visit(`${server.origin}/`);

  expect(page.status).toBe(503);
  expect(page.text).not.toContain('session()'); // that is for the log
  expect(log).toHaveBeenCalledWith(expect.stringContaining('the host mounts no session() before createLoginSite'));
  log.mockRestore();
});

describe('with a session of its own inside a host that has one too', () => {
  let store: MemoryStore;
  const finished: unknown[] = [];

  beforeEach(async () => {
    store = new MemoryStore();
    server = await serve((origin) => {
      const app = hostApplication(newPassport(), store);
      app.use((req, res, next) => {
        res.on('finish', () => finished.push((req.user as { username?: string } | undefined)?.username));
        next();
      });
      app.use('/spark-login', createLoginSite({ baseURL: `${origin}/spark-login`, emulator: spark }));
      return app;
    });
  });

  it('keeps the two people apart, whoever comes first and whoever leaves', async () => {
    await signInLocally();
    const account = await visitor.signIn(`${server.origin}/spark-login/login`, 'agent');
    expect(account.text).toContain('<h1>Agent Example</h1>');
    expect(await who()).toBe('lee');

    // The local sign-in gives the host's session a new id; the site's own session does not notice.
    await signInLocally();
    expect((await visitor.visit(`${server.origin}/spark-login/account`)).text).toContain('<h1>Agent Example</h1>');
    expect((await visitor.visit(`${server.origin}/spark-login/spark/v1/listings?_limit=25`)).status).toBe(200);

    await visitor.visit(`${server.origin}/spark-login/logout`, { method: 'POST' });
    expect(await who()).toBe('lee');
    expect((await visitor.visit(`${server.origin}/spark-login/status`)).status).toBe(401);
  });

  it("never puts its person, or its session's id, into the host's session or cookie", async () => {
    await signInLocally();
    visitor.cookiesSet.length = 0;
    await visitor.signIn(`${server.origin}/spark-login/login`, 'agent');
    await visitor.visit(`${server.origin}/spark-login/account`);

    expect(visitor.cookiesSet.filter((cookie) => cookie.startsWith('host.sid='))).toEqual([]);
    const sessions = Object.values((store as unknown as { sessions: Record<string, string> }).sessions);
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toContain('lee');
    expect(sessions[0]).not.toContain('Agent');
  });

  it("leaves the host's person to what the host does at the end, its log for one", async () => {
    await signInLocally();
    await visitor.signIn(`${server.origin}/spark-login/login`, 'agent');
    finished.length = 0;

    await visitor.visit(`${server.origin}/spark-login/account`);
    await visitor.visit(`${server.origin}/spark-login/spark/v1/my/account`);

    while (finished.length < 2) await new Promise(setImmediate); // the answer may arrive before the server calls it finished
    expect(finished).toEqual(['lee', 'lee']);
  });
});
