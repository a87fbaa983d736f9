import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { createSparkEmulator, type SparkEmulatorHandle, type SparkEmulatorOptions } from '../../src/emulator/index.js';
import { requestGrant } from '../../src/grant.js';
import {
  ConfigError,
  MemoryTokenStore,
  RENEWAL_CHANNEL,
  type RenewalEvent,
  SignInRequiredError,
  TokenError,
  type TokenRecord,
  TokenService,
  type TokenServiceOptions,
  type TokenStore,
  type Tokens,
  UnavailableError,
} from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { until } from '../emulator/start.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

interface Bench {
  readonly spark: SparkEmulatorHandle;
  readonly store: TokenStore;
  readonly service: TokenService;
  readonly key: string;
  /** Moves the store's clock, by which records grow old. */
  age(ms: number): void;
  /** The access token that would be sent now. */
  token(): Promise<string>;
  read(): Promise<TokenRecord | undefined>;
  /** One more process on the same store. */
  another(): TokenService;
}

const opened: SparkEmulatorHandle[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((spark) => spark.close()));
});

async function bench(
  options: SparkEmulatorOptions = {},
  given: Partial<TokenServiceOptions> & { wrap?: (store: TokenStore) => TokenStore } = {},
): Promise<Bench> {
  const spark = await createSparkEmulator(options).listen(0);
  opened.push(spark);
  let offset = 0;
  const { wrap = (store: TokenStore) => store, ...serviceOptions } = given;
  const store = wrap(new MemoryTokenStore({ now: () => Date.now() + offset }));
  const endpoint = { url: `${spark.url}/v1/oauth2/grant`, format: 'json', headers: {}, timeoutMs: 1_000 } as const;
  const client = { client_id: 'emulator-client', client_secret: 'emulator-secret' };
  const another = (): TokenService =>
    new TokenService({
      store,
      clientID: 'emulator-client',
      upstream: SPARK_UPSTREAM,
      renew: async ({ refreshToken = '' }) =>
        (await requestGrant(endpoint, { ...client, grant_type: 'refresh_token', refresh_token: refreshToken })).tokens,
      revoke: async ({ accessToken }) => {
        spark.revoke(accessToken);
      },
      ...serviceOptions,
    });
  const service = another();
  const grant = await requestGrant(endpoint, {
    ...client,
    grant_type: 'password',
    username: 'agent',
    password: 'spark',
  });
  const key = await service.create(grant.tokens, { role: 'private' });
  return {
    spark,
    store,
    service,
    key,
    another,
    age: (ms) => {
      offset += ms;
    },
    token: () => service.accessToken(key),
    read: () => store.read(key),
  };
}

describe('when a token is renewed', () => {
  it('uses a young token as it is', async () => {
    const { spark, age, token } = await bench();
    age(DAY_MS * 0.4);
    await token();
    expect(spark.grants('refresh_token')).toHaveLength(0);
  });

  it('serves a token beyond half of its life and renews it behind the request', async () => {
    const { spark, service, age, token, read } = await bench();
    const before = (await read())?.accessToken;
    age(DAY_MS * 0.6);

    expect(await token()).toBe(before);
    await service.drain();

    expect(spark.grants('refresh_token')).toHaveLength(1);
    expect(await token()).not.toBe(before);
    expect((await read())?.generation).toBe(1);
  });

  it('waits for the renewal of a token that is about to expire', async () => {
    const { age, token, read } = await bench();
    const before = (await read())?.accessToken;
    age(DAY_MS - 20_000);
    expect(await token()).not.toBe(before);
  });

  it('never lets the hard limit eat a short life', async () => {
    const { age, token, read } = await bench({ expiresIn: 60 });
    const before = (await read())?.accessToken;
    age(35_000); // 25 s left: above 1/20 of the life, although below 30 s, at which longer ones are waited for
    expect(await token()).toBe(before);
  });

  it('does not renew people together who signed in together, and decides alike in every process', async () => {
    let renewals = 0;
    const renew = async (): Promise<Tokens> => {
      renewals += 1;
      return { accessToken: 'renewed', refreshToken: 'renewed too', lifetimeMs: DAY_MS };
    };
    const { service, another, age } = await bench({}, { renew });
    const tokens = { accessToken: 'first', refreshToken: 'first too', lifetimeMs: DAY_MS };
    const keys = await Promise.all(Array.from({ length: 40 }, () => service.create(tokens, {})));
    age(DAY_MS * 0.525);

    const other = another();
    const counted: number[] = [];
    for (const process of [service, other]) {
      await Promise.all(keys.map((key) => process.accessToken(key)));
      await process.drain();
      counted.push(renewals);
    }

    expect(counted[0]).toBeGreaterThan(0);
    expect(counted[0]).toBeLessThan(40);
    expect(counted[1]).toBe(counted[0]);
  });

  it('keeps the old refresh token where the server sends no new one', async () => {
    const { age, token, read } = await bench({ omitRefreshToken: true, rotation: 'none' });
    const before = (await read())?.refreshToken;
    age(DAY_MS);
    await token();
    expect((await read())?.refreshToken).toBe(before);
    age(DAY_MS);
    await token();
    expect((await read())?.generation).toBe(2);
  });

  it('gives a token a day where the server does not say how long it lives', async () => {
    const { read } = await bench({ expiresInFormat: 'missing' });
    expect((await read())?.lifetimeMs).toBe(DAY_MS);
  });

  it('has nothing to renew without a refresh token', async () => {
    const { spark, service, age } = await bench();
    const key = await service.create({ accessToken: 'personal', lifetimeMs: 1_000 }, {});
    age(DAY_MS);
    expect(await service.accessToken(key)).toBe('personal');
    expect(spark.grants('refresh_token')).toHaveLength(0);
  });
});

describe('one renewal', () => {
  it('serves two hundred requests of four services with one grant', async () => {
    const { spark, key, age, another } = await bench();
    const services = [another(), another(), another(), another()];
    age(DAY_MS);
    spark.delayNextGrant(200);

    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (services[i % 4] as TokenService).accessToken(key)),
    );

    expect(new Set(tokens).size).toBe(1);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('renews the generation that failed, not the one that another process brought meanwhile', async () => {
    const { spark, service, key, another } = await bench();
    spark.expireAllAccessTokens();
    const other = another();
    const result = await service.use(key, async (record) => {
      if (record.generation > 0) return { value: 'fresh', expired: false, replayable: true };
      await other.use(key, async (seen) => ({ value: '', expired: seen.generation === 0, replayable: true }));
      return { value: 'expired', expired: true, replayable: true };
    });
    expect(result).toBe('fresh');
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('renews what another process brought meanwhile, when that has expired too', async () => {
    let brought: Promise<unknown> | undefined;
    const wrap = (store: TokenStore): TokenStore =>
      Object.assign(Object.create(store) as TokenStore, {
        claim: async (...args: Parameters<TokenStore['claim']>) => {
          const expired = { accessToken: 'expired', refreshToken: 'next', lifetimeMs: 0, afterRefusal: false };
          brought ??= store.commit(args[0], 0, 'other attempt', 'other commit', expired);
          await brought;
          return await store.claim(...args);
        },
      });
    const renew = async ({ refreshToken }: TokenRecord): Promise<Tokens> => ({ accessToken: `by ${refreshToken}` });
    const { age, token } = await bench({}, { wrap, renew });
    age(DAY_MS);
    expect(await token()).toBe('by next');
  });

  it('is waited for ten seconds, and keeps its claim for as long as the server takes', async () => {
    jest.useFakeTimers();
    try {
      const store = new MemoryTokenStore();
      let answer = (_tokens: Tokens): void => undefined;
      const renew = async (): Promise<Tokens> =>
        await new Promise((resolve) => {
          answer = resolve;
        });
      const service = new TokenService({ store, clientID: 'client', upstream: SPARK_UPSTREAM, renew });
      const key = await service.create({ accessToken: 'old', refreshToken: 'refresh', lifetimeMs: 1_000 }, {});
      jest.advanceTimersByTime(1_000);
      const record = (await store.read(key)) as TokenRecord;
      const waited = jest.fn();
      service.accessToken(key).catch(waited);

      await jest.advanceTimersByTimeAsync(9_999);
      expect(waited).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);
      expect(waited).toHaveBeenCalledWith(expect.objectContaining({ code: 'renewal_slow', status: 503 }));

      await jest.advanceTimersByTimeAsync(30_000);
      expect(await store.claim(key, record, 'of another process', 10_000)).toEqual({ kind: 'held' });
      answer({ accessToken: 'new', lifetimeMs: DAY_MS });
      await service.drain();
      expect(await service.accessToken(key)).toBe('new');
    } finally {
      jest.useRealTimers();
    }
  });

  it('stops its heartbeat when it is over', async () => {
    const begun = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    const renew = async (): Promise<Tokens> => ({ accessToken: 'renewed', lifetimeMs: DAY_MS });
    const { age, token } = await bench({}, { renew });
    age(DAY_MS);
    begun.mockClear();
    await token();
    expect(begun).toHaveBeenCalledTimes(1);
    expect(stopped).toHaveBeenCalledWith(begun.mock.results[0]?.value);
    begun.mockRestore();
    stopped.mockRestore();
  });

  it('renews once when the API refuses for ever, lets the refusal stand, and tries again after a while', async () => {
    const { spark, service, key, age } = await bench();
    const refuse = (): Promise<string> =>
      service.use(key, async () => ({ value: '1020', expired: true, replayable: true }));
    for (let i = 0; i < 5; i += 1) expect(await refuse()).toBe('1020');
    expect(spark.grants('refresh_token')).toHaveLength(1);
    age(30_000);
    expect(await refuse()).toBe('1020');
    expect(spark.grants('refresh_token')).toHaveLength(2);
  });

  it('renews what the API refused, although the renewal that it joined has found no more than that', async () => {
    let claimed = (): void => undefined;
    const claimable = new Promise<void>((resolve) => {
      claimed = resolve;
    });
    const wrap = (store: TokenStore): TokenStore =>
      Object.assign(Object.create(store) as TokenStore, {
        claim: async (...args: Parameters<TokenStore['claim']>) => {
          await claimable;
          return await store.claim(...args);
        },
      });
    const renew = async (): Promise<Tokens> => ({ accessToken: 'by the API', lifetimeMs: DAY_MS });
    const { age, token, store, service, key } = await bench({}, { wrap, renew });
    age(DAY_MS);
    const first = token();
    const brought = { accessToken: 'by another process', refreshToken: 'next', lifetimeMs: DAY_MS };
    await store.commit(key, 0, 'other attempt', 'other commit', { ...brought, afterRefusal: false });

    const second = service.use(key, async ({ accessToken, generation }) => {
      setImmediate(claimed);
      return { value: accessToken, expired: generation === 1, replayable: true };
    });

    expect(await Promise.all([first, second])).toEqual(['by another process', 'by the API']);
  });

  it.each([
    ['two hundred requests for one person', 1, 200],
    ['five thousand in one process', 25, 200],
  ])('is waited for by %s at the most, until it is over', async (_what, people, each) => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const renew = async (): Promise<Tokens> => {
      await answered;
      return { accessToken: 'renewed', refreshToken: 'next', lifetimeMs: DAY_MS };
    };
    const { service, age, key } = await bench({}, { renew });
    const tokens = { accessToken: 'first', refreshToken: 'first too', lifetimeMs: DAY_MS };
    const keys = await Promise.all(Array.from({ length: people }, () => service.create(tokens, {})));
    age(DAY_MS);
    const waiting = keys.flatMap((one) => Array.from({ length: each }, () => service.accessToken(one)));
    const oneMore = people === 1 ? (keys[0] as string) : key;
    await expect(service.accessToken(oneMore)).rejects.toMatchObject({ code: 'too_many_waiters' });

    answer();

    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['renewed']));
    age(DAY_MS);
    expect(await service.accessToken(oneMore)).toBe('renewed');
  });
});

describe('a process that was frozen', () => {
  it('asks for its claim again when it slept beyond its lease before it could use it', async () => {
    const asleep = { ms: 0, done: false };
    let wakes = async (): Promise<void> => undefined;
    const { spark, age, token, another, key } = await bench(
      {},
      {
        clock: { now: () => performance.now() + asleep.ms, sleep: () => new Promise(setImmediate) },
        wrap: (store) =>
          Object.assign(Object.create(store) as TokenStore, {
            claim: async (...args: Parameters<TokenStore['claim']>) => {
              const answer = await store.claim(...args);
              if (!asleep.done) await wakes();
              return answer;
            },
          }),
      },
    );
    wakes = async () => {
      asleep.done = true;
      age(11_000);
      asleep.ms += 11_000;
      await another().accessToken(key); // the lease has lapsed: another process renews
    };
    age(DAY_MS);

    await token();

    expect(spark.grants('refresh_token')).toHaveLength(1);
  });
});

describe('a renewal that fails', () => {
  it('asks for a new sign-in after invalid_grant, but serves the access token while it lives', async () => {
    const { spark, service, key, age, token, read } = await bench();
    const before = (await read())?.accessToken;
    spark.expireAllRefreshTokens();
    age(DAY_MS * 0.6);
    expect(await token()).toBe(before);
    await service.drain();

    expect((await read())?.state).toBe('dead');
    expect(await token()).toBe(before);
    await expect(service.use(key, async () => ({ value: '', expired: true, replayable: true }))).rejects.toThrow(
      SignInRequiredError,
    );
    age(DAY_MS);
    await expect(token()).rejects.toThrow(SignInRequiredError);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it.each([
    ['invalid_client', { kind: 'refuse', error: 'invalid_client', status: 401 }],
    ['a refusal nobody has heard of', { kind: 'refuse', error: 'out_of_cheese' }],
    ['a server error', { kind: 'status', status: 500 }],
    ['a request to slow down', { kind: 'status', status: 429, retryAfter: 1 }],
    ['an HTML page', { kind: 'html' }],
    ['a connection that breaks', { kind: 'reset' }],
  ] as const)('signs nobody out for %s', async (_name, fault) => {
    const { spark, age, token, read } = await bench();
    const before = (await read())?.accessToken;
    spark.failNextGrant(fault);
    age(DAY_MS - 20_000);
    expect(await token()).toBe(before); // still valid: served

    age(60_000); // expired, and the back-off is over
    expect(await token()).not.toBe(before);
    expect((await read())?.state).toBe('live');
  });

  // Tokens are renewed behind requests from half of their life on: nobody would hear of it before the last one has expired.
  it('warns of a refusal once, while everybody is still served', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { spark, age, token, service, read } = await bench();
    const before = (await read())?.accessToken;
    age(DAY_MS * 0.6);
    for (let i = 0; i < 2; i += 1) {
      spark.failNextGrant({ kind: 'refuse', error: 'invalid_client', status: 401 });
      expect(await token()).toBe(before);
      await service.drain();
      age(60_000); // the back-off is over
    }
    for (const status of [500, 429]) {
      spark.failNextGrant({ kind: 'status', status });
      expect(await token()).toBe(before);
      await service.drain();
      age(5_000); // these pass, and so does their back-off
    }

    expect(spark.grants('refresh_token')).toHaveLength(4);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('invalid_client'), expect.objectContaining({ code: 'SPARK_RENEWAL' })],
    ]);
    warn.mockRestore();
  });

  it('makes every process wait after a failure', async () => {
    const { spark, age, another, key } = await bench();
    age(DAY_MS);
    spark.failNextGrant({ kind: 'status', status: 503, retryAfter: 30 });
    await expect(another().accessToken(key)).rejects.toThrow(UnavailableError);
    await expect(another().accessToken(key)).rejects.toMatchObject({ code: 'renewal_backoff' });
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('makes nobody wait for longer than five minutes, whatever the server asks for', async () => {
    const { spark, age, token } = await bench();
    age(DAY_MS);
    spark.failNextGrant({ kind: 'status', status: 503, retryAfter: 86_400 });
    await expect(token()).rejects.toMatchObject({ code: 'renewal_failed', retryAfterMs: 300_000 });
    age(299_000);
    await expect(token()).rejects.toMatchObject({ code: 'renewal_backoff' });
    age(1_000);
    expect(await token()).toEqual(expect.any(String));
  });

  it('finds its way back after a lost answer on a server with a grace window', async () => {
    const { spark, age, token } = await bench({ rotation: 'grace' });
    age(DAY_MS);
    spark.failNextGrant({ kind: 'drop-after' });
    await expect(token()).rejects.toThrow(UnavailableError);
    age(10_000);
    expect(await token()).toEqual(expect.any(String));
  });

  it('asks for a sign-in after a lost answer on a strict server, and does not hang', async () => {
    const { spark, age, token } = await bench({ rotation: 'strict' });
    age(DAY_MS);
    spark.failNextGrant({ kind: 'drop-after' });
    await expect(token()).rejects.toThrow(UnavailableError);
    age(10_000);
    await expect(token()).rejects.toThrow(SignInRequiredError);
  });

  it('defers an uncertain refresh token as long as the access token lives, where told so', async () => {
    const { spark, age, token, service, read } = await bench({}, { onUnknown: 'defer' });
    const before = (await read())?.accessToken;
    age(DAY_MS * 0.6);
    spark.failNextGrant({ kind: 'reset' });
    await token();
    await service.drain();
    age(60_000);
    expect(await token()).toBe(before);
    await service.drain();
    expect(spark.grants('refresh_token')).toHaveLength(1);
    age(DAY_MS * 0.5);
    expect(await token()).not.toBe(before);
  });

  it('does not defer an uncertain refresh token when the API has refused the access token', async () => {
    const { spark, key, age, token, service } = await bench({}, { onUnknown: 'defer' });
    age(DAY_MS * 0.6);
    spark.failNextGrant({ kind: 'reset' });
    await token();
    await service.drain();
    age(60_000);

    const sent = service.use(key, async ({ generation }) => ({
      value: generation,
      expired: generation === 0,
      replayable: true,
    }));

    expect(await sent).toBe(1);
  });
});

// A server with a grace window may give two processes a new refresh token each, and know the later one alone.
describe('a renewal that lost against that of another process', () => {
  async function lostRenewal(
    refused: string,
  ): Promise<Bench & { readonly spent: readonly string[]; readonly id: string }> {
    const spent: string[] = [];
    const next = (of: string): Tokens => ({ accessToken: `access of ${of}`, refreshToken: of, lifetimeMs: DAY_MS });
    const renew = async ({ refreshToken = '' }: TokenRecord): Promise<Tokens> => {
      spent.push(refreshToken);
      if (refreshToken === refused) throw new TokenError('refused', 'invalid_grant');
      if (refreshToken !== 'first') return next(`next of ${refreshToken}`);
      await made.store.commit(id, 0, 'other attempt', 'other commit', { ...next('winner'), afterRefusal: false });
      return next('loser');
    };
    const made = await bench({}, { renew });
    const id = await made.service.create(next('first'), {});
    made.age(DAY_MS);
    expect(await made.service.accessToken(id)).toBe('access of winner');
    return { ...made, spent, id };
  }

  it('is tried before anybody has to sign in again', async () => {
    const { service, age, id, spent } = await lostRenewal('winner');
    age(DAY_MS);
    expect(await service.accessToken(id)).toBe('access of next of loser');
    expect(spent).toEqual(['first', 'winner', 'loser']);
  });

  it('is forgotten when what has won is renewed', async () => {
    const { service, age, id, spent } = await lostRenewal('next of winner');
    age(DAY_MS);
    expect(await service.accessToken(id)).toBe('access of next of winner');
    age(DAY_MS);
    await expect(service.accessToken(id)).rejects.toThrow(SignInRequiredError);
    expect(spent).toEqual(['first', 'winner', 'next of winner']);
  });
});

// Its answer came, and its write is on the way: the refresh token is spent, but nobody has to sign in.
it('waits for the process that spent the refresh token before it calls a sign-in over', async () => {
  let writeArrives = async (): Promise<void> => undefined;
  const clock = { now: () => performance.now(), sleep: () => writeArrives() };
  const renew = async (): Promise<Tokens> => {
    throw new TokenError('spent', 'invalid_grant');
  };
  const { store, key, age, token, read } = await bench({}, { clock, renew });
  await store.claim(key, (await read()) as TokenRecord, 'late attempt', 10_000);
  age(DAY_MS); // and its lease has lapsed
  const late = { accessToken: 'of the late process', refreshToken: 'next', lifetimeMs: DAY_MS, afterRefusal: false };
  writeArrives = async () => {
    await store.commit(key, 0, 'late attempt', 'late commit', late);
  };

  expect(await token()).toBe('of the late process');
});

// Its lease lapsed before its request was answered, and the next process was served first: it has the tokens, or will.
it('does not call a sign-in over while another process is at renewing it', async () => {
  let calledOver = false;
  const noted = (): boolean => {
    calledOver = true;
    return false;
  };
  const answers: ((tokens?: Tokens) => void)[] = [];
  const renew = (): Promise<Tokens> =>
    new Promise((resolve, reject) =>
      answers.push((tokens) => (tokens ? resolve(tokens) : reject(new TokenError('spent', 'invalid_grant')))),
    );
  const { service, another, key, age } = await bench({}, { renew, wrap: (store) => failing(store, 'markDead', noted) });
  age(DAY_MS);
  const first = service.accessToken(key);
  await until(() => answers.length === 1);
  age(11_000);
  const second = another().accessToken(key);
  await until(() => answers.length === 2);

  answers[0]?.();
  await delay(250);
  answers[1]?.({ accessToken: 'of the second', refreshToken: 'next', lifetimeMs: DAY_MS });

  expect(await Promise.all([first, second])).toEqual(['of the second', 'of the second']);
  expect(calledOver).toBe(false);
});

describe('a store that fails', () => {
  it('keeps renewed tokens, serves them, and stores them when the store is back', async () => {
    let away = false;
    const { spark, age, token, read, service } = await bench(
      {},
      { wrap: (store) => failing(store, 'commit', () => away) },
    );
    age(DAY_MS);
    away = true;
    const renewed = await token();
    expect(await token()).toBe(renewed);
    expect((await read())?.generation).toBe(0);

    away = false;
    await service.drain();
    expect((await read())?.generation).toBe(1);
    expect((await read())?.accessToken).toBe(renewed);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('keeps what it could not store for longer than ten minutes, while others are renewed', async () => {
    let now = 0;
    const clock = { now: () => now, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };
    let renewals = 0;
    const renew = async (): Promise<Tokens> => {
      renewals += 1;
      return { accessToken: `renewed ${renewals}`, refreshToken: 'next', lifetimeMs: DAY_MS };
    };
    let away = true;
    const { age, token, read, service } = await bench(
      {},
      { clock, renew, wrap: (store) => failing(store, 'commit', () => away) },
    );
    const other = await service.create({ accessToken: 'of another', refreshToken: 'another', lifetimeMs: DAY_MS }, {});
    age(DAY_MS);
    expect(await token()).toBe('renewed 1');
    now += 11 * 60_000;

    expect(await service.accessToken(other)).toBe('renewed 2');

    expect(await token()).toBe('renewed 1');
    away = false;
    await service.drain();
    expect(await read()).toMatchObject({ accessToken: 'renewed 1', generation: 1 });
  });

  it('offers a renewal again to a store that has gone back', async () => {
    const { spark, age, token, store, read, key } = await bench();
    const old = await read();
    age(DAY_MS);
    const renewed = await token();
    await store.remove(key); // a failover to a replica that lacked the last write
    await store.create(key, { ...(old as TokenRecord) });

    expect(await token()).toBe(renewed);
    expect((await read())?.generation).toBe(1);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  // The store knows a spent refresh token again, and a server that detects reuse would end the sign-in for it.
  it.each([
    ['the renewed access token', 1],
    ['the access token before, of a request that was slow', 0],
  ])('offers a renewal again before the next one, when the API refuses %s', async (_name, generation) => {
    const { spark, age, token, store, service, read, key } = await bench({ rotation: 'strict', reuseDetection: true });
    const old = (await read()) as TokenRecord;
    const renewOnce = async (): Promise<void> => {
      age(DAY_MS);
      await token();
    };
    if (generation === 1) await renewOnce();
    const slow = service.use(key, async (record) => {
      if (record.generation > generation) return { value: record.generation, expired: false, replayable: true };
      if (generation === 0) await renewOnce();
      await store.remove(key);
      await store.create(key, old);
      return { value: record.generation, expired: true, replayable: true };
    });

    expect(await slow).toBe(generation + 1);

    const sent = spark.grants('refresh_token').map(({ refreshToken }) => refreshToken);
    expect(new Set(sent).size).toBe(sent.length);
    expect(spark.acceptsRefreshToken((await read())?.refreshToken ?? '')).toBe(true);
  });

  it('offers no renewal again that is ten minutes old', async () => {
    let now = 0;
    const clock = { now: () => now, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };
    const { age, token, store, read, key } = await bench({}, { clock });
    const old = (await read()) as TokenRecord;
    age(DAY_MS);
    await token();
    await store.remove(key);
    await store.create(key, old);

    now += 10 * 60_000;

    expect(await token()).toBe(old.accessToken);
    expect((await read())?.generation).toBe(0);
  });

  // The store knows the spent refresh token alone: to send it again would end the sign-in.
  it('gets the renewal that it lacks before the next one, when both are due as it comes back', async () => {
    const clock = { now: () => performance.now() + passed, sleep: () => new Promise<void>(() => undefined) };
    let passed = 0;
    let away = true;
    const spent: (string | undefined)[] = [];
    const renew = async ({ refreshToken }: TokenRecord): Promise<Tokens> => {
      spent.push(refreshToken);
      return { accessToken: `access ${spent.length}`, refreshToken: `refresh ${spent.length}`, lifetimeMs: 60_000 };
    };
    const { age, token, read } = await bench(
      {},
      { clock, renew, wrap: (store) => failing(store, 'commit', () => away) },
    );
    const first = (await read())?.refreshToken;
    age(DAY_MS);
    expect(await token()).toBe('access 1');
    passed += 60_000;
    age(60_000);
    away = false;

    expect(await token()).toBe('access 2');

    expect(spent).toEqual([first, 'refresh 1']);
    expect(await read()).toMatchObject({ accessToken: 'access 2', generation: 2 });
  });

  it('is waited for by drain within its limit, and not any more afterwards', async () => {
    let sleeping = 0;
    let commits = 0;
    const clock = {
      now: () => performance.now(),
      sleep: async (ms: number, signal?: AbortSignal): Promise<void> => {
        sleeping += 1;
        await delay(ms, undefined, { signal }).finally(() => {
          sleeping -= 1;
        });
      },
    };
    const { age, token, service } = await bench(
      {},
      {
        clock,
        wrap: (store) =>
          failing(store, 'commit', () => {
            commits += 1;
            return true;
          }),
      },
    );
    age(DAY_MS);
    const renewed = await token();
    expect(sleeping).toBe(1); // until it tries again

    await service.drain({ withinMs: 250 });

    await new Promise(setImmediate);
    expect(sleeping).toBe(0);
    expect(commits).toBeGreaterThan(1);
    expect(await token()).toBe(renewed); // whoever still asks is served
  });

  it('is waited for by drain until it has got all, where it comes back in time', async () => {
    let away = true;
    const { age, token, service, read } = await bench({}, { wrap: (store) => failing(store, 'commit', () => away) });
    age(DAY_MS);
    await token();
    const drained = service.drain({ withinMs: 10_000 });
    away = false;
    await drained;
    expect((await read())?.generation).toBe(1);
  });

  it('is waited for by drain also when the renewal is still under way', async () => {
    let commits = 0;
    const failsOnce = (): boolean => {
      commits += 1;
      return commits === 1;
    };
    const { spark, age, token, service, read } = await bench(
      {},
      { wrap: (store) => failing(store, 'commit', failsOnce) },
    );
    age(DAY_MS * 0.6);
    spark.delayNextGrant(50);
    await token();
    await service.drain();
    expect(await read()).toMatchObject({ generation: 1 });
  });

  it('is not the only one: drain waits no longer than its limit for a token endpoint either', async () => {
    let answer = (_tokens: Tokens): void => undefined;
    const renew = (): Promise<Tokens> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const { age, token, service, read } = await bench({}, { renew });
    age(DAY_MS * 0.6);
    await token();

    await service.drain({ withinMs: 100 });

    expect((await read())?.generation).toBe(0);
    answer({ accessToken: 'late', refreshToken: 'late too', lifetimeMs: DAY_MS });
    await service.drain();
    expect((await read())?.accessToken).toBe('late'); // stored all the same, if the process lives that long
  });

  it('is waited for by drain as long as a number says', async () => {
    const { service } = await bench();
    await expect(service.drain(null as never)).rejects.toThrow('tokens.drain: the options are null; write');
    await expect(service.drain({ withinMs: Number.POSITIVE_INFINITY })).rejects.toThrow(
      'tokens.drain: "withinMs" is Infinity; write a whole number from 0 to',
    );
  });

  it('stores a renewal that comes late with the life that is left of it', async () => {
    let away = true;
    let now = 0;
    const clock = { now: () => now, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };
    const { age, token, read, service, key } = await bench(
      {},
      { clock, wrap: (store) => failing(store, 'commit', () => away) },
    );
    age(DAY_MS);
    await token();
    now += DAY_MS / 4; // the store is away for six hours
    expect(await service.peek(key)).toMatchObject({ generation: 1, leftMs: (DAY_MS * 3) / 4 });
    away = false;
    await service.drain();
    const record = await read();
    expect(record?.generation).toBe(1);
    expect(record?.leftMs).toBeLessThanOrEqual((DAY_MS * 3) / 4);
    expect(record?.leftMs).toBeGreaterThan((DAY_MS * 3) / 4 - 60_000);
  });

  it('turns whatever a store of somebody else throws into unavailable, without its details', async () => {
    const away = async (): Promise<never> => {
      throw Object.assign(new Error('duplicate row'), { parameters: ['secret token'] });
    };
    const { token } = await bench({}, { wrap: (store) => Object.assign(Object.create(store), { read: away }) });
    const error: unknown = await token().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret token');
  });

  it('says unavailable, never signed out, while the store is away', async () => {
    const { token } = await bench({}, { wrap: (store) => failing(store, 'read', () => true) });
    await expect(token()).rejects.toThrow(UnavailableError);
  });
});

describe('sign-out', () => {
  it('is not undone by a renewal under way, whose tokens are revoked', async () => {
    const { spark, age, token, service, key, read } = await bench();
    age(DAY_MS);
    spark.delayNextGrant(200);
    const waiting = token();
    await new Promise((resolve) => setTimeout(resolve, 80));
    await service.remove(key);

    await expect(waiting).rejects.toThrow(SignInRequiredError);
    expect(await read()).toBeUndefined();
    expect(spark.expireAllAccessTokens('agent')).toBe(0); // none is left to expire
  });

  // The access token lives on for a while; whoever waits for the renewal must not be served with it all the same.
  it.each([
    ['the claim', 'claim'],
    ['the commit', 'commit'],
  ] as const)('ends a request that waits for a renewal: seen by %s', async (_what, call) => {
    let signedOut: Promise<unknown> | undefined;
    const wrap = (store: TokenStore): TokenStore =>
      Object.assign(Object.create(store) as TokenStore, {
        [call]: async (...args: [never, never, never, never, never]) => {
          signedOut ??= store.remove(args[0]);
          await signedOut;
          return await store[call](...args);
        },
      });
    const { age, token } = await bench({}, { wrap });
    age(DAY_MS - 20_000);

    await expect(token()).rejects.toMatchObject({ name: 'SignInRequiredError', code: 'sign_in_required' });
  });

  it('ends a request that waits for a renewal which is refused', async () => {
    const renew = async (): Promise<Tokens> => {
      await store.remove(key);
      throw new TokenError('revoked', 'invalid_grant');
    };
    const { age, token, store, key } = await bench({}, { renew });
    age(DAY_MS - 20_000); // the access token lives on for a while

    await expect(token()).rejects.toMatchObject({ name: 'SignInRequiredError', code: 'sign_in_required' });
  });

  it('answers, and ends, a renewal that the store has not got yet', async () => {
    const { age, token, service, key } = await bench({}, { wrap: (store) => failing(store, 'commit', () => true) });
    age(DAY_MS);
    const renewed = await token();

    expect(await service.remove(key)).toMatchObject({ accessToken: renewed, generation: 1 });

    await expect(token()).rejects.toThrow(SignInRequiredError);
  });

  it('fails while the store is away, and can be tried again: the tokens may have to be revoked', async () => {
    let away = true;
    const { service, key, read } = await bench({}, { wrap: (store) => failing(store, 'read', () => away) });
    await expect(service.remove(key)).rejects.toMatchObject({ code: 'store_unavailable' });
    away = false;
    const { accessToken } = (await read()) as TokenRecord;
    expect(await service.remove(key)).toMatchObject({ accessToken });
    expect(await read()).toBeUndefined();
  });
});

it('treats the record of another client as absent', async () => {
  const { store, service, key } = await bench();
  const renew = async (): Promise<Tokens> => ({ accessToken: 'never asked for' });
  const other = new TokenService({ store, clientID: 'another-client', upstream: SPARK_UPSTREAM, renew });
  expect(await service.peek(key)).toBeDefined();
  expect(await other.peek(key)).toBeUndefined();
  await expect(other.accessToken(key)).rejects.toThrow(SignInRequiredError);
  expect(await other.remove(key)).toBeUndefined(); // else it would revoke them
});

describe('an access token that the API refused a caller who sends it by itself', () => {
  it('is renewed, and not answered again', async () => {
    const { spark, service, key } = await bench();
    const refused = await service.accessToken(key);

    const next = await service.accessToken(key, { refused });

    expect(next).not.toBe(refused);
    expect(await service.accessToken(key)).toBe(next);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('is not renewed where that has happened meanwhile', async () => {
    const { spark, service, key } = await bench();
    const refused = await service.accessToken(key);
    const next = await service.accessToken(key, { refused });

    expect(await service.accessToken(key, { refused })).toBe(next);
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('asks for a new sign-in, and spends nothing, where it was renewed a moment ago', async () => {
    const { spark, service, key } = await bench();
    const next = await service.accessToken(key, { refused: await service.accessToken(key) });

    const error: unknown = await service.accessToken(key, { refused: next }).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(SignInRequiredError);
    expect(spark.grants('refresh_token')).toHaveLength(1);
    expect(await service.accessToken(key)).toBe(next); // what else it may be good for is not ours to say
  });

  it.each([
    [{ refused: 401 }, '"refused" is of type number; write the token that the API has refused.'],
    [{ Refused: 'hush' }, 'did you mean "refused"?'],
    [null, 'the options are null; write { refused: accessToken }'],
  ])('is told as a text: %j', async (options, problem) => {
    const { service, key } = await bench();
    const error: unknown = await service.accessToken(key, options as object).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain(problem);
    expect(String(error)).not.toContain('hush');
  });
});

describe('tokens that were issued beforehand', () => {
  const tokens = { accessToken: 'issued', refreshToken: 'issued refresh', lifetimeMs: DAY_MS };

  it('are stored once: a restart does not put a spent refresh token back', async () => {
    const { service, store } = await bench();
    await service.adopt('office', tokens);
    await store.commit('adopted:office', 0, 'attempt', 'commit', {
      ...tokens,
      accessToken: 'renewed',
      afterRefusal: false,
    });
    await service.adopt('office', tokens);
    expect(await service.accessToken('adopted:office')).toBe('renewed');
  });

  it('are replaced as the next generation when asked for', async () => {
    const { service, store } = await bench();
    await service.adopt('office', tokens);
    await service.adopt('office', { ...tokens, accessToken: 'second' }, { replace: true });
    expect(await store.read('adopted:office')).toMatchObject({ accessToken: 'second', generation: 1 });
  });

  it('are removed by their name, in every process, and answered for what has to be revoked', async () => {
    const { service, another } = await bench();
    await service.adopt('office', tokens);

    expect(await another().removeAdopted('office')).toMatchObject(tokens);

    await expect(service.accessToken('adopted:office')).rejects.toBeInstanceOf(SignInRequiredError);
    expect(await service.removeAdopted('office')).toBeUndefined();
    await expect(service.removeAdopted(' ')).rejects.toThrow('"name" is blank; write the name');
  });

  it('are not removed by another client', async () => {
    const { service, store } = await bench();
    const renew = async (): Promise<Tokens> => tokens;
    const other = new TokenService({ store, clientID: 'another-client', upstream: SPARK_UPSTREAM, renew });
    await other.adopt('office', tokens);

    await expect(service.removeAdopted('office')).rejects.toThrow("the name 'office' holds tokens of another client");

    expect(await other.accessToken('adopted:office')).toBe('issued');
  });

  it.each([
    [
      'an answer of the token endpoint',
      { access_token: 'hush', refresh_token: 'hush', expires_in: 86_400 },
      [
        '"accessToken" is missing; write { accessToken, refreshToken, lifetimeMs }: access_token',
        '"expires_in" is not read here; write lifetimeMs: expires_in * 1000.',
      ],
    ],
    ['nothing', undefined, ['"accessToken" is missing']],
    ['a token alone', 'hush', ['"accessToken" is missing']],
    ['a blank token', { accessToken: ' ' }, ['"accessToken" is blank']],
    [
      'a token with the end of its line',
      { accessToken: 'hush\n' },
      ['"accessToken" holds characters that no header may'],
    ],
    ['no refresh token, written as null', { ...tokens, refreshToken: null }, ['"refreshToken" is null; write']],
    [
      'a refresh token with the end of its line',
      { accessToken: 'hush', refreshToken: 'hush\n' },
      ['"refreshToken" holds characters that no token may'],
    ],
    [
      'a lifetime of another name',
      { accessToken: 'hush', lifetimeMS: 5 },
      ['"lifetimeMS" is not an option; did you mean "lifetimeMs"?'],
    ],
    ['a lifetime that is a text', { ...tokens, lifetimeMs: 'hush' }, ['"lifetimeMs" is of type string; write']],
    ['a lifetime below zero', { ...tokens, lifetimeMs: -1 }, ['"lifetimeMs" is -1; write']],
    ['a lifetime that is no number', { ...tokens, lifetimeMs: Number.NaN }, ['"lifetimeMs" is NaN; write']],
  ])('are refused where they could not be used: %s', async (_what, given, problems) => {
    const { service, store } = await bench();
    const error: unknown = await service.adopt('office', given as Tokens).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    for (const problem of problems) expect(String(error)).toContain(problem);
    expect(String(error)).not.toContain('hush');
    expect(await store.read('adopted:office')).toBeUndefined();
  });

  // Renewed or not, they are the tokens of another account.
  it('are not overwritten by a renewal of tokens that were removed meanwhile', async () => {
    let answer: (tokens: Tokens) => void = () => undefined;
    const renew = (): Promise<Tokens> => new Promise((resolve) => (answer = resolve));
    const { service, another, age } = await bench({}, { renew });
    await service.adopt('office', { ...tokens, accessToken: 'of the account before' });
    age(DAY_MS);
    const waiting = service.accessToken('adopted:office');
    await delay(20);
    await another().removeAdopted('office');
    await another().adopt('office', { ...tokens, accessToken: 'of the next account' });

    answer({ ...tokens, accessToken: 'renewed for the account before' });

    expect(await waiting).toBe('of the next account');
    expect(await another().accessToken('adopted:office')).toBe('of the next account');
  });

  it('are not handed to another client, whose renewal ends when they have its name', async () => {
    let answer: (renewed: Tokens) => void = () => undefined;
    const renew = (): Promise<Tokens> => new Promise((resolve) => (answer = resolve));
    const { service, store, age } = await bench({}, { renew });
    await service.adopt('office', tokens);
    age(DAY_MS);
    const waiting = service.accessToken('adopted:office').catch((error: unknown) => error);
    await delay(20);
    await service.removeAdopted('office');
    await store.create('adopted:office', { ...tokens, clientID: 'another-client', commitId: 'theirs' });

    answer({ ...tokens, accessToken: 'renewed' });

    expect(await waiting).toBeInstanceOf(SignInRequiredError);
  });

  // The API has ended the old ones, of which this request holds one still.
  it('are used by a request whose tokens were replaced meanwhile', async () => {
    const { service, another } = await bench();
    await service.adopt('office', { accessToken: 'old' });

    const sent = await service.use('adopted:office', async ({ accessToken }) => {
      if (accessToken === 'old') await another().adopt('office', { accessToken: 'new' }, { replace: true });
      return { value: accessToken, expired: accessToken === 'old', replayable: true };
    });

    expect(sent).toBe('new');
  });

  it.each([
    ['a blank name', ' ', {}, '"name" is blank'],
    ['no name', undefined, {}, '"name" is missing'],
    ['an option that is none', 'office', { redirectUri: '/' }, 'did you mean "redirectURI"?'],
    ['no options', 'office', null, 'the options are null; write'],
    [
      'a flag that is a text, which would put spent tokens back',
      'office',
      { replace: 'false' },
      `"replace" is 'false'`,
    ],
  ])('are refused with %s', async (_what, name, options, problem) => {
    const { service } = await bench();
    await expect(service.adopt(name as string, tokens, options as object)).rejects.toThrow(problem);
  });

  it.each([{}, { replace: true }])('are refused under a name that another client uses: %j', async (options) => {
    const { service, store } = await bench();
    const renew = async (): Promise<Tokens> => tokens;
    const other = new TokenService({ store, clientID: 'another-client', upstream: SPARK_UPSTREAM, renew });
    await other.adopt('office', tokens);

    await expect(service.adopt('office', { ...tokens, accessToken: 'second' }, options)).rejects.toThrow(
      "the name 'office' holds tokens of another client; choose another",
    );

    expect(await other.accessToken('adopted:office')).toBe('issued');
  });

  // A renewal that this process remembers would be offered again to a store that has gone back.
  it('hold when they are stored anew, because the store has lost those before and their renewals', async () => {
    const renew = async (): Promise<Tokens> => ({ ...tokens, accessToken: 'renewed' });
    const { service, store, age } = await bench({}, { renew });
    await service.adopt('office', tokens);
    age(DAY_MS);
    expect(await service.accessToken('adopted:office')).toBe('renewed');
    await store.remove('adopted:office');

    await service.adopt('office', { ...tokens, accessToken: 'issued anew' });

    expect(await service.accessToken('adopted:office')).toBe('issued anew');
    expect(await store.read('adopted:office')).toMatchObject({ accessToken: 'issued anew', generation: 0 });
  });

  // The tokens of before were renewed just then: a spare, which must not come to life when the new ones are refused.
  it('hold against a renewal of those that they replace', async () => {
    const spent: (string | undefined)[] = [];
    let replaced: Promise<void> | undefined;
    const renew = async ({ refreshToken }: TokenRecord): Promise<Tokens> => {
      spent.push(refreshToken);
      replaced ??= other.adopt('office', { ...tokens, refreshToken: 'of another account' }, { replace: true });
      await replaced;
      if (refreshToken === 'of another account') throw new TokenError('refused', 'invalid_grant');
      return { ...tokens, refreshToken: `next of ${refreshToken}` };
    };
    const { service, another, store, age } = await bench({}, { renew });
    const other = another();
    await service.adopt('office', tokens);
    age(DAY_MS);
    await service.accessToken('adopted:office');
    age(DAY_MS);

    await expect(service.accessToken('adopted:office')).rejects.toThrow(SignInRequiredError);

    expect(spent).toEqual(['issued refresh', 'of another account']);
    expect((await store.read('adopted:office'))?.state).toBe('dead');
  });

  it('hold against what another process renewed under the same name before', async () => {
    let count = 0;
    const renew = async (): Promise<Tokens> => {
      count += 1;
      return { ...tokens, accessToken: `renewed ${count}` };
    };
    const { service, store, age, another } = await bench({}, { renew });
    await service.adopt('office', tokens);
    age(DAY_MS);
    expect(await service.accessToken('adopted:office')).toBe('renewed 1');
    await store.remove('adopted:office'); // the account was changed, by hand

    await another().adopt('office', { ...tokens, accessToken: 'of another account' });

    expect(await service.accessToken('adopted:office')).toBe('of another account');
    expect(await store.read('adopted:office')).toMatchObject({ accessToken: 'of another account', generation: 0 });
  });

  it('hold against a renewal of those before, which the store has not got yet', async () => {
    let away = true;
    const renew = async (): Promise<Tokens> => ({ ...tokens, accessToken: 'renewed' });
    const { service, store, age } = await bench({}, { renew, wrap: (inner) => failing(inner, 'commit', () => away) });
    await service.adopt('office', tokens);
    age(DAY_MS);
    expect(await service.accessToken('adopted:office')).toBe('renewed');
    await store.remove('adopted:office');
    await service.adopt('office', { ...tokens, accessToken: 'of another account' });

    away = false;
    await service.drain();

    expect(await store.read('adopted:office')).toMatchObject({ accessToken: 'of another account', generation: 0 });
  });

  it('are stored when the record that they replace is removed meanwhile', async () => {
    let removed = false;
    const wrap = (store: TokenStore): TokenStore =>
      Object.assign(Object.create(store) as TokenStore, {
        commit: async (...args: Parameters<TokenStore['commit']>) => {
          if (!removed) await store.remove(args[0]);
          removed = true;
          return await store.commit(...args);
        },
      });
    const { service, store } = await bench({}, { wrap });
    await service.adopt('office', tokens);

    await service.adopt('office', { ...tokens, accessToken: 'second' }, { replace: true });

    expect(await store.read('adopted:office')).toMatchObject({ accessToken: 'second', generation: 0 });
  });
});

it('publishes what became of each renewal, without token or key', async () => {
  const { age, token, key, read } = await bench();
  age(DAY_MS);

  const events = await eventsOf(() => Promise.all([token(), token()]));

  expect(events.map(({ outcome }) => outcome)).toEqual(['joined', 'renewed']);
  const text = JSON.stringify(events);
  expect(text).not.toContain(key);
  expect(text).not.toContain((await read())?.accessToken);
});

describe('the outcome of a renewal that is published', () => {
  /** What the API's refusal of an access token leads to, when somebody did something to its record meanwhile. */
  async function refusedAfter(
    meanwhile: (bench: Bench, record: TokenRecord) => Promise<unknown>,
  ): Promise<RenewalEvent[]> {
    const setting = await bench();
    return await eventsOf(() =>
      setting.service.use(setting.key, async (record) => {
        await meanwhile(setting, record);
        return { value: undefined, expired: true, replayable: true };
      }),
    );
  }

  it('is signed-out when the person signed out meanwhile', async () => {
    const events = await refusedAfter(({ store, key }) => store.remove(key));
    expect(events).toEqual([expect.objectContaining({ outcome: 'signed-out' })]);
  });

  it('is signed-out when the person signed out while the token endpoint was asked', async () => {
    const events = await refusedAfter(async ({ spark, store, key }) => {
      spark.delayNextGrant(100);
      setTimeout(() => void store.remove(key), 50);
    });
    expect(events).toEqual([expect.objectContaining({ outcome: 'signed-out' })]);
  });

  it('is dead when another process found the refresh token spent', async () => {
    const events = await refusedAfter(({ store, key }, record) => store.markDead(key, record));
    expect(events).toEqual([expect.objectContaining({ outcome: 'dead' })]);
    expect(events[0]).not.toHaveProperty('code');
  });

  it('is held when another process does not end it', async () => {
    let now = 0;
    const clock = {
      now: () => now,
      sleep: async (ms: number): Promise<void> => {
        now += ms;
      },
    };
    const { service, store, key } = await bench({}, { clock });
    const events = await eventsOf(() =>
      service.use(key, async (record) => {
        await store.claim(key, record, 'of another process', 600_000);
        return { value: undefined, expired: true, replayable: true };
      }),
    );
    expect(events).toEqual([expect.objectContaining({ outcome: 'held' })]);
    expect(events[0]?.durationMs).toBeGreaterThanOrEqual(75_000);
  });

  it('is served-stale, with how long the request waited, when nobody could renew a token that lives', async () => {
    const { spark, age, token, read } = await bench();
    const before = (await read())?.accessToken;
    age(DAY_MS - 20_000);
    spark.delayNextGrant(60);
    spark.failNextGrant({ kind: 'status', status: 503 });

    let served: string | undefined;
    const events = await eventsOf(async () => {
      served = await token();
    });

    expect(served).toBe(before);
    expect(events.map(({ outcome }) => outcome)).toEqual(['unknown', 'served-stale']);
    expect(events[1]?.durationMs).toBeGreaterThanOrEqual(50);
  });
});

/** What is published of renewals while this runs, whether it succeeds or not. */
async function eventsOf(work: () => Promise<unknown>): Promise<RenewalEvent[]> {
  const events: RenewalEvent[] = [];
  const listen = (event: unknown): void => {
    events.push(event as RenewalEvent);
  };
  subscribe(RENEWAL_CHANNEL, listen);
  await work().catch(() => undefined);
  unsubscribe(RENEWAL_CHANNEL, listen);
  return events;
}

/** A store one of whose calls rejects while `when` says so. */
function failing(store: TokenStore, call: keyof TokenStore, when: () => boolean): TokenStore {
  return new Proxy(store, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (name === call && when()) throw new UnavailableError('away', { code: 'store_unavailable' });
        return await (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}
