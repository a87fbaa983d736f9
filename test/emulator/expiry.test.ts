import { envelopeOf, type Spark, startEmulator, stopTheClock, type Tokens } from './start.js';

async function codeOf(spark: Spark, tokens: Tokens): Promise<number> {
  const answer = await spark.call('/v1/system', tokens.access_token);
  return answer.status === 200 ? 200 : ((await envelopeOf(answer)).Code ?? 0);
}

async function refreshStatus(spark: Spark, tokens: Tokens): Promise<number> {
  return (await spark.grant({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).status;
}

describe('an expired access token', () => {
  it('is refused exactly as the vendor documents it', async () => {
    const spark = await startEmulator({ expiresIn: 60 });
    const tokens = await spark.tokensOf('agent');
    spark.clock.advance(60_000);

    const answer = await spark.call('/v1/my/account', tokens.access_token);

    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe("OAuth realm='Flexmls API', error='expired_token'");
    expect(await answer.text()).toBe('{"D":{"Success":false,"Message":"Session token has expired","Code":1020}}');
  });

  it('has the header on a HEAD request, and the form of RESO errors below /Reso', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');
    spark.expireAllAccessTokens();

    const head = await spark.call('/v1/my/account', tokens.access_token, { method: 'HEAD' });
    const reso = await spark.call('/Reso/OData/Property', tokens.access_token);

    expect(head.status).toBe(401);
    expect(head.headers.get('www-authenticate')).toContain('expired_token');
    expect(reso.headers.get('www-authenticate')).toContain('expired_token');
    expect(await reso.json()).toEqual({ error: { code: '1020', message: 'Session token has expired' } });
  });

  it('lives until its last millisecond', async () => {
    stopTheClock();
    const spark = await startEmulator({ expiresIn: 3_600 });
    const tokens = await spark.tokensOf('agent');

    spark.clock.advance(3_599_999);
    expect(await codeOf(spark, tokens)).toBe(200);
    spark.clock.advance(1);
    expect(await codeOf(spark, tokens)).toBe(1020);
  });
});

describe('the controls over tokens', () => {
  it('expire one access token', async () => {
    const spark = await startEmulator();
    const [first, second] = [await spark.tokensOf('agent'), await spark.tokensOf('agent')];

    expect(spark.expireAccessToken(first.access_token)).toBe(true);
    expect(spark.expireAccessToken('unknown')).toBe(false);

    expect([await codeOf(spark, first), await codeOf(spark, second)]).toEqual([1020, 200]);
    expect(await refreshStatus(spark, first)).toBe(200);
  });

  it('expire the access tokens of one person, or all', async () => {
    const spark = await startEmulator();
    const [agent, consumer] = [await spark.tokensOf('agent'), await spark.tokensOf('consumer')];

    expect(spark.expireAllAccessTokens('agent')).toBe(1);
    expect([await codeOf(spark, agent), await codeOf(spark, consumer)]).toEqual([1020, 200]);
    expect(spark.expireAllAccessTokens()).toBe(1);
    expect(await codeOf(spark, consumer)).toBe(1020);
  });

  it('expire refresh tokens, one or all of a person', async () => {
    const spark = await startEmulator();
    const [first, second, consumer] = [
      await spark.tokensOf('agent'),
      await spark.tokensOf('agent'),
      await spark.tokensOf('consumer'),
    ];

    expect(spark.expireRefreshToken(first.refresh_token)).toBe(true);
    expect(spark.expireRefreshToken('unknown')).toBe(false);
    expect(spark.expireAllRefreshTokens('agent')).toBe(1);

    expect([await refreshStatus(spark, first), await refreshStatus(spark, second)]).toEqual([400, 400]);
    expect([await codeOf(spark, first), await codeOf(spark, second)]).toEqual([200, 200]);
    expect(await refreshStatus(spark, consumer)).toBe(200);
  });

  it.each(['access_token', 'refresh_token'] as const)('revoke a sign-in by its %s', async (kind) => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');

    expect(spark.revoke(tokens[kind])).toBe(true);
    expect(spark.revoke(tokens[kind])).toBe(false);

    expect(await codeOf(spark, tokens)).toBe(1000);
    expect(await refreshStatus(spark, tokens)).toBe(400);
  });

  it('revoke every sign-in of a person', async () => {
    const spark = await startEmulator();
    const [first, second, consumer] = [
      await spark.tokensOf('agent'),
      await spark.tokensOf('agent'),
      await spark.tokensOf('consumer'),
    ];

    expect(spark.revokePerson('agent')).toBe(2);

    expect([await codeOf(spark, first), await codeOf(spark, second)]).toEqual([1000, 1000]);
    expect(await codeOf(spark, consumer)).toBe(200);
  });

  it('refuse to turn the clock back', async () => {
    const spark = await startEmulator();

    expect(() => spark.clock.advance(-1)).toThrow(RangeError);
    expect(() => spark.clock.advance(Number.NaN)).toThrow(RangeError);
  });
});

describe('DELETE /v1/oauth2/token/<access token>', () => {
  it('makes both tokens unusable', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');

    const answer = await spark.get(`/v1/oauth2/token/${tokens.access_token}`, { method: 'DELETE' });

    expect(answer.status).toBe(200);
    expect((await envelopeOf(answer)).Success).toBe(true);
    expect(await codeOf(spark, tokens)).toBe(1000);
    expect(await refreshStatus(spark, tokens)).toBe(400);
  });

  // The vendor's page names the access token alone: who deletes the refresh token has deleted nothing.
  it('takes no refresh token', async () => {
    const spark = await startEmulator();
    const tokens = await spark.tokensOf('agent');

    const answer = await spark.get(`/v1/oauth2/token/${tokens.refresh_token}`, { method: 'DELETE' });

    expect(answer.status).toBe(404);
    expect(await codeOf(spark, tokens)).toBe(200);
    expect(await refreshStatus(spark, tokens)).toBe(200);
  });

  it('is 404 for a token that does not exist or is gone', async () => {
    const spark = await startEmulator();

    const answer = await spark.get('/v1/oauth2/token/unknown', { method: 'DELETE' });

    expect(answer.status).toBe(404);
    expect(await envelopeOf(answer)).toMatchObject({ Success: false, Code: 404 });
  });
});
