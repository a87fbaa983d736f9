import express from 'express';
import { AuthorizationError, MemoryTokenStore, sparkProxy, TokenError } from '../../src/index.js';
import { OAuth2Client, type OAuth2ClientOptions } from '../../src/oauth2/index.js';
import { call } from '../proxy/support.js';
import { serve } from '../support/server.js';
import { errorOf, grantsAt, startServer } from './start.js';

const REDIRECT_URI = 'https://app.example.com/cb';
let server: string;

beforeAll(async () => {
  server = await startServer('oauth2-server.cjs');
}, 30_000);

function clientOf(options: Partial<OAuth2ClientOptions> = {}): OAuth2Client {
  return new OAuth2Client({
    tokenURL: `${server}/token`,
    authorizationURL: `${server}/authorize`,
    clientID: 'app',
    clientSecret: 'app-secret',
    redirectURI: REDIRECT_URI,
    ...options,
  });
}

async function api(accessToken: string): Promise<{ status: number; user?: string }> {
  const response = await fetch(`${server}/api/me`, { headers: { authorization: `Bearer ${accessToken}` } });
  return { status: response.status, ...((await response.json()) as object) };
}

/** Sends the browser to the server and answers the address that it comes back with. */
async function visit(url: string): Promise<string> {
  const { headers } = await fetch(url, { redirect: 'manual' });
  return headers.get('location') ?? '';
}

describe('at a server made with @node-oauth/oauth2-server', () => {
  it.each([
    ['in the body', {}],
    ['by HTTP Basic', { clientAuthentication: 'basic' }],
    ['in a JSON body', { format: 'json' }],
  ] as const)('client credentials work with the client %s', async (_where, options) => {
    const before = (await grantsAt(server)).length;

    const { tokens } = await clientOf(options).clientCredentials({ scope: ['read', 'write'] });

    expect(tokens).toMatchObject({ refreshToken: undefined, lifetimeMs: expect.any(Number) });
    expect(await api(tokens.accessToken)).toMatchObject({ status: 200, user: 'the application' });
    const basic = 'clientAuthentication' in options;
    expect((await grantsAt(server)).slice(before)).toEqual([
      { type: 'client_credentials', json: 'format' in options, basic, scope: 'read write' },
    ]);
  });

  it('scopes of a list can be separated by commas', async () => {
    const before = (await grantsAt(server)).length;

    await clientOf({ scopeSeparator: ',', scope: ['read', 'write'] }).clientCredentials();

    expect((await grantsAt(server)).slice(before)).toMatchObject([{ scope: 'read,write' }]);
  });

  it("a person's password gives tokens, and its refresh token the next ones", async () => {
    const client = clientOf();
    const { tokens } = await client.password({ username: 'ada', password: 'lovelace' });
    expect(await api(tokens.accessToken)).toMatchObject({ status: 200, user: 'ada' });

    const next = await client.refresh(tokens.refreshToken ?? '');

    expect(await api(next.tokens.accessToken)).toMatchObject({ status: 200, user: 'ada' });
    expect(next.tokens.accessToken).not.toBe(tokens.accessToken);
    const spent = await errorOf(client.refresh(tokens.refreshToken ?? ''));
    expect(spent).toMatchObject({ code: 'invalid_grant', outcome: 'refused' });
  });

  it('a code is asked for, read and exchanged, with state and PKCE', async () => {
    const client = clientOf();
    const request = client.authorizationRequest({ scope: 'read' });
    const { searchParams } = new URL(request.url);
    expect(searchParams.get('code_challenge_method')).toBe('S256');
    expect(searchParams.get('code_challenge')).not.toBe(request.codeVerifier);

    const { code } = client.readCallback(await visit(request.url), { state: request.state });
    const { tokens } = await client.exchangeCode({ code, codeVerifier: request.codeVerifier });

    expect(await api(tokens.accessToken)).toMatchObject({ status: 200, user: 'ada' });
  });

  it('a code that another browser began is worth nothing', async () => {
    const client = clientOf();
    const stranger = client.authorizationRequest();
    const { code } = client.readCallback(await visit(stranger.url), { state: stranger.state });
    const own = client.authorizationRequest();

    expect(await errorOf(client.exchangeCode({ code, codeVerifier: own.codeVerifier }))).toMatchObject({
      code: 'invalid_grant',
    });
  });

  it.each([
    [
      'a wrong password',
      (client: OAuth2Client) => client.password({ username: 'ada', password: 'wrong!' }),
      'invalid_grant',
    ],
    [
      'an unknown code',
      (client: OAuth2Client) => client.exchangeCode({ code: 'x', codeVerifier: 'v'.repeat(43) }),
      'invalid_grant',
    ],
    [
      'a scope that is not given',
      (client: OAuth2Client) => client.clientCredentials({ scope: 'forbidden' }),
      'invalid_scope',
    ],
  ])('%s is refused with a typed error', async (_what, ask, code) => {
    const error = await errorOf(ask(clientOf()));

    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ code, outcome: 'refused' });
    expect(JSON.stringify(error)).not.toContain('app-secret');
  });

  it('a wrong secret is refused with a typed error', async () => {
    for (const clientAuthentication of ['body', 'basic'] as const) {
      const client = clientOf({ clientSecret: 'wrong', clientAuthentication });
      expect(await errorOf(client.clientCredentials())).toMatchObject({ code: 'invalid_client' });
    }
  });

  it('a refusal of the authorization endpoint is read as a typed error', async () => {
    const client = clientOf();
    const request = client.authorizationRequest({ scope: 'forbidden' });
    const back = await visit(request.url);

    const error = await errorOf(Promise.resolve().then(() => client.readCallback(back, { state: request.state })));

    expect(error).toBeInstanceOf(AuthorizationError);
    expect(error).toMatchObject({ code: 'invalid_scope' });
  });
});

describe('its tokens in the token service', () => {
  async function startProxied(client: OAuth2Client, tokenKey: string): Promise<string> {
    const app = express();
    app.use(
      '/api',
      sparkProxy({
        tokens: client.tokens,
        target: server,
        tokenKey: () => tokenKey,
        authorize: () => true,
        allow: [{ methods: ['GET'], path: '/api/*' }],
      }),
    );
    return (await serve(app)).url;
  }

  it('are got by the first call of a machine, and used by all others', async () => {
    const client = clientOf();
    await client.useMachineTokens('reports', { scope: ['read'] });
    const url = await startProxied(client, 'reports');
    const before = (await grantsAt(server)).length;

    const replies = await Promise.all(Array.from({ length: 20 }, () => call(`${url}/api/api/me`)));

    expect(replies.map(({ json }) => json)).toEqual(
      Array(20).fill({ user: 'the application', scope: ['read'], scheme: 'Bearer' }),
    );
    expect((await grantsAt(server)).slice(before)).toMatchObject([{ type: 'client_credentials', scope: 'read' }]);
  });

  it('are got anew when the API says that they have expired', async () => {
    const client = clientOf();
    await client.useMachineTokens('reports');
    const url = await startProxied(client, 'reports');
    await call(`${url}/api/api/me`);
    await fetch(`${server}/expire`, { method: 'POST' });
    const before = (await grantsAt(server)).length;

    const replies = await Promise.all(Array.from({ length: 10 }, () => call(`${url}/api/api/me`)));

    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect((await grantsAt(server)).slice(before)).toHaveLength(1);
    expect(await client.accessToken('reports')).toMatch(/^[0-9a-f]{40}$/);
  });

  it('are renewed by their refresh token where they have one', async () => {
    const client = clientOf();
    const { tokens } = await client.password({ username: 'ada', password: 'lovelace' });
    await client.tokens.adopt('ada', tokens);
    const url = await startProxied(client, 'ada');
    await fetch(`${server}/expire`, { method: 'POST' });
    const before = (await grantsAt(server)).length;

    const replies = await Promise.all(Array.from({ length: 10 }, () => call(`${url}/api/api/me`)));

    expect(replies.map(({ json }) => json.user)).toEqual(Array(10).fill('ada'));
    expect((await grantsAt(server)).slice(before)).toMatchObject([{ type: 'refresh_token' }]);
  });

  // A token of a person must never turn into one of the application because its time is over.
  it('are not replaced by those of the application where they can not be renewed', async () => {
    const client = clientOf();
    const { tokens } = await client.password({ username: 'ada', password: 'lovelace' });
    await client.tokens.adopt('ada', { ...tokens, refreshToken: undefined });
    const url = await startProxied(client, 'ada');
    await fetch(`${server}/expire`, { method: 'POST' });
    const before = (await grantsAt(server)).length;

    const reply = await call(`${url}/api/api/me`);

    expect(reply).toMatchObject({ status: 401, json: { error: 'sign_in_required' } });
    expect((await grantsAt(server)).slice(before)).toEqual([]);
  });

  it('are asked for again after a time, where the server refuses them for now', async () => {
    let now = 0;
    const tokenStore = new MemoryTokenStore({ now: () => now });
    const refused = clientOf({ tokenStore, clientSecret: 'wrong' });
    await refused.useMachineTokens('reports');
    const url = await startProxied(refused, 'reports');
    expect(await call(`${url}/api/api/me`)).toMatchObject({ status: 503, json: { error: 'renewal_failed' } });

    const allowed = clientOf({ tokenStore });
    expect(await errorOf(allowed.accessToken('reports'))).toMatchObject({ code: 'renewal_backoff' });
    now += 60_000;

    expect(await allowed.accessToken('reports')).toMatch(/^[0-9a-f]{40}$/);
  });
});
