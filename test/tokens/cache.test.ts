import type { TokenRecord } from '../../src/index.js';
import { RecordCache } from '../../src/tokens/cache.js';

const RECORD: TokenRecord = {
  accessToken: 'access',
  refreshToken: 'refresh',
  lifetimeMs: 60_000,
  leftMs: 50_000,
  ageMs: 10_000,
  generation: 3,
  commitId: 'third',
  rootId: 'first',
  state: 'live',
  afterRefusal: false,
  clientID: 'client',
};

function cacheAt(max = 10): { cache: RecordCache; pass(ms: number): void } {
  let now = 0;
  return {
    cache: new RecordCache(max, 5_000, () => now),
    pass: (ms) => {
      now += ms;
    },
  };
}

it('does not remember a dead record, which may come to life in another process', () => {
  const { cache } = cacheAt();
  cache.end(cache.begin('key'), { ...RECORD, state: 'dead' });
  expect(cache.get('key')).toBeUndefined();
});

it('serves what was read, counted down, and not beyond its time', () => {
  const { cache, pass } = cacheAt();
  cache.end(cache.begin('key'), RECORD);
  pass(4_000);
  expect(cache.get('key')).toEqual({ ...RECORD, leftMs: 46_000, ageMs: 14_000 });
  pass(1_000);
  expect(cache.get('key')).toBeUndefined();
});

// Redis said what was left when it was asked, at the earliest.
it('counts the time that the read took', () => {
  const { cache, pass } = cacheAt();
  const slow = cache.begin('key');
  pass(3_000);
  cache.end(slow, RECORD);
  expect(cache.get('key')).toEqual({ ...RECORD, leftMs: 47_000, ageMs: 13_000 });
  pass(2_000);
  expect(cache.get('key')).toBeUndefined();
});

// Read, renew, and only then does the read's answer arrive: it is the generation whose refresh token is spent.
it('does not take a slow read that a write has overtaken', () => {
  const { cache } = cacheAt();
  const slow = cache.begin('key');
  cache.overtake('key');
  cache.end(slow, RECORD);
  expect(cache.get('key')).toBeUndefined();

  cache.end(cache.begin('key'), RECORD);
  expect(cache.get('key')).toBeDefined();
});

it('keeps the reads of other keys', () => {
  const { cache } = cacheAt();
  const other = cache.begin('other');
  cache.overtake('key');
  cache.end(other, RECORD);
  expect(cache.get('other')).toBeDefined();
});

it('forgets what was written, and what was found to be gone', () => {
  const { cache } = cacheAt();
  cache.end(cache.begin('key'), RECORD);
  cache.overtake('key');
  expect(cache.get('key')).toBeUndefined();
  cache.end(cache.begin('gone'), undefined);
  expect(cache.get('gone')).toBeUndefined();
});

it('holds no more records than it may', () => {
  const { cache } = cacheAt(2);
  for (const key of ['a', 'b', 'c']) cache.end(cache.begin(key), RECORD);
  expect(['a', 'b', 'c'].map((key) => cache.get(key) !== undefined)).toEqual([false, true, true]);
});

// I3: a cache that mixed keys up would hand one person's token to another.
it('answers each key with its own record', () => {
  const { cache } = cacheAt();
  for (const key of ['one', 'two']) cache.end(cache.begin(key), { ...RECORD, accessToken: `token of ${key}` });
  expect(cache.get('one')?.accessToken).toBe('token of one');
  expect(cache.get('two')?.accessToken).toBe('token of two');
  expect(cache.get('three')).toBeUndefined();
});
