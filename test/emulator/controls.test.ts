import { jsonOf, type Spark, startEmulator, type Tokens } from './start.js';

async function control(spark: Spark, path: string, input?: object): Promise<Response> {
  return spark.get(`/_emulator/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(input === undefined ? {} : { body: JSON.stringify(input) }),
  });
}

async function statusOf(spark: Spark, tokens: Tokens): Promise<number> {
  return (await spark.call('/v1/system', tokens.access_token)).status;
}

describe('the HTTP controls', () => {
  it.each([
    ['GET', 'grants'],
    ['GET', 'requests'],
    ['POST', 'clear'],
    ['POST', 'expire'],
    ['POST', 'fail-grant'],
  ])('are closed unless they are opened: %s %s', async (method, path) => {
    const spark = await startEmulator();

    expect((await spark.get(`/_emulator/${path}`, { method })).status).toBe(404);
  });

  it('read the logs and clear them', async () => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');
    await statusOf(spark, tokens);

    expect(await jsonOf(await spark.get('/_emulator/grants'))).toEqual(spark.grants());
    expect(await jsonOf(await spark.get('/_emulator/grants?type=refresh_token'))).toEqual([]);
    expect(await jsonOf(await spark.get('/_emulator/requests'))).toEqual(spark.requests());
    await control(spark, 'clear');
    expect([spark.grants(), spark.requests()]).toEqual([[], []]);
  });

  it('move the clock', async () => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');

    const answer = await jsonOf(await control(spark, 'clock', { advanceMs: 86_400_000 }));

    expect(answer.now).toBeGreaterThan(Date.now() + 86_000_000);
    expect(await jsonOf(await spark.get('/_emulator/clock'))).toEqual({ now: expect.any(Number) });
    expect(await statusOf(spark, tokens)).toBe(401);
  });

  it.each([
    ['everything', () => ({}), 2],
    ['a person', () => ({ person: 'agent' }), 1],
    ['a token', (tokens: Tokens) => ({ token: tokens.access_token }), 1],
  ])('expire %s', async (_what, input, expired) => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');
    await spark.tokensOf('consumer');

    expect(await jsonOf(await control(spark, 'expire', input(tokens)))).toEqual({ expired });
    expect(await statusOf(spark, tokens)).toBe(401);
  });

  it.each([
    ['a person’s', () => ({ person: 'agent', refresh: true })],
    ['one', (tokens: Tokens) => ({ token: tokens.refresh_token, refresh: true })],
  ])('expire refresh tokens: %s', async (_what, input) => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');

    expect(await jsonOf(await control(spark, 'expire', input(tokens)))).toEqual({ expired: 1 });

    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await spark.grant(refresh)).status).toBe(400);
    expect(await statusOf(spark, tokens)).toBe(200);
  });

  it.each([
    ['a person', () => ({ person: 'agent' })],
    ['a token', (tokens: Tokens) => ({ token: tokens.refresh_token })],
  ])('revoke %s', async (_what, input) => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');

    expect(await jsonOf(await control(spark, 'revoke', input(tokens)))).toEqual({ revoked: 1 });
    expect(await statusOf(spark, tokens)).toBe(401);
  });

  it('tell whether a refresh token is accepted, without using it', async () => {
    const spark = await startEmulator({ controls: true, reuseDetection: true });
    const accepted = async (token: string) => (await jsonOf(await control(spark, 'accepts', { token }))).accepted;
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens({ grant_type: 'refresh_token', refresh_token: first.refresh_token });

    expect([await accepted('unknown'), await accepted(first.refresh_token)]).toEqual([false, false]);
    expect(await accepted(second.refresh_token)).toBe(true);
    expect(spark.grants()).toHaveLength(2);
    spark.revoke(second.access_token);
    expect(await accepted(second.refresh_token)).toBe(false);
  });

  it('tell that a spent refresh token is accepted in its grace window', async () => {
    const spark = await startEmulator({ controls: true, rotation: 'grace', graceMs: 1_000 });
    const { refresh_token: token } = await spark.tokensOf('agent');
    await spark.tokens({ grant_type: 'refresh_token', refresh_token: token });

    expect(spark.acceptsRefreshToken(token)).toBe(true);
    spark.clock.advance(1_000);
    expect(spark.acceptsRefreshToken(token)).toBe(false);
  });

  it('plan faults and delays', async () => {
    const spark = await startEmulator({ controls: true });
    const tokens = await spark.tokensOf('agent');
    await control(spark, 'fail-grant', { kind: 'status', status: 503, times: 2 });
    await control(spark, 'delay-grant', { ms: 60, when: 'after' });
    await control(spark, 'fail-call', { code: 1550, retryAfter: 4 });
    const grant = async () =>
      (await spark.grant({ grant_type: 'password', username: 'agent', password: 'spark' })).status;

    const call = await spark.call('/v1/system', tokens.access_token);

    expect([call.status, call.headers.get('retry-after')]).toEqual([429, '4']);
    expect([await grant(), await grant(), await grant()]).toEqual([503, 503, 200]);
  });

  it.each([
    ['fail-grant', { kind: 'explode' }, '"explode"'],
    ['fail-grant', { kind: 'html', times: 'often' }, 'times'],
    ['delay-grant', {}, 'milliseconds'],
    ['fail-call', {}, '"code"'],
    ['clock', { advanceMs: -1 }, '-1'],
    ['clock', undefined, 'NaN'],
    ['revoke', {}, '"person"'],
    ['expire', { token: 5 }, '"token"'],
    ['accepts', {}, '"token"'],
  ])('say what is wrong with %s %j', async (path, input, text) => {
    const spark = await startEmulator({ controls: true });

    const answer = await control(spark, path, input);

    expect(answer.status).toBe(400);
    expect((await jsonOf(answer)).error).toContain(text);
  });

  it('take JSON only', async () => {
    const spark = await startEmulator({ controls: true });

    expect((await spark.postForm('/_emulator/clear', { a: 'b' })).status).toBe(400);
    expect((await spark.get('/_emulator/nothing')).status).toBe(404);
  });
});
