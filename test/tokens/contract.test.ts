import { MemoryTokenStore, RedisTokenStore } from '../../src/index.js';
import { tokenStoreContract } from '../../src/testing/index.js';
import { type RedisServer, startRedis } from '../support/redis.js';

describe('MemoryTokenStore', () => {
  it.each([...tokenStoreContract])('$name', async ({ run }) => {
    await run(new MemoryTokenStore());
  });
});

it('the case of unknown outcomes finds a store that grants nothing after a commit', async () => {
  const stuck = new MemoryTokenStore();
  const claim = stuck.claim.bind(stuck);
  stuck.claim = async (key, seen, ...rest) =>
    seen.generation > 0 ? { kind: 'held' } : await claim(key, seen, ...rest);
  const unknown = tokenStoreContract.find(({ name }) => name.startsWith('remembers an unknown outcome'));

  await expect(unknown?.run(stuck)).rejects.toThrow('a commit ends');
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

  it.each([...tokenStoreContract])('over a client that pipelines by itself: $name', async ({ run }) => {
    await run(new RedisTokenStore(redis.connect({ enableAutoPipelining: true })));
  });
});
