import { type ConfigError, RedisTokenStore, TokenService, type Tokens, UnavailableError } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { type RedisServer, startRedis } from '../support/redis.js';

const TOKENS = {
  accessToken: 'access-secret',
  refreshToken: 'refresh-secret',
  lifetimeMs: 3_600_000,
  clientID: 'client',
  commitId: 'first',
};

describe('RedisTokenStore', () => {
  let redis: RedisServer;

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    await redis.stop();
  });

  it('keeps one hash per key, under the prefix, and lets it go after the TTL', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client, { prefix: 'app:tokens:', ttlMs: 100_000 });
    await store.create('one', TOKENS);
    expect(await client.keys('*')).toEqual(['app:tokens:one']);
    expect(await client.type('app:tokens:one')).toBe('hash');

    await client.pexpire('app:tokens:one', 5_000);
    await store.read('one');
    expect(await client.pttl('app:tokens:one')).toBeGreaterThan(90_000); // slid by the read

    await client.pexpire('app:tokens:one', 5_000);
    await store.commit('one', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false });
    expect(await client.pttl('app:tokens:one')).toBeGreaterThan(90_000); // and by a renewal
  });

  it('keeps a record as long as its session lives, where that is longer than the TTL', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client, { ttlMs: 100_000, cacheMs: 0 });
    const life = async (): Promise<number> => {
      const left = await client.pttl('spark:token:one');
      await client.pexpire('spark:token:one', 5_000);
      return left;
    };
    await store.create('one', { ...TOKENS, keepMs: 500_000 });
    expect(await life()).toBeGreaterThan(490_000);
    await store.read('one');
    expect(await life()).toBeGreaterThan(490_000);
    await store.commit('one', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false });
    expect(await life()).toBeGreaterThan(490_000);
  });

  it('keeps adopted records without a time limit', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client);
    await store.create('office', { ...TOKENS, permanent: true });
    await store.read('office');
    await store.commit('office', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false });
    expect(await client.pttl('spark:token:office')).toBe(-1);
  });

  // What docs/tokens.md advises against lost writes must not take everybody's access when the one replica is lost.
  it('reads on while Redis takes no writes for want of replicas', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client, { cacheMs: 0 });
    await store.create('one', TOKENS);
    await client.config('SET', 'min-replicas-to-write', '1');

    expect(await store.read('one')).toMatchObject({ accessToken: 'access-secret' });
    await expect(store.create('two', TOKENS)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  // After a failover nothing that it says need be true any more.
  it.each([false, true])('reads nothing from a Redis that has become a replica; permanent: %p', async (permanent) => {
    const client = redis.connect();
    const store = new RedisTokenStore(client, { cacheMs: 0 });
    await store.create('one', { ...TOKENS, permanent });
    await client.replicaof('127.0.0.1', '1');

    await expect(store.read('one')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  // A master whose clock ran ahead, before a failover.
  it.each([
    ['a lease', { ca: 'other attempt', cl: 'later' }],
    ['a back-off', { bo: 'later' }],
  ])(
    'waits for no end of %s that lies further off than any is given',
    async (_what, fields: Record<string, string>) => {
      const client = redis.connect();
      const store = new RedisTokenStore(client);
      await store.create('one', TOKENS);
      const later = String(Date.now() + 3_600_000);
      for (const [name, value] of Object.entries(fields))
        await client.hset('spark:token:one', name, value === 'later' ? later : value);

      expect(await store.claim('one', { generation: 0, commitId: 'first' }, 'attempt', 10_000)).toMatchObject({
        kind: 'granted',
        outcomeUnknown: 'ca' in fields,
      });
    },
  );

  it('leaves a lease to its holder when the clock was set back a little', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client);
    await store.create('one', TOKENS);
    await client.hset('spark:token:one', { ca: 'other attempt', cl: String(Date.now() + 12_000) });

    expect(await store.claim('one', { generation: 0, commitId: 'first' }, 'attempt', 10_000)).toEqual({ kind: 'held' });
  });

  it('understands a client that gives numbers as texts', async () => {
    const store = new RedisTokenStore(redis.connect({ stringNumbers: true }));
    expect(await store.create('one', TOKENS)).toBe(true);
    expect(await store.once('callback', 'call', 1_000)).toBe(true);
    expect(await store.once('callback', 'another call', 1_000)).toBe(false);
    await store.claim('one', { generation: 0, commitId: 'first' }, 'attempt', 10_000);
    expect(await store.extend('one', 'attempt', 10_000)).toBe(true);
    expect(await store.markDead('one', { generation: 0, commitId: 'first' })).toBe(true);
  });

  it('goes on when Redis has forgotten its scripts', async () => {
    const client = redis.connect();
    const store = new RedisTokenStore(client);
    await store.create('one', TOKENS);
    await client.script('FLUSH');
    expect((await store.read('one'))?.accessToken).toBe('access-secret');
  });

  // A renewal may reach Redis late: on its second way with the script's text, or over a slow connection.
  it('does not remember what it read while a renewal was on its way', async () => {
    const client = redis.connect();
    let onTheWay = async (): Promise<unknown> => undefined;
    const store = new RedisTokenStore({
      eval: (...args) => client.eval(...args),
      evalsha: async (...args) => {
        const meanwhile = onTheWay;
        onTheWay = async () => undefined;
        await meanwhile();
        return await client.evalsha(...args);
      },
    });
    await store.create('one', TOKENS);
    onTheWay = () => store.read('one');

    await store.commit('one', 0, 'attempt', 'second', { ...TOKENS, accessToken: 'renewed', afterRefusal: false });

    expect(await store.read('one')).toMatchObject({ accessToken: 'renewed', generation: 1 });
  });

  it('says unavailable within its time limit while Redis is away, and shows no token', async () => {
    const store = new RedisTokenStore(redis.connect(), { timeoutMs: 200 });
    await store.create('one', TOKENS);
    await redis.stop();

    const began = Date.now();
    const error: unknown = await store
      .commit('one', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false })
      .catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(UnavailableError);
    expect(Date.now() - began).toBeLessThan(2_000);
    const shown = `${JSON.stringify(error)} ${String(error)} ${require('node:util').inspect(error, { depth: 10, showHidden: true })}`;
    expect(shown).not.toContain('secret');
  });

  // The tokens that a sign-out revokes: of what this process has cached, the server may know nothing any more.
  it('is asked at a sign-out for the tokens of the very moment', async () => {
    const settings = { clientID: 'client', upstream: SPARK_UPSTREAM };
    const renew = async (): Promise<Tokens> => ({ ...TOKENS, accessToken: 'renewed-secret' });
    const [one, other] = [1, 2].map(
      () => new TokenService({ ...settings, renew, store: new RedisTokenStore(redis.connect()) }),
    ) as [TokenService, TokenService];
    const key = await one.create({ ...TOKENS, lifetimeMs: 1 }, {});
    expect(await other.peek(key)).toMatchObject({ generation: 0 });
    expect(await one.accessToken(key)).toBe('renewed-secret');
    expect(await other.peek(key)).toMatchObject({ generation: 0 }); // cached

    expect(await other.remove(key)).toMatchObject({ accessToken: 'renewed-secret', generation: 1 });
  });

  it('reports a record that is none as corrupt, never as gone', async () => {
    const client = redis.connect();
    await client.hset('spark:token:one', 'something', 'else');
    await expect(new RedisTokenStore(client).read('one')).rejects.toMatchObject({ code: 'store_corrupt' });
  });
});

it('refuses what is no Redis client, and says what to write', () => {
  expect(() => new RedisTokenStore({} as never)).toThrow('write new RedisTokenStore(new Redis(url))');
});

// 'false' from the environment would let records pass that anybody could have written.
it('refuses options that would be taken for something else, all at once', () => {
  const client = { eval: async () => null, evalsha: async () => null };
  const options = {
    prefix: 5,
    ttlMs: 1_000.5,
    timeoutMs: 2 ** 31,
    cacheMs: 0.5,
    cacheSize: '9',
    allowUnencrypted: 'false',
  };
  let problems: readonly string[] = [];
  try {
    new RedisTokenStore(client, options as never);
  } catch (error) {
    problems = (error as ConfigError).problems;
  }

  expect(problems.map((problem) => /"(\w+)"/.exec(problem)?.[1]).sort()).toEqual(Object.keys(options).sort());
  expect(problems.join()).toContain(`"allowUnencrypted" is 'false'; write true or false`);
  expect(() => new RedisTokenStore(client, null as never)).toThrow('the options are null');
});
