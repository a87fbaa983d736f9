import type { GrantFault } from '../../src/emulator/index.js';
import { type Spark, startEmulator, type Tokens, until } from './start.js';

const refresh = (tokens: Tokens) => ({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });

/** Is the refresh token of these tokens still good, as the log of the next grant tells? */
async function isSpent(spark: Spark, tokens: Tokens): Promise<boolean> {
  return (await spark.grant(refresh(tokens))).status !== 200;
}

describe('a grant fault before the work', () => {
  const faults: [GrantFault, number, string, Record<string, string>][] = [
    [{ kind: 'refuse', error: 'invalid_grant' }, 400, '{"error":"invalid_grant"}', {}],
    [
      { kind: 'refuse', error: 'server_error', description: 'down', status: 500 },
      500,
      '{"error":"server_error","error_description":"down"}',
      {},
    ],
    [{ kind: 'status', status: 503, retryAfter: 7, body: 'later' }, 503, 'later', { 'retry-after': '7' }],
    [{ kind: 'status', status: 500 }, 500, '', {}],
    [
      { kind: 'envelope', code: 1550, retryAfter: 3 },
      429,
      '{"D":{"Success":false,"Message":"Request refused with code 1550","Code":1550}}',
      { 'retry-after': '3' },
    ],
    [{ kind: 'empty' }, 200, '', { 'content-type': 'application/json; charset=utf-8' }],
  ];

  it.each(faults)('%j', async (fault, status, body, headers) => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant(fault);

    const answer = await spark.grant(refresh(tokens));

    expect(answer.status).toBe(status);
    expect(await answer.text()).toBe(body);
    for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name)).toBe(value);
    expect(await isSpent(spark, tokens)).toBe(false);
  });

  it('can be an HTML page with status 200', async () => {
    const spark = await startEmulator();
    spark.failNextGrant({ kind: 'html' });

    const answer = await spark.grant({ grant_type: 'password', username: 'agent', password: 'spark' });

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(await answer.text()).toMatch(/^<!doctype html>/);
  });

  it('can be a reset', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'reset' });

    await expect(spark.grant(refresh(tokens))).rejects.toThrow('fetch failed');

    expect(spark.grants('refresh_token')).toMatchObject([{ fault: 'reset', status: null, issued: null }]);
    expect(await isSpent(spark, tokens)).toBe(false);
  });

  it('can be silence, which close() ends', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'hang' });

    const answer = spark.grant(refresh(tokens));
    const failure = expect(answer).rejects.toThrow('fetch failed');
    await until(() => spark.grants('refresh_token').length > 0);
    await expect(Promise.race([answer, sleep(50, 'silent')])).resolves.toBe('silent');

    await spark.close();
    await failure;
  });
});

describe('a grant fault after the work', () => {
  it('can lose the answer', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'drop-after' });

    await expect(spark.grant(refresh(tokens))).rejects.toThrow('fetch failed');

    expect(spark.grants('refresh_token')).toMatchObject([{ fault: 'drop-after', status: null, person: 'agent' }]);
    expect(await isSpent(spark, tokens)).toBe(true);
  });

  it('can cut the answer in half', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'cut-after' });

    const answer = await spark.grant(refresh(tokens));

    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow('terminated');
    expect(await isSpent(spark, tokens)).toBe(true);
  });

  it('can keep the answer back', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'hang-after' });

    const answer = spark.grant(refresh(tokens));
    const failure = expect(answer).rejects.toThrow('fetch failed');
    await until(() => spark.grants('refresh_token').length > 0);
    await expect(Promise.race([answer, sleep(50, 'silent')])).resolves.toBe('silent');

    expect(spark.grants('refresh_token')[0]?.issued).not.toBeNull();
    await spark.close();
    await failure;
  });

  it('makes tokens that work, as the log tells them', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.failNextGrant({ kind: 'drop-after' });
    await spark.grant(refresh(tokens)).catch(() => undefined);

    const lost = spark.grants('refresh_token')[0]?.issued;

    expect((await spark.call('/v1/system', lost?.accessToken ?? '')).status).toBe(200);
  });
});

describe('the plan of faults', () => {
  it('is followed in order, one fault per grant, then everything works again', async () => {
    const spark = await startEmulator();
    spark.failNextGrant({ kind: 'status', status: 500 }, 2);
    spark.failNextGrant({ kind: 'status', status: 503 });
    const grant = async () =>
      (await spark.grant({ grant_type: 'password', username: 'agent', password: 'spark' })).status;

    expect([await grant(), await grant(), await grant(), await grant()]).toEqual([500, 500, 503, 200]);
  });

  it('refuses what it does not know', async () => {
    const spark = await startEmulator();

    expect(() => spark.failNextGrant({ kind: 'explode' } as unknown as GrantFault)).toThrow(/"explode".*refuse/);
    expect(() => spark.failNextGrant({ kind: 'status', status: 99 })).toThrow(/status/);
    expect(() => spark.failNextGrant({ kind: 'refuse' } as unknown as GrantFault)).toThrow(/"error"/);
    expect(() => spark.failNextGrant({ kind: 'envelope' } as unknown as GrantFault)).toThrow(/"code"/);
    expect(() => spark.failNextGrant({ kind: 'html' }, 0)).toThrow(/times/);
    expect(() => spark.delayNextGrant(-1)).toThrow(/milliseconds/);
    expect(() => spark.delayNextGrant(1, 1, 'never' as 'after')).toThrow(/when/);
    expect(() => spark.failNextCall({ code: Number.NaN })).toThrow(/code/);
  });
});

describe('a delayed grant', () => {
  it.each([
    ['before', null],
    ['after', expect.objectContaining({ accessToken: expect.any(String) })],
  ] as const)('can wait %s the work', async (when, issuedMeanwhile) => {
    const spark = await startEmulator();
    spark.delayNextGrant(500, 1, when);
    const startedAt = performance.now();

    const answer = spark.grant({ grant_type: 'password', username: 'agent', password: 'spark' });
    await until(() => spark.grants().length > 0);
    expect(spark.grants()).toMatchObject([{ status: null, issued: issuedMeanwhile }]);

    expect((await answer).status).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThan(490);
  });

  it('does its work although the client has left', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.delayNextGrant(300);
    const client = new AbortController();

    const request = spark.get('/v1/oauth2/grant', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'emulator-client', client_secret: 'emulator-secret', ...refresh(tokens) }),
      signal: client.signal,
    });
    const failure = expect(request).rejects.toThrow();
    await until(() => spark.grants('refresh_token').length > 0);
    client.abort();

    await failure;
    await until(() => spark.grants('refresh_token')[0]?.issued != null);
    expect(await isSpent(spark, tokens)).toBe(true);
  });
});

describe('a refused API call', () => {
  it.each([
    [1000, 401],
    [1010, 401],
    [1013, 403],
    [1020, 401],
    [1021, 403],
    [1024, 503],
    [1026, 500],
    [1040, 400],
    [1055, 409],
    [1500, 403],
    [1550, 429],
    [9999, 500],
  ])('has the status of its code: %i is %i', async (code, status) => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');
    spark.failNextCall({ code, retryAfter: 2, message: 'No' });

    const answer = await spark.call('/v1/system', access_token);

    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(await answer.json()).toEqual({ D: { Success: false, Message: 'No', Code: code } });
    expect((await spark.call('/v1/system', access_token)).status).toBe(200);
  });
});

function sleep<T>(ms: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}
