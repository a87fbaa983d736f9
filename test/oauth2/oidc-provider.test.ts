import { OAuth2Client } from '../../src/oauth2/index.js';
import { errorOf, grantsAt, signInAt, startServer } from './start.js';

const REDIRECT_URI = 'http://127.0.0.1/cb';
let server: string;

beforeAll(async () => {
  server = await startServer('oidc-provider.mjs');
}, 30_000);

function confidential(): OAuth2Client {
  return new OAuth2Client({
    tokenURL: `${server}/token`,
    authorizationURL: `${server}/auth`,
    clientID: 'app:one',
    clientSecret: 'p%ss w+rd & more:',
    clientAuthentication: 'basic',
    redirectURI: REDIRECT_URI,
    revocationURL: `${server}/token/revocation`,
    issuer: server,
  });
}

function publicClient(clientID: string, redirectURI = REDIRECT_URI): OAuth2Client {
  return new OAuth2Client({
    tokenURL: `${server}/token`,
    authorizationURL: `${server}/auth`,
    revocationURL: `${server}/token/revocation`,
    clientID,
    redirectURI,
  });
}

async function signIn(url: string, redirectURI = REDIRECT_URI): Promise<string> {
  return await signInAt(url, redirectURI);
}

async function accountOf(accessToken: string): Promise<unknown> {
  const response = await fetch(`${server}/api/me`, { headers: { authorization: `Bearer ${accessToken}` } });
  return response.ok ? ((await response.json()) as { account?: string; client: string }) : response.status;
}

async function codeGrant(client: OAuth2Client) {
  const request = client.authorizationRequest({ scope: ['openid', 'offline_access'], params: { prompt: 'consent' } });
  const { code } = client.readCallback(await signIn(request.url), { state: request.state });
  return await client.exchangeCode({ code, codeVerifier: request.codeVerifier });
}

describe('at a server made with oidc-provider', () => {
  it('client credentials work with an id and a secret that have to be encoded in HTTP Basic', async () => {
    const { tokens } = await confidential().clientCredentials();

    expect(tokens).toMatchObject({ lifetimeMs: 600_000, refreshToken: undefined });
    expect(await accountOf(tokens.accessToken)).toMatchObject({ client: 'app:one' });
  });

  it.each([
    ['a client with a secret', () => confidential(), 'app:one'],
    ['a public client', () => publicClient('public'), 'public'],
  ])('a code is asked for with PKCE, read and exchanged by %s', async (_kind, clientOf, client) => {
    const { tokens } = await codeGrant(clientOf());

    expect(await accountOf(tokens.accessToken)).toMatchObject({ account: 'ada', client });
    expect(tokens.refreshToken).toEqual(expect.any(String));
  });

  it('a code needs the verifier of the sign-in that it came from', async () => {
    const client = confidential();
    const request = client.authorizationRequest({ scope: 'openid' });
    const { code } = client.readCallback(await signIn(request.url), { state: request.state });
    const { codeVerifier } = client.authorizationRequest();

    expect(await errorOf(client.exchangeCode({ code, codeVerifier }))).toMatchObject({ code: 'invalid_grant' });
  });

  it('the token service follows refresh tokens that rotate, and spends each of them once', async () => {
    const client = confidential();
    const { tokens } = await codeGrant(client);
    await client.tokens.adopt('ada', { ...tokens, lifetimeMs: 0 });
    const before = (await grantsAt(server)).length;

    const first = await Promise.all(Array.from({ length: 10 }, () => client.accessToken('ada')));

    expect(new Set(first).size).toBe(1);
    expect(first[0]).not.toBe(tokens.accessToken);
    expect(await accountOf(first[0] ?? '')).toMatchObject({ account: 'ada' });
    expect((await grantsAt(server)).slice(before)).toEqual([{ type: 'refresh_token', status: 200 }]);
    // The server ends the whole sign-in when a spent one comes back, so this proves that the first was spent once.
    expect(await errorOf(client.refresh(tokens.refreshToken ?? ''))).toMatchObject({ code: 'invalid_grant' });
  });

  it('an implicit grant brings the token in the fragment', async () => {
    const redirectURI = 'https://app.example.com/cb';
    const client = publicClient('page', redirectURI);
    const request = client.implicitRequest({
      scope: 'openid',
      responseType: 'id_token token',
      params: { nonce: 'a-nonce-of-the-test' },
    });

    const { hash, search } = new URL(await signIn(request.url, redirectURI));
    const { tokens } = client.readFragment(hash, { state: request.state });

    expect(search).toBe('');
    expect(tokens).toMatchObject({ lifetimeMs: 3_600_000 });
    expect(await accountOf(tokens.accessToken)).toMatchObject({ account: 'ada', client: 'page' });
  });

  // It says `iss` in every answer but those with an ID token, whose own it leaves to say it (RFC 9207 §2.4).
  it('an answer that does not name the issuer is refused where one is set', async () => {
    const redirectURI = 'https://app.example.com/cb';
    const client = publicClient('page', redirectURI);
    const params = { nonce: 'a-nonce-of-the-test' };
    const request = client.implicitRequest({ scope: 'openid', responseType: 'id_token token', params });
    const { hash } = new URL(await signIn(request.url, redirectURI));

    const error = await errorOf((async () => client.readFragment(hash, { state: request.state, issuer: server }))());

    expect(error).toMatchObject({ code: 'issuer_mismatch', status: 403 });
  });

  it.each([
    ['a client with a secret', () => confidential()],
    ['a public client', () => publicClient('public')],
  ])('tokens that are revoked by %s are of no use', async (_kind, clientOf) => {
    const client = clientOf();
    const { tokens } = await codeGrant(client);

    await client.tokens.revoke(tokens);

    expect(await accountOf(tokens.accessToken)).toBe(401);
    expect(await errorOf(client.refresh(tokens.refreshToken ?? ''))).toMatchObject({ code: 'invalid_grant' });
    await client.tokens.revoke(tokens); // 200 also for what it does not know
  });

  it('an access token without a refresh token is revoked by itself', async () => {
    const client = confidential();
    const { tokens } = await client.clientCredentials();

    await client.tokens.revoke(tokens);

    expect(await accountOf(tokens.accessToken)).toBe(401);
  });

  it('a revocation that the server refuses is told', async () => {
    const { tokens } = await codeGrant(confidential());
    const other = new OAuth2Client({
      tokenURL: `${server}/token`,
      revocationURL: `${server}/token/revocation`,
      clientID: 'app:one',
      clientSecret: 'another secret',
      clientAuthentication: 'basic',
    });

    expect(await errorOf(other.tokens.revoke(tokens))).toMatchObject({ code: 'revocation_failed', status: 502 });
    expect(await accountOf(tokens.accessToken)).toMatchObject({ account: 'ada' });
  });

  it('a callback of another issuer is refused', async () => {
    const client = confidential();
    const request = client.authorizationRequest({ scope: 'openid' });
    const back = await signIn(request.url);

    const error = await errorOf(
      (async () => client.readCallback(back, { state: request.state, issuer: 'https://other.example.com' }))(),
    );

    expect(error).toMatchObject({ code: 'issuer_mismatch', status: 403 });
  });
});
