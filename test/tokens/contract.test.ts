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

  it.each([...tokenStoreContract])('$name', async ({ run }) => {
    await run(new RedisTokenStore(redis.connect()));
  });
});
