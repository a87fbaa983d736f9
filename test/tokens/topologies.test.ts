import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { RedisTokenStore } from '../../src/index.js';
import { tokenStoreContract } from '../../src/testing/index.js';
import { cleanUp, freePort, start, temporaryFolder } from '../faults/processes.js';
import { connectTo, RedisServer, redisCluster, until } from '../faults/redis.js';

afterAll(cleanUp);

/** Runs the whole contract on a store that its set-up has opened. */
function contractOn(name: string, open: () => Promise<{ store: RedisTokenStore; close(): Promise<void> }>): void {
  describe(name, () => {
    let opened: Awaited<ReturnType<typeof open>>;

    beforeAll(async () => {
      opened = await open();
    }, 60_000);
    afterAll(async () => {
      await opened.close();
    });

    it.each([...tokenStoreContract])('$name', async ({ run }) => {
      await run(opened.store);
    });
  });
}

contractOn('RedisTokenStore on a Cluster of three masters', async () => {
  const cluster = await redisCluster();
  const client = connectTo(cluster.address);
  await until('the client sees the Cluster', async () => (await client.ping()) === 'PONG');
  return {
    store: new RedisTokenStore(client),
    close: async () => {
      client.disconnect();
      await cluster.stop();
    },
  };
});

contractOn('RedisTokenStore by way of Sentinel', async () => {
  const master = await RedisServer.start();
  const port = await freePort();
  const config = join(temporaryFolder('spark-sentinel-'), 'sentinel.conf');
  writeFileSync(config, `port ${port}\nbind 127.0.0.1\nsentinel monitor spark 127.0.0.1 ${master.port} 1\n`);
  start('redis-server', [config, '--sentinel'], { stdio: 'ignore' });
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port }],
    name: 'spark',
    sentinelRetryStrategy: () => 50,
  });
  client.on('error', () => undefined); // while Sentinel starts
  await client.ping();
  return {
    store: new RedisTokenStore(client),
    close: async () => {
      client.disconnect();
      await master.stop('SIGKILL');
    },
  };
});
