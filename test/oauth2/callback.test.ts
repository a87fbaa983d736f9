import { inspect } from 'node:util';
import { AuthorizationError, MemoryTokenStore } from '../../src/index.js';
import { OAuth2Client } from '../../src/oauth2/index.js';
import { serve } from '../support/server.js';
import { errorOf } from './start.js';

const client = new OAuth2Client({
  tokenURL: 'https://server.example.com/token',
  authorizationURL: 'https://server.example.com/authorize?tenant=one',
  clientID: 'app',
  redirectURI: 'https://app.example.com/cb',
  issuer: 'https://server.example.com',
});
const STATE = 'the-state-of-this-browser';
const ISS = `iss=${encodeURIComponent('https://server.example.com')}`;

/** What reading a callback throws. */
async function refusal(read: () => unknown): Promise<unknown> {
  return await errorOf((async () => read())());
}

describe('the address that a sign-in begins with', () => {
  it("carries what RFC 6749 asks for, beside the endpoint's own query", () => {
    const { url, state, codeVerifier } = client.authorizationRequest({
      scope: ['a', 'b'],
      params: { prompt: 'login' },
    });

    expect(codeVerifier).toMatch(/^[\w-]{43}$/);
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      tenant: 'one',
      prompt: 'login',
      response_type: 'code',
      client_id: 'app',
      redirect_uri: 'https://app.example.com/cb',
      scope: 'a b',
      state,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
  });

  it('is another at every sign-in', () => {
    const [one, two] = [client.authorizationRequest(), client.authorizationRequest()];

    expect(one.state).not.toBe(two.state);
    expect(one.codeVerifier).not.toBe(two.codeVerifier);
  });

  it("can not be turned into another grant by parameters of the server's own", () => {
    const params = { response_type: 'token', state: 'x', client_id: 'y', code_challenge: 'z' };
    const { searchParams } = new URL(client.authorizationRequest({ params }).url);

    for (const [name, value] of Object.entries(params)) expect(searchParams.get(name)).not.toBe(value);
  });
});

describe('the address that an implicit grant begins with', () => {
  it('asks for a token, and carries what RFC 6749 asks for', () => {
    const { url, state } = client.implicitRequest({ scope: ['a', 'b'], params: { prompt: 'login' } });

    expect(url).toMatch(/^https:\/\/server\.example\.com\/authorize\?/);
    expect(state).toMatch(/^[\w-]{43}$/);
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      tenant: 'one',
      prompt: 'login',
      response_type: 'token',
      client_id: 'app',
      redirect_uri: 'https://app.example.com/cb',
      scope: 'a b',
      state,
    });
  });

  it('asks for what the call names in its place', () => {
    const { url } = client.implicitRequest({ responseType: 'id_token token', params: { nonce: 'n' } });

    expect(new URL(url).searchParams.get('response_type')).toBe('id_token token');
  });
});

describe('the callback of a code', () => {
  it.each([
    `https://app.example.com/cb?code=c&state=${STATE}&${ISS}`,
    `/cb?code=c&state=${STATE}&${ISS}`,
    `code=c&state=${STATE}&${ISS}`,
    `/cb?code=c&state=${STATE}&${ISS}#_=_`,
  ])('is read from %s', (url) => {
    expect(client.readCallback(url, { state: STATE })).toEqual({ code: 'c' });
  });

  it('needs no issuer where none is set', () => {
    const plain = new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app' });

    expect(plain.readCallback(`/cb?code=c&state=${STATE}`, { state: STATE })).toEqual({ code: 'c' });
  });

  it.each([
    ['no state', '?code=c', STATE],
    ['another state', '?code=c&state=other', STATE],
    ['no state that was kept', `?code=c&state=${STATE}`, undefined],
    ['empty states', '?code=c&state=', ''],
    ['an error without the state', '?error=access_denied', STATE],
  ])('is refused with %s', async (_what, query, state) => {
    expect(await refusal(() => client.readCallback(query, { state }))).toMatchObject({
      code: 'state_mismatch',
      status: 403,
    });
  });

  it.each([
    ['a code twice', `?code=a&code=b&state=${STATE}&${ISS}`, 'invalid_response'],
    ['no code', `?state=${STATE}&${ISS}`, 'invalid_response'],
    ['another issuer', `?code=c&state=${STATE}&iss=https://evil.example.com`, 'issuer_mismatch'],
    // What names no issuer may come from any server (RFC 9207 §1: the mix-up of two).
    ['no issuer, where the server is known to name itself', `?code=c&state=${STATE}`, 'issuer_mismatch'],
    ['a denial without an issuer', `?error=access_denied&state=${STATE}`, 'issuer_mismatch'],
    ['a denial', `?error=access_denied&state=${STATE}&${ISS}`, 'access_denied'],
    [
      'a failure',
      `?error=temporarily_unavailable&error_description=Later&state=${STATE}&${ISS}`,
      'temporarily_unavailable',
    ],
  ])('is refused with %s', async (_what, query, code) => {
    const error = await refusal(() => client.readCallback(query, { state: STATE }));

    expect(error).toBeInstanceOf(AuthorizationError);
    expect(error).toMatchObject({ code });
  });

  it('shows texts of the server as plain characters', async () => {
    const query = `?error=x%0Ay&error_description=a%0Ab%00%E2%80%AE&state=${STATE}&${ISS}`;

    expect(await refusal(() => client.readCallback(query, { state: STATE }))).toMatchObject({
      code: 'x y',
      message: 'a b  ',
    });
  });
});

describe('the fragment of an implicit grant', () => {
  const fragment = (more: string) => `#access_token=secret-token&token_type=Bearer&state=${STATE}&${ISS}${more}`;

  it.each([
    ['', 86_400_000],
    ['&expires_in=3600', 3_600_000],
    ['&expires_in=0', 86_400_000],
  ])('gives the token with its lifetime: "%s"', (more, lifetimeMs) => {
    expect(client.readFragment(fragment(more), { state: STATE }).tokens).toEqual({
      accessToken: 'secret-token',
      lifetimeMs,
    });
  });

  it.each([
    ['another state', fragment('').replace(STATE, 'other'), 'state_mismatch'],
    ['an unknown type of token', fragment('').replace('Bearer', 'mac'), 'invalid_response'],
    ['no type of token', fragment('').replace('&token_type=Bearer', ''), 'invalid_response'],
    ['no token', `#token_type=Bearer&state=${STATE}&${ISS}`, 'invalid_response'],
    ['no issuer, where the server is known to name itself', fragment('').replace(`&${ISS}`, ''), 'issuer_mismatch'],
    ['two tokens', fragment('&access_token=other'), 'invalid_response'],
    ['a token that no header can hold', fragment('').replace('secret-token', 'secret-token%0Ax'), 'invalid_response'],
    ['a denial', `#error=access_denied&state=${STATE}&${ISS}`, 'access_denied'],
  ])('is refused with %s, in an error that holds no token', async (_what, text, code) => {
    const error = await refusal(() => client.readFragment(text, { state: STATE }));

    expect(error).toMatchObject({ code });
    expect(inspect(error)).not.toContain('secret-token');
  });

  // A TypeError would be a 500 for anybody who posts nonsense, and a line in somebody's log.
  it.each([[undefined], [null], [5], [['a', 'b']], [{ state: STATE }]])('is refused when it is %j', async (posted) => {
    expect(await refusal(() => client.readFragment(posted as never, { state: STATE }))).toMatchObject({
      name: 'AuthorizationError',
      code: 'invalid_response',
      status: 400,
    });
  });
});

it("parameters of a call's own never replace those of the grant, or the client", async () => {
  let sent: Record<string, string> = {};
  const { url } = await serve((req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += String(chunk);
    });
    req.on('end', () => {
      sent = Object.fromEntries(new URLSearchParams(body));
      res.end('{"access_token":"a"}');
    });
  });
  const own = { code: 'code', code_verifier: 'verifier', redirect_uri: 'https://app.example.com/cb' };
  const client = { client_id: 'app', client_secret: 'secret', grant_type: 'authorization_code' };
  const others = Object.fromEntries(Object.keys({ ...own, ...client }).map((name) => [name, 'of somebody else']));

  await new OAuth2Client({ tokenURL: url, clientID: 'app', clientSecret: 'secret' }).exchangeCode({
    code: own.code,
    codeVerifier: own.code_verifier,
    redirectURI: own.redirect_uri,
    params: { ...others, resource: 'one' },
  });

  expect(sent).toEqual({ ...own, ...client, resource: 'one' });
});

// Of a refresh token `invalid_grant` says that it is spent. The client's credentials are never spent.
it('tokens of the application are asked for again after any refusal', async () => {
  let asked = 0;
  const { url } = await serve((req, res) => {
    req.resume();
    asked += 1;
    if (asked === 1) res.writeHead(400).end('{"error":"invalid_grant"}');
    else res.end('{"access_token":"of the application"}');
  });
  let passed = 0;
  const tokenStore = new MemoryTokenStore({ now: () => Date.now() + passed });
  const machine = new OAuth2Client({ tokenURL: url, clientID: 'app', clientSecret: 'secret', tokenStore });
  await machine.useMachineTokens('reports');
  await expect(machine.accessToken('reports')).rejects.toMatchObject({ code: 'renewal_failed' });
  passed += 60_000; // the back-off is over

  expect(await machine.accessToken('reports')).toBe('of the application');
});
