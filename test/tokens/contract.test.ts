import { MemoryTokenStore, RedisTokenStore } from '../../src/index.js';
import { tokenStoreContract } from '../../src/testing/index.js';
import { type RedisServer, startRedis } from '../support/redis.js';

describe('MemoryTokenStore', () => {
  it.each([...tokenStoreContract])('$name', async ({ run }) => {
    await run(new MemoryTokenStore());
  });
});

describe('RedisTokenStore', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });

  describe.each([
    ['as it comes', {}],
    ['without its cache', { cacheMs: 0 }],
    ['with encryption at rest', { encryptionKeys: ['a secret of at least thirty-two characters'] }],
  ])('%s', (_name, options) => {
    it.each([...tokenStoreContract])('$name', async ({ run }) => {
      await run(new RedisTokenStore(redis.connect(), options));
    });
  });
});
