import { jsonOf, type Spark, startEmulator, stopTheClock, type Tokens } from './start.js';

const refresh = (tokens: Tokens) => ({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });

async function isRefused(spark: Spark, tokens: Tokens): Promise<boolean> {
  const answer = await spark.grant(refresh(tokens));
  if (answer.status === 200) return false;
  expect((await jsonOf(answer)).error).toBe('invalid_grant');
  return true;
}

async function isAccepted(spark: Spark, tokens: Tokens): Promise<boolean> {
  return (await spark.call('/v1/system', tokens.access_token)).status === 200;
}

describe('strict rotation', () => {
  it('answers with a new pair and kills the old refresh token at once', async () => {
    const spark = await startEmulator();
    const first = await spark.tokensOf('agent');

    const second = await spark.tokens(refresh(first));

    expect(second.access_token).not.toBe(first.access_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(await isRefused(spark, first)).toBe(true);
    expect(await isRefused(spark, second)).toBe(false);
  });

  it('lets one of many simultaneous refreshes win', async () => {
    const spark = await startEmulator();
    const first = await spark.tokensOf('agent');

    const answers = await Promise.all(Array.from({ length: 10 }, () => spark.grant(refresh(first))));

    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
  });

  it('leaves the old access token alive until it expires', async () => {
    const spark = await startEmulator();
    const first = await spark.tokensOf('agent');
    await spark.tokens(refresh(first));

    expect(await isAccepted(spark, first)).toBe(true);
    spark.clock.advance(86_400_000);
    expect(await isAccepted(spark, first)).toBe(false);
  });

  it('kills the old access token too when that is asked of the emulator', async () => {
    const spark = await startEmulator({ accessTokenAfterRefresh: 'dies' });
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens(refresh(first));

    expect(await isAccepted(spark, first)).toBe(false);
    expect(await isAccepted(spark, second)).toBe(true);
  });
});

describe('rotation with grace', () => {
  it('answers the old refresh token with the same new pair, until the window closes', async () => {
    stopTheClock();
    const spark = await startEmulator({ rotation: 'grace', graceMs: 5_000 });
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens(refresh(first));

    spark.clock.advance(4_999);
    const again = await spark.tokens(refresh(first));
    expect({ ...again, expires_in: 0 }).toEqual({ ...second, expires_in: 0 });
    expect(again.expires_in).toBe(86_396);

    spark.clock.advance(1);
    expect(await isRefused(spark, first)).toBe(true);
    expect(await isRefused(spark, second)).toBe(false);
  });

  it('does not take a repetition inside the window for theft', async () => {
    const spark = await startEmulator({ rotation: 'grace', reuseDetection: true });
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens(refresh(first));

    await spark.tokens(refresh(first));

    expect(await isAccepted(spark, second)).toBe(true);
  });
});

describe('no rotation', () => {
  it('keeps the refresh token and makes a new access token each time', async () => {
    const spark = await startEmulator({ rotation: 'none' });
    const first = await spark.tokensOf('agent');

    const second = await spark.tokens(refresh(first));
    const third = await spark.tokens(refresh(second));

    expect([second.refresh_token, third.refresh_token]).toEqual([first.refresh_token, first.refresh_token]);
    expect(new Set([first.access_token, second.access_token, third.access_token]).size).toBe(3);
  });

  it('is what an answer without a refresh token means, whatever the rotation', async () => {
    const spark = await startEmulator({ omitRefreshToken: true });
    const first = await spark.tokensOf('agent');

    const second = await spark.tokens(refresh(first));

    expect(Object.keys(second)).toEqual(['access_token', 'expires_in']);
    expect(await isRefused(spark, first)).toBe(false);
  });
});

describe('reuse of a spent refresh token', () => {
  it('ends every token of that sign-in when reuse is detected, and of no other', async () => {
    const spark = await startEmulator({ reuseDetection: true });
    const bystander = await spark.tokensOf('agent');
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens(refresh(first));

    expect(await isRefused(spark, first)).toBe(true);

    expect(await isAccepted(spark, second)).toBe(false);
    expect(await isRefused(spark, second)).toBe(true);
    expect(await isAccepted(spark, bystander)).toBe(true);
  });

  it('ends nothing otherwise', async () => {
    const spark = await startEmulator();
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens(refresh(first));

    expect(await isRefused(spark, first)).toBe(true);

    expect(await isAccepted(spark, second)).toBe(true);
  });
});

describe('a second sign-in of the same person', () => {
  it('leaves the first one alone', async () => {
    const spark = await startEmulator();
    const first = await spark.tokensOf('agent');
    await spark.tokensOf('agent');

    expect(await isAccepted(spark, first)).toBe(true);
  });

  it('with another key ends nothing', async () => {
    const keys = ['emulator-client', 'other'].map((id) => ({ id, secret: 'emulator-secret', redirectURIs: [] }));
    const spark = await startEmulator({ grantsPerPerson: 'one', clients: keys });
    const first = await spark.tokensOf('agent');
    await spark.tokens({ grant_type: 'password', client_id: 'other', username: 'agent', password: 'spark' });

    expect(await isAccepted(spark, first)).toBe(true);
  });

  it('ends the first one when a person has one grant, but not the one of somebody else', async () => {
    const spark = await startEmulator({ grantsPerPerson: 'one' });
    const consumer = await spark.tokensOf('consumer');
    const first = await spark.tokensOf('agent');
    const second = await spark.tokensOf('agent');

    expect(await isAccepted(spark, first)).toBe(false);
    expect(await isRefused(spark, first)).toBe(true);
    expect(await isAccepted(spark, second)).toBe(true);
    expect(await isAccepted(spark, consumer)).toBe(true);
  });
});
