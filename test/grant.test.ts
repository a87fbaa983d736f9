import { inspect } from 'node:util';
import { type GrantEndpoint, requestGrant, revokeToken } from '../src/grant.js';
import { TokenError } from '../src/index.js';
import { freePort } from './support/redis.js';
import { serve } from './support/server.js';

const PARAMS = {
  client_id: 'id',
  client_secret: 'the-client-secret',
  grant_type: 'refresh_token',
  refresh_token: 'the-refresh-token',
};

function endpoint(url: string, given: Partial<GrantEndpoint> = {}): GrantEndpoint {
  return { url, format: 'json', headers: { 'X-SparkApi-User-Agent': 'TestApp/1.0' }, timeoutMs: 500, ...given };
}

async function answering(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const { url } = await serve((req, res) => {
    req.resume();
    res.writeHead(status, headers).end(body);
  });
  return url;
}

async function errorOf(promise: Promise<unknown>): Promise<TokenError> {
  const error: unknown = await promise.then(
    () => new Error('a grant'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TokenError)) throw error;
  return error;
}

describe('what is sent', () => {
  it.each([
    ['json', 'application/json', JSON.stringify(PARAMS)],
    ['form', 'application/x-www-form-urlencoded', new URLSearchParams(PARAMS).toString()],
  ] as const)('is a plain %s body, with no Authorization', async (format, type, expected) => {
    let seen: unknown;
    const { url } = await serve((req, res) => {
      let body = '';
      req.on('data', (chunk) => {
        body += String(chunk);
      });
      req.on('end', () => {
        const { authorization, 'content-type': contentType, 'x-sparkapi-user-agent': agent } = req.headers;
        seen = { method: req.method, authorization, contentType, agent, body };
        res.end('{"access_token":"a"}');
      });
    });
    await requestGrant(endpoint(url, { format }), PARAMS);
    expect(seen).toEqual({
      method: 'POST',
      authorization: undefined,
      contentType: type,
      agent: 'TestApp/1.0',
      body: expected,
    });
  });

  it('never follows a redirect: the body holds the client secret', async () => {
    let reached = false;
    const other = await serve((_req, res) => {
      reached = true;
      res.end('{"access_token":"stolen"}');
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const error = await errorOf(requestGrant(endpoint(await answering(status, '', { location: other.url })), PARAMS));
      expect(error).toMatchObject({ code: 'bad_response', outcome: 'refused' });
      expect(error.message).toContain('set tokenURL to its final address');
    }
    expect(reached).toBe(false);
  });
});

describe('what counts as tokens', () => {
  it.each([
    ['{"access_token":"a","refresh_token":"r","expires_in":86400}', 'r', 86_400_000],
    ['{"access_token":"a","refresh_token":"r","expires_in":"3600"}', 'r', 3_600_000],
    ['{"access_token":"a","refresh_token":"r","expires_in":0}', 'r', 86_400_000],
    ['{"access_token":"a","expires_in":-5}', undefined, 86_400_000],
    ['{"access_token":"a","refresh_token":"","expires_in":"soon"}', undefined, 86_400_000],
    ['{"access_token":"a","refresh_token":null}', undefined, 86_400_000],
  ])('%s', async (body, refreshToken, lifetimeMs) => {
    const { tokens, params } = await requestGrant(endpoint(await answering(200, body)), PARAMS);
    expect(tokens).toEqual({ accessToken: 'a', refreshToken, lifetimeMs });
    expect(params).toEqual(JSON.parse(body));
  });
});

describe('what counts as a refusal, and how sure it is', () => {
  it.each([
    [400, '{"error":"invalid_grant","error_description":"No"}', 'invalid_grant', 'refused', 'No'],
    [400, '{"error":"invalid_grant"}', 'invalid_grant', 'refused', 'The token endpoint refused: invalid_grant.'],
    [401, '{"error":"invalid_client"}', 'invalid_client', 'refused', 'The token endpoint refused: invalid_client.'],
    [200, '{"error":"invalid_grant"}', 'invalid_grant', 'refused', 'The token endpoint refused: invalid_grant.'],
    [
      401,
      '{"D":{"Success":false,"Code":1010,"Message":"Disabled"}}',
      'spark_1010',
      'refused',
      'The token endpoint refused: Disabled',
    ],
    [403, '<html>no</html>', 'bad_response', 'refused', 'The token endpoint answered 403 without saying why.'],
    [429, '', 'rate_limited', 'refused', 'The token endpoint asked to slow down (429).'],
    [500, '{"error":"invalid_grant"}', 'server_error', 'unknown', 'The token endpoint answered 500.'],
    [503, '', 'server_error', 'unknown', 'The token endpoint answered 503.'],
    [
      200,
      '<html>welcome</html>',
      'bad_response',
      'unknown',
      'The token endpoint answered 200 without an access token.',
    ],
    [200, '', 'bad_response', 'unknown', 'The token endpoint answered 200 without an access token.'],
    [200, '{"access_token":""}', 'bad_response', 'unknown', 'The token endpoint answered 200 without an access token.'],
    // No header could hold it, so no request could be sent with it.
    [
      200,
      '{"access_token":"a\\nb"}',
      'bad_response',
      'unknown',
      'The token endpoint answered 200 without an access token.',
    ],
    [
      200,
      `{"access_token":"${'a'.repeat(100_000)}"}`,
      'bad_response',
      'unknown',
      'The token endpoint sent more than a token answer.',
    ],
  ])('%i %j', async (status, body, code, outcome, message) => {
    const error = await errorOf(requestGrant(endpoint(await answering(status, body)), PARAMS));
    expect({ code: error.code, outcome: error.outcome, message: error.message }).toEqual({ code, outcome, message });
  });

  it('tells how long the server asks to wait', async () => {
    const inSeconds = await errorOf(requestGrant(endpoint(await answering(429, '', { 'retry-after': '7' })), PARAMS));
    expect(inSeconds.retryAfterMs).toBe(7_000);
    const date = new Date(Date.now() + 60_000).toUTCString();
    const byDate = await errorOf(requestGrant(endpoint(await answering(503, '', { 'retry-after': date })), PARAMS));
    expect(byDate.retryAfterMs).toBeGreaterThan(50_000);
  });

  it('knows that a refused connection sent nothing', async () => {
    const error = await errorOf(requestGrant(endpoint(`http://127.0.0.1:${await freePort()}`), PARAMS));
    expect(error).toMatchObject({ code: 'not_sent', outcome: 'not-sent' });
  });

  it('does not know what a server did that broke off or never answered', async () => {
    const broken = await serve((req) => {
      req.socket.destroy();
    });
    expect(await errorOf(requestGrant(endpoint(broken.url), PARAMS))).toMatchObject({
      code: 'connection_lost',
      outcome: 'unknown',
    });
    const cut = await serve((_req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('{"access_token":"a"');
      setTimeout(() => res.destroy(), 20);
    });
    expect(await errorOf(requestGrant(endpoint(cut.url), PARAMS))).toMatchObject({ outcome: 'unknown' });
    const silent = await serve((req) => {
      req.resume();
    });
    const began = Date.now();
    const late = await errorOf(requestGrant(endpoint(silent.url, { timeoutMs: 100 }), PARAMS));
    expect(late).toMatchObject({ code: 'timeout', outcome: 'unknown', status: 504 });
    expect(Date.now() - began).toBeLessThan(2_000);
  });
});

it("speaks in the words of the application's own parser; what becomes of the tokens is the server's to say", async () => {
  const url = await answering(400, '{"error":"invalid_grant","error_description":"No"}');
  const parseError = (body: string, status: number): Error => {
    const { error_description: said } = JSON.parse(body) as { error_description: string };
    return Object.assign(new Error(`${status}: «${said}», says the-client-secret`), { code: 'of_its_own' });
  };
  const error = await errorOf(requestGrant({ ...endpoint(url), parseError }, PARAMS));
  expect(error).toMatchObject({ message: '400: «No», says [hidden]', code: 'invalid_grant', outcome: 'refused' });
});

it('shows no secret in its errors, even where the server repeats it', async () => {
  const body = JSON.stringify({
    error: 'invalid_grant',
    error_description: 'the-refresh-token of the-client-secret is spent',
  });
  const error = await errorOf(requestGrant(endpoint(await answering(400, body)), PARAMS));
  expect(error.message).toBe('[hidden] of [hidden] is spent');
  expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/the-refresh-token|the-client-secret/);
});

it.each(['client_secret', 'code', 'code_verifier', 'refresh_token', 'password', 'mfa_token', 'otp'])(
  'hides the %s where the server repeats it',
  async (name) => {
    const url = await answering(400, '{"error":"invalid_grant","error_description":"secret-of-mine is not right"}');
    const error = await errorOf(requestGrant(endpoint(url), { [name]: 'secret-of-mine' }));
    expect(error.message).toBe('[hidden] is not right');
  },
);

describe('the code of an error', () => {
  const codeFor = async (error: unknown, params: Readonly<Record<string, string>> = PARAMS): Promise<string> => {
    const url = await answering(400, JSON.stringify({ error }));
    return (await errorOf(requestGrant(endpoint(url), params))).code;
  };

  it.each(['invalid_grant', 'slow_down', 'https://server.example.com/errors#one', 'x'.repeat(100)])(
    "is the server's own: %s",
    async (error) => {
      expect(await codeFor(error)).toBe(error);
    },
  );

  // Programs compare it, metrics have it for a label, and logs print it.
  it.each(['', 'x'.repeat(101), 'a\nb', 'a"b', 'a\\b', 'é', 'no: the-refresh-token', 'the-client-secret'])(
    'is `bad_response` for what is none (RFC 6749 §5.2), or repeats a secret: %j',
    async (error) => {
      expect(await codeFor(error)).toBe('bad_response');
    },
  );

  it('of the standard stays, whatever the secret is: it decides what becomes of the tokens', async () => {
    expect(await codeFor('invalid_grant', { client_secret: 'grant' })).toBe('invalid_grant');
  });

  it("of Spark's envelope, and of the application's own parser, is held to the same", async () => {
    const envelope = await answering(401, '{"D":{"Code":"the-client-secret"}}');
    expect(await errorOf(requestGrant(endpoint(envelope), PARAMS))).toMatchObject({ code: 'bad_response' });
    const parseError = (): Error => Object.assign(new Error('No'), { code: 'of the-client-secret' });
    const own = await answering(403, 'no');
    expect(await errorOf(requestGrant(endpoint(own, { parseError }), PARAMS))).toMatchObject({ code: 'bad_response' });
  });

  it('has an address that repeats no secret either', async () => {
    const error = { error: 'invalid_grant', error_uri: 'https://server.example.com/?t=the-refresh-token' };
    const url = await answering(400, JSON.stringify(error));
    expect((await errorOf(requestGrant(endpoint(url), PARAMS))).uri).toBe('https://server.example.com/?t=[hidden]');
  });
});

describe('a token endpoint with a way of its own', () => {
  it('is asked with GET and its headers, and its own form of tokens is read', async () => {
    let seen: unknown;
    const { url } = await serve((req, res) => {
      seen = { method: req.method, type: req.headers['content-type'], authorization: req.headers.authorization };
      res.setHeader('Date', 'Mon, 24 Mar 2014 12:00:00 GMT').end('{"token":"a","until":"2014-03-24T13:00:00Z"}');
    });

    const { tokens } = await requestGrant(
      endpoint(url, {
        method: 'GET',
        headers: { authorization: 'Bearer first' },
        readTokens: ({ token, until }, answeredAt) => ({
          accessToken: String(token),
          lifetimeMs: Date.parse(String(until)) - answeredAt,
        }),
      }),
      {},
    );

    expect(seen).toEqual({ method: 'GET', type: undefined, authorization: 'Bearer first' });
    expect(tokens).toEqual({ accessToken: 'a', lifetimeMs: 3_600_000 });
  });

  it('gave no tokens when none are found in its form', async () => {
    const url = await answering(200, '{"access_token":"a"}');
    const error = await errorOf(requestGrant(endpoint(url, { readTokens: () => undefined }), PARAMS));

    expect(error).toMatchObject({ code: 'bad_response', outcome: 'unknown' });
  });

  it('gave no token when what it gave can stand in no header', async () => {
    const readTokens: GrantEndpoint['readTokens'] = () => ({ accessToken: 'a\r\nX-Other: b' });
    const error = await errorOf(requestGrant(endpoint(await answering(200, '{}'), { readTokens }), PARAMS));

    expect(error).toMatchObject({ code: 'bad_response', outcome: 'unknown' });
  });

  it('refuses with what is read of its refusals', async () => {
    const own = new TokenError('A code is needed.', 'step_up');
    const url = await answering(429, '{"why":"step up"}', { 'Retry-After': '7' });
    const readRefusal: GrantEndpoint['readRefusal'] = ({ why }, status, retryAfterMs) =>
      why === 'step up' && status === 429 && retryAfterMs === 7_000 ? own : undefined;

    expect(await errorOf(requestGrant(endpoint(url, { readRefusal }), PARAMS))).toBe(own);
    expect(await errorOf(requestGrant(endpoint(await answering(400, 'x'), { readRefusal }), PARAMS))).toMatchObject({
      code: 'bad_response',
    });
  });
});

describe('a revocation', () => {
  it.each([204, 401, 404])('is done where the server answers %i: the token is of no use', async (status) => {
    await expect(revokeToken(await answering(status, ''), 'token', {})).resolves.toBeUndefined();
  });

  it.each([302, 400, 500])('has failed where it answers %i', async (status) => {
    const url = await answering(status, '', { location: '/elsewhere' });
    await expect(revokeToken(url, 'token', {})).rejects.toMatchObject({ code: 'revocation_failed', status: 502 });
  });
});
