import { inspect } from 'node:util';
import { MemoryTokenStore, SparkStrategy, type TokenStore } from '../../src/index.js';
import { Once } from '../../src/signin/once.js';
import { CLIENT } from '../support/app.js';

it('says so when its options are none', () => {
  expect(() => new MemoryTokenStore(null as never)).toThrow('the options are null; write { ttlMs: 86_400_000 }');
});

const TOKENS = { accessToken: 'access', refreshToken: 'refresh', lifetimeMs: 60_000, clientID: 'client' };

function storeAt(ttlMs: number): { store: MemoryTokenStore; pass(ms: number): void } {
  let now = 0;
  return {
    store: new MemoryTokenStore({ ttlMs, now: () => now }),
    pass: (ms) => {
      now += ms;
    },
  };
}

it('keeps a record for its TTL after the last renewal', async () => {
  const { store, pass } = storeAt(1_000);
  await store.create('one', { ...TOKENS, commitId: 'first' });
  pass(900);
  await store.commit('one', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false });
  pass(900);
  expect(await store.read('one')).toMatchObject({ generation: 1 });
  pass(1_000);
  expect(await store.read('one')).toBeUndefined();
});

it('keeps a record as long as its session lives, where that is longer, and drops others that lapse behind it', async () => {
  const { store, pass } = storeAt(1_000);
  await store.create('long', { ...TOKENS, commitId: 'first', keepMs: 3_000 });
  await store.create('short', { ...TOKENS, commitId: 'first', accessToken: 'of who stays away', keepMs: 10 });
  pass(2_900);
  await store.create('new', { ...TOKENS, commitId: 'first' });
  expect(inspect(store, { depth: 5, showHidden: true })).not.toContain('of who stays away');
  expect(await store.read('long')).toBeDefined();
  pass(2_900);
  expect(await store.read('long')).toBeDefined();
  pass(3_000);
  expect(await store.read('long')).toBeUndefined();
});

// Nobody asks for the tokens of who stays away: without this they would fill the process.
it('drops what has lapsed when somebody signs in, also behind a record without a time limit', async () => {
  const { store, pass } = storeAt(1_000);
  await store.create('office', { ...TOKENS, commitId: 'first', permanent: true });
  await store.create('one', { ...TOKENS, commitId: 'first', accessToken: 'of who stays away' });
  expect(inspect(store, { depth: 5, showHidden: true })).toContain('of who stays away');
  pass(1_000);

  await store.create('two', { ...TOKENS, commitId: 'first' });

  expect(inspect(store, { depth: 5, showHidden: true })).not.toContain('of who stays away');
  expect(await store.read('office')).toBeDefined();
});

// Anybody can make a name happen, by a callback or a nonce of their own.
it('remembers a hundred thousand things that happened once, and forgets the oldest first', async () => {
  const store = new MemoryTokenStore();
  for (let i = 0; i <= 100_000; i += 1) await store.once(`name ${i}`, 'first', 600_000);
  expect(await store.once('name 100000', 'again', 600_000)).toBe(false);
  expect(await store.once('name 0', 'again', 600_000)).toBe(true);
});

describe('MemoryTokenStore where NODE_ENV is production', () => {
  const environment = process.env.NODE_ENV;
  let warn: jest.SpyInstance;

  beforeEach(() => {
    warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    process.env.NODE_ENV = 'production';
  });
  afterEach(() => {
    warn.mockRestore();
    process.env.NODE_ENV = environment;
  });

  it('is not what a sign-in remembers its attempts with, where the token store can not', async () => {
    const once = new Once({} as TokenStore);
    expect([await once.isFirst('attempt', 1_000), await once.isFirst('attempt', 1_000)]).toEqual([true, false]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('says nothing elsewhere', () => {
    process.env.NODE_ENV = 'development';
    expect(new MemoryTokenStore()).toBeDefined();
    expect(warn).not.toHaveBeenCalled();
  });

  // Last: a process is told once.
  it('warns once, also where it is the default, and says what to write', () => {
    const callbackURL = 'https://app.example.com/auth/spark/callback';
    for (let i = 0; i < 2; i += 1) new SparkStrategy({ ...CLIENT, callbackURL }, (_a, _r, _p, done) => done(null, {}));
    expect(new MemoryTokenStore()).toBeDefined();

    expect(warn.mock.calls).toEqual([
      [
        expect.stringContaining('Write tokenStore: new RedisTokenStore(redis).'),
        { type: 'MemoryTokenStore', code: 'SPARK_MEMORY_STORE' },
      ],
    ]);
  });
});
