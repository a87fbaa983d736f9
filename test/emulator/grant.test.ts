import { CALLBACK, jsonOf, type Spark, startEmulator } from './start.js';

const OTHER_CALLBACK = 'http://127.0.0.1:9/other';

async function codeFor(spark: Spark, username = 'agent', clientId = 'emulator-client'): Promise<string> {
  const query = new URLSearchParams({ response_type: 'code', client_id: clientId, redirect_uri: CALLBACK });
  return (await spark.signIn(`/oauth2?${query}`, username)).searchParams.get('code') ?? '';
}

async function refusal(response: Response): Promise<unknown[]> {
  const { error, error_description } = await jsonOf(response);
  return [response.status, error, error_description];
}

const INVALID_GRANT = [400, 'invalid_grant', 'The access grant you supplied is invalid'];
const MISMATCH = [400, 'redirect_uri_mismatch', 'Parameter redirect_uri does not match registered URI'];

describe('the answer to a grant', () => {
  it('is a plain object with two tokens of 25 base-36 characters and the lifetime in seconds', async () => {
    const spark = await startEmulator();

    const answer = await spark.grant({
      grant_type: 'authorization_code',
      code: await codeFor(spark),
      redirect_uri: CALLBACK,
    });

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({
      access_token: expect.stringMatching(/^[0-9a-z]{25}$/),
      refresh_token: expect.stringMatching(/^[0-9a-z]{25}$/),
      expires_in: 86_400,
    });
  });

  it('is the same for a form body', async () => {
    const spark = await startEmulator();

    const answer = await spark.postForm('/v1/oauth2/grant', {
      client_id: 'emulator-client',
      client_secret: 'emulator-secret',
      grant_type: 'password',
      username: 'agent',
      password: 'spark',
    });

    expect(Object.keys(await jsonOf(answer))).toEqual(['access_token', 'refresh_token', 'expires_in']);
  });

  it.each([
    ['number', 3],
    ['string', '3'],
    ['zero', 0],
    ['missing', undefined],
  ] as const)('states the lifetime as %s', async (expiresInFormat, expected) => {
    const spark = await startEmulator({ expiresIn: 2.5, expiresInFormat });

    expect((await spark.tokensOf('agent')).expires_in).toBe(expected);
  });
});

describe('an authorization code', () => {
  const exchange = (code: string) => ({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK });

  it('can be exchanged once', async () => {
    const spark = await startEmulator();
    const code = await codeFor(spark);

    await spark.tokens(exchange(code));

    expect(await refusal(await spark.grant(exchange(code)))).toEqual(INVALID_GRANT);
  });

  it('can be exchanged for ten minutes', async () => {
    const spark = await startEmulator();
    const [early, late] = [await codeFor(spark), await codeFor(spark)];

    spark.clock.advance(10 * 60_000 - 10_000);
    await spark.tokens(exchange(early));
    spark.clock.advance(10_000);

    expect(await refusal(await spark.grant(exchange(late)))).toEqual(INVALID_GRANT);
  });

  it('belongs to the client that asked for it', async () => {
    const spark = await startEmulator({
      clients: [
        { id: 'emulator-client', secret: 'emulator-secret', redirectURIs: 'loopback' },
        { id: 'other', secret: 'other-secret', redirectURIs: 'loopback' },
      ],
    });
    const code = await codeFor(spark, 'agent', 'other');

    expect(await refusal(await spark.grant(exchange(code)))).toEqual(INVALID_GRANT);
  });

  it('belongs to its redirect URI, to the character, and a wrong one does not spend it', async () => {
    const spark = await startEmulator();
    const code = await codeFor(spark);

    const answer = await spark.grant({ ...exchange(code), redirect_uri: OTHER_CALLBACK });

    expect(await refusal(answer)).toEqual(MISMATCH);
    await spark.tokens(exchange(code));
  });

  it('must exist', async () => {
    const spark = await startEmulator();

    expect(await refusal(await spark.grant(exchange('0'.repeat(25))))).toEqual(INVALID_GRANT);
  });
});

describe('PKCE', () => {
  // The example of RFC 7636, appendix B.
  const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
  const DOORS = [
    ['/oauth2', { response_type: 'code', client_id: 'emulator-client', redirect_uri: CALLBACK }, 'code', 'error'],
    [
      '/openid',
      {
        'openid.mode': 'checkid_setup',
        'openid.return_to': CALLBACK,
        'openid.spark.client_id': 'emulator-client',
        'openid.spark.combined_flow': 'true',
      },
      'openid.spark.code',
      'openid.error',
    ],
  ] as const;

  describe.each(DOORS)('at %s', (door, request, codeField, errorField) => {
    const exchange = async (spark: Spark, asked: Record<string, string>, given: Record<string, string>) => {
      const back = await spark.signIn(`${door}?${new URLSearchParams({ ...request, ...asked })}`, 'agent');
      const code = back.searchParams.get(codeField) ?? '';
      return await spark.grant({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, ...given });
    };
    const S256 = { code_challenge: CHALLENGE, code_challenge_method: 'S256' };

    it('asks for the verifier of the challenge', async () => {
      const spark = await startEmulator();

      expect((await exchange(spark, S256, { code_verifier: VERIFIER })).status).toBe(200);
      expect(await refusal(await exchange(spark, S256, {}))).toEqual(INVALID_GRANT);
      expect(await refusal(await exchange(spark, S256, { code_verifier: CHALLENGE }))).toEqual(INVALID_GRANT);
    });

    it('asks for none where there was no challenge', async () => {
      const spark = await startEmulator();

      expect((await exchange(spark, {}, {})).status).toBe(200);
      expect((await exchange(spark, {}, { code_verifier: VERIFIER })).status).toBe(200);
    });

    it.each<Record<string, string>>([{}, { code_challenge_method: 'plain' }])(
      'takes no challenge but S256: %j',
      async (method) => {
        const spark = await startEmulator();
        const query = new URLSearchParams({ ...request, code_challenge: VERIFIER, ...method });

        const back = new URL((await spark.get(`${door}?${query}`)).headers.get('location') ?? '');

        expect(back.searchParams.get(errorField)).toMatch(/^invalid_request$|code_challenge_method must be "S256"/);
      },
    );
  });
});

describe('a refresh', () => {
  it('needs the redirect URI where the option says so, and is not spent by a refusal', async () => {
    const spark = await startEmulator({ refreshNeedsRedirectURI: true });
    const { refresh_token } = await spark.tokensOf('agent');
    const refresh = { grant_type: 'refresh_token', refresh_token };

    const [status, error] = await refusal(await spark.grant(refresh));

    expect([status, error]).toEqual([400, 'invalid_request']);
    await spark.tokens({ ...refresh, redirect_uri: CALLBACK });
  });

  it('may leave out the redirect URI or name another one of the registered domain', async () => {
    const spark = await startEmulator({
      clients: [{ id: 'emulator-client', secret: 'emulator-secret', redirectURIs: ['https://app.example.com/cb'] }],
    });
    const first = await spark.tokensOf('agent');

    const second = await spark.tokens({
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      redirect_uri: 'https://app.example.com/somewhere-else',
    });

    await spark.tokens({ grant_type: 'refresh_token', refresh_token: second.refresh_token });
  });

  it.each(['https://elsewhere.example.com/cb', 'nonsense'])(
    'refuses a redirect URI of another domain and does not spend the token: %s',
    async (uri) => {
      const spark = await startEmulator({
        clients: [{ id: 'emulator-client', secret: 'emulator-secret', redirectURIs: ['https://app.example.com/cb'] }],
      });
      const { refresh_token } = await spark.tokensOf('agent');

      const answer = await spark.grant({ grant_type: 'refresh_token', refresh_token, redirect_uri: uri });

      expect(await refusal(answer)).toEqual(MISMATCH);
      await spark.tokens({ grant_type: 'refresh_token', refresh_token });
    },
  );

  it('refuses a token of another client and does not spend it', async () => {
    const spark = await startEmulator({
      clients: [
        { id: 'emulator-client', secret: 'emulator-secret', redirectURIs: 'loopback' },
        { id: 'other', secret: 'other-secret', redirectURIs: 'loopback' },
      ],
    });
    const { refresh_token } = await spark.tokensOf('agent');
    const fields = { grant_type: 'refresh_token', refresh_token };

    const answer = await spark.grant({ ...fields, client_id: 'other', client_secret: 'other-secret' });

    expect(await refusal(answer)).toEqual(INVALID_GRANT);
    await spark.tokens(fields);
  });

  it('refuses a token that does not exist', async () => {
    const spark = await startEmulator();

    const answer = await spark.grant({ grant_type: 'refresh_token', refresh_token: '0'.repeat(25) });

    expect(await refusal(answer)).toEqual(INVALID_GRANT);
  });
});

describe('the password grant', () => {
  it.each([
    ['agent', '/v1/my/account', 200],
    ['agent', '/v1/my/contact', 403],
    ['consumer', '/v1/my/contact', 200],
    ['consumer', '/v1/my/account', 403],
  ])('gives %s the own role: %s answers %i', async (username, path, status) => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf(username);

    expect((await spark.call(path, access_token)).status).toBe(status);
  });

  it('refuses a wrong password', async () => {
    const spark = await startEmulator();

    const answer = await spark.grant({ grant_type: 'password', username: 'agent', password: 'wrong' });

    expect(await refusal(answer)).toEqual(INVALID_GRANT);
  });

  it('refuses a consumer where the key is not for portals', async () => {
    const spark = await startEmulator({
      clients: [{ id: 'emulator-client', secret: 'emulator-secret', redirectURIs: [], roles: ['private'] }],
    });

    const answer = await spark.grant({ grant_type: 'password', username: 'consumer', password: 'spark' });

    expect(await refusal(answer)).toEqual(INVALID_GRANT);
  });
});

describe('a grant request is refused', () => {
  const complete = {
    authorization_code: { code: 'c', redirect_uri: CALLBACK },
    refresh_token: { refresh_token: 'r' },
    password: { username: 'agent', password: 'spark' },
  };
  const required = Object.entries(complete).flatMap(([type, fields]) =>
    Object.keys(fields).map((name) => [type, name]),
  );

  it.each(required)('as invalid_request when a %s grant has no %s', async (type, missing) => {
    const spark = await startEmulator();
    const fields = { ...complete[type as keyof typeof complete], grant_type: type, [missing as string]: '' };

    const answer = await spark.grant(fields);

    expect(await refusal(answer)).toEqual([400, 'invalid_request', `Missing required parameter ${missing}`]);
  });

  it.each(['grant_type', 'client_id', 'client_secret'])('as invalid_request without %s', async (missing) => {
    const spark = await startEmulator();

    const answer = await spark.grant({ ...complete.password, grant_type: 'password', [missing]: '' });

    expect(await refusal(answer)).toEqual([400, 'invalid_request', `Missing required parameter ${missing}`]);
  });

  it('as invalid_client, 401, for an unknown client', async () => {
    const spark = await startEmulator();

    const answer = await spark.grant({ grant_type: 'password', ...complete.password, client_id: 'nobody' });

    expect(await refusal(answer)).toEqual([401, 'invalid_client', 'Unknown client_id']);
  });

  it('as invalid_client, 401, for a wrong secret', async () => {
    const spark = await startEmulator();

    const answer = await spark.grant({ grant_type: 'password', ...complete.password, client_secret: 'wrong' });

    expect(await refusal(answer)).toEqual([401, 'invalid_client', 'Parameter client_secret does not match']);
  });

  it('as unsupported_grant_type for any other type', async () => {
    const spark = await startEmulator();

    expect((await refusal(await spark.grant({ grant_type: 'client_credentials' }))).slice(0, 2)).toEqual([
      400,
      'unsupported_grant_type',
    ]);
  });

  it.each([
    ['JSON that breaks off', 'application/json', '{"grant_type":'],
    ['a JSON list', 'application/json', '[]'],
    ['JSON null', 'application/json', 'null'],
    ['JSON sent as text', 'text/plain', '{"grant_type":"password"}'],
    ['no body', 'application/json', ''],
  ])('as invalid_request for %s', async (_case, type, body) => {
    const spark = await startEmulator();

    const answer = await spark.get('/v1/oauth2/grant', { method: 'POST', headers: { 'content-type': type }, body });

    expect((await refusal(answer)).slice(0, 2)).toEqual([400, 'invalid_request']);
    expect(spark.grants()).toMatchObject([{ type: null, status: 400, error: 'invalid_request' }]);
  });

  it('with 405 when it is a GET', async () => {
    const spark = await startEmulator();

    const answer = await spark.get('/v1/oauth2/grant?grant_type=password');

    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect(spark.grants()).toEqual([]);
  });
});
