import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import express, { type Express, type RequestHandler } from 'express';
import session from 'express-session';
import request from 'supertest';
import * as main from '../../src/index.js';
import * as oauth2 from '../../src/oauth2/index.js';
import { OAuth2Client } from '../../src/oauth2/index.js';
import { serve } from '../support/server.js';
import { grantsAt, signInAt, startServer } from './start.js';
import { startStub } from './stub.js';

const PAGE = readFileSync(join(__dirname, '..', '..', 'docs', 'oauth2.md'), 'utf8');
const PACKAGES: Readonly<Record<string, unknown>> = { 'passport-spark': main, 'passport-spark/oauth2': oauth2 };

/** What an example of the page exports, run as it stands there. */
function example<T>(name: string): T {
  const [, code] = new RegExp(`<!-- ${name} -->\\n\`\`\`js\\n(.*?)\\n\`\`\`\\n<!-- /${name} -->`, 's').exec(PAGE) ?? [];
  if (code === undefined) throw new Error(`docs/oauth2.md has no example "${name}"`);
  const common = transformSync(code, { module: { type: 'commonjs' }, jsc: { target: 'es2022' } }).code;
  const exports: Record<string, unknown> = {};
  new Function('require', 'exports', common)((id: string) => PACKAGES[id] ?? require(id), exports);
  return exports as T;
}

/** Serves an application that has to know its own address. */
async function serveAt(make: (origin: string) => Express): Promise<string> {
  let app: Express | undefined;
  const { url } = await serve((req, res) => app?.(req, res));
  app = make(url);
  return url;
}

describe('the application of the authorization code', () => {
  let server: string;
  beforeAll(async () => {
    server = await startServer('oidc-provider.mjs');
  }, 30_000);

  async function startApp() {
    // The API: who calls, by the word of the server.
    const api = await serve(async (req, res) => {
      const { authorization = '' } = req.headers;
      const answer = await fetch(`${server}/api/me`, { headers: { authorization } });
      res.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
    const tokenStore = new main.MemoryTokenStore();
    const { createApp } = example<{ createApp(options: object): Express }>('code');
    const origin = await serveAt((origin) =>
      createApp({
        server,
        apiURL: api.url,
        origin,
        clientID: 'web-app',
        clientSecret: 'web-app-secret',
        sessionSecret: 'a secret of the test',
        tokenStore,
      }),
    );
    return { origin, tokenStore, browser: request.agent(origin) };
  }

  /** Goes to the server and comes back; answers the path of the callback. */
  async function goThere(browser: ReturnType<typeof request.agent>, origin: string): Promise<string> {
    const { location = '' } = (await browser.get('/login')).headers;
    return (await signInAt(location, `${origin}/auth/callback`)).slice(origin.length);
  }

  it('signs a person in under a new session, calls the API for them, and signs them out everywhere', async () => {
    const { origin, tokenStore, browser } = await startApp();
    const callback = await goThere(browser, origin);

    const back = await browser.get(callback);

    expect(back).toMatchObject({ status: 302, headers: { location: '/' } });
    expect(back.headers['set-cookie']).toHaveLength(1); // express-session sends one for a new session alone
    expect((await browser.get('/')).text).toContain('Sign out');
    const called = await browser.get('/api/v1/me');
    expect(called).toMatchObject({ status: 200, body: { account: 'ada', client: 'web-app' } });

    const { accessToken = '' } = (await tokenStore.read('adopted:person:ada')) ?? {};
    expect(await browser.post('/sign-out')).toMatchObject({ status: 303 });
    expect((await browser.get('/')).text).toContain('Sign in');
    expect((await browser.get('/api/v1/me')).status).toBe(403);
    const headers = { authorization: `Bearer ${accessToken}` };
    expect((await fetch(`${server}/api/me`, { headers })).status).toBe(401);
  });

  it('takes a callback once, and asks for no token the second time', async () => {
    const { origin, browser } = await startApp();
    const callback = await goThere(browser, origin);
    await browser.get(callback);
    const asked = (await grantsAt(server)).length;

    const again = await browser.get(callback);

    expect(again.status).toBe(403);
    expect(again.text).toContain('Try again');
    expect(await grantsAt(server)).toHaveLength(asked);
  });

  it('takes it once also where the exchange fails', async () => {
    const { browser } = await startApp();
    const { searchParams } = new URL((await browser.get('/login')).headers.location ?? '');
    const query = new URLSearchParams({ code: 'unknown', state: searchParams.get('state') ?? '', iss: server });
    const log = jest.spyOn(console, 'error').mockImplementation();

    const first = await browser.get(`/auth/callback?${query}`);
    const asked = (await grantsAt(server)).length;
    const again = await browser.get(`/auth/callback?${query}`);

    expect([first.status, again.status]).toEqual([500, 403]);
    expect(log.mock.calls).toMatchObject([[{ code: 'invalid_grant' }]]);
    expect(await grantsAt(server)).toHaveLength(asked);
    log.mockRestore();
  });

  it('takes no callback of another browser', async () => {
    const { origin, browser } = await startApp();
    const callback = await goThere(browser, origin);

    const other = await request.agent(origin).get(callback);

    expect(other.status).toBe(403);
  });

  it('says so when the person said no', async () => {
    const { browser } = await startApp();
    const { searchParams } = new URL((await browser.get('/login')).headers.location ?? '');
    const denial = new URLSearchParams({
      error: 'access_denied',
      state: searchParams.get('state') ?? '',
      iss: server,
    });

    const answer = await browser.get(`/auth/callback?${denial}`);

    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('You said no.') });
  });

  it('lets nobody call who is not signed in', async () => {
    const { browser } = await startApp();

    expect((await browser.get('/api/v1/me')).status).toBe(403);
  });
});

describe('the application of client credentials', () => {
  it('calls from the server and through the proxy with one token, and gets another when the API refuses it', async () => {
    const stub = await startStub();
    const refused = new Set(['Bearer token-1']);
    const api = await serve((req, res) => {
      const { authorization = '' } = req.headers;
      if (refused.has(authorization)) res.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
      else res.end(`{"authorization":"${authorization}"}`);
    });
    const { createReports } = example<{
      createReports(options: object): Promise<{ app: Express; report(path: string): Promise<Response> }>;
    }>('machine');
    const { app, report } = await createReports({
      server: stub.url,
      apiURL: api.url,
      clientID: 'app',
      clientSecret: 'app-secret',
      isOurJob: (req: express.Request) => req.headers['x-key'] === 'ours',
    });
    const { url } = await serve(app);

    const fromServer = await report('/v1/reports');
    const proxied = await fetch(`${url}/api/v1/reports`, { headers: { 'x-key': 'ours' } });
    const stranger = await fetch(`${url}/api/v1/reports`);

    expect(await fromServer.json()).toEqual({ authorization: 'Bearer token-2' });
    expect(await proxied.json()).toEqual({ authorization: 'Bearer token-2' });
    expect(stranger.status).toBe(403);
    expect(stub.asked.map(({ form }) => [form.scope, form.audience])).toEqual(Array(2).fill(['read', api.url]));
  });
});

/** An application with sessions, to which an example adds its routes. */
function appWith(add: (app: Express) => void): Express {
  const app = express();
  app.use(session({ secret: 'a secret of the test', resave: false, saveUninitialized: false }));
  add(app);
  const whoIsThere: RequestHandler = (req, res) => {
    const { person, tokens } = req.session as { person?: string; tokens?: string };
    res.json({ person, tokens });
  };
  app.get('/', whoIsThere);
  const status: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code });
  };
  return app.use(status);
}

describe('the login with name and password', () => {
  let server: string;
  beforeAll(async () => {
    server = await startServer('oauth2-server.cjs');
  }, 30_000);

  it.each([
    ['the right ones', 'username=ada&password=lovelace', 303, 'ada'],
    ['a wrong password', 'username=ada&password=wrong-one', 401, undefined],
    ['no password', 'username=ada', 400, undefined],
    ['two names', 'username=ada&username=eve&password=lovelace', 400, undefined],
  ])('with %s', async (_what, form, status, person) => {
    const client = new OAuth2Client({ tokenURL: `${server}/token`, clientID: 'app', clientSecret: 'app-secret' });
    const { addPasswordLogin } = example<{ addPasswordLogin(app: Express, client: OAuth2Client): void }>('password');
    const browser = request.agent(appWith((app) => addPasswordLogin(app, client)));

    const answer = await browser.post('/login').send(form);

    expect(answer.status).toBe(status);
    expect((await browser.get('/')).body.person).toBe(person);
    if (person) expect(await client.accessToken('person:ada')).toMatch(/^[0-9a-f]{40}$/);
  });
});

describe('the four routes of the implicit grant', () => {
  async function startApp() {
    const client = new OAuth2Client({
      tokenURL: 'https://server.example.com/token',
      authorizationURL: 'https://server.example.com/authorize',
      clientID: 'app',
      redirectURI: 'https://app.example.com/auth/implicit',
    });
    const { addImplicitLogin } = example<{ addImplicitLogin(app: Express, client: OAuth2Client): void }>('implicit');
    const browser = request.agent(appWith((app) => addImplicitLogin(app, client)));
    const begin = async (): Promise<string> => {
      const { location = '' } = (await browser.get('/login')).headers;
      return new URL(location).searchParams.get('state') ?? '';
    };
    const post = async (fragment: string) => await browser.post('/auth/fragment').type('form').send({ fragment });
    return { client, browser, begin, post };
  }

  it('keep the token that the page posts', async () => {
    const { client, browser, begin, post } = await startApp();
    const state = await begin();
    const page = await browser.get('/auth/implicit');
    const script = await browser.get('/auth/fragment.js');

    const answer = await post(`access_token=the-token&token_type=bearer&state=${state}`);

    expect(page.text).toContain('action="/auth/fragment"');
    expect(page.text).toContain('src="/auth/fragment.js"');
    expect(script.headers['content-type']).toContain('text/javascript');
    expect(answer.status).toBe(303);
    expect(await client.accessToken((await browser.get('/')).body.tokens)).toBe('the-token');
    expect((await post(`access_token=the-token&token_type=bearer&state=${state}`)).status).toBe(403); // once
  });

  it('refuse what anybody may post', async () => {
    const { browser, begin } = await startApp();
    await begin();

    expect(await browser.post('/auth/fragment')).toMatchObject({ status: 400, body: { code: 'invalid_response' } });
    const twice = await browser.post('/auth/fragment').send('fragment=a&fragment=b');
    expect(twice).toMatchObject({ status: 400, body: { code: 'invalid_response' } });
  });
});

it('the table of errors has a row for every error of a callback', () => {
  for (const code of ['state_mismatch', 'issuer_mismatch', 'invalid_response', 'access_denied', 'revocation_failed'])
    expect(PAGE).toContain(`\n| \`${code}\``);
});
