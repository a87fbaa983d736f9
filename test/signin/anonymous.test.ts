import { Agent, request } from 'node:http';
import { RedisStore } from 'connect-redis';
import { RedisTokenStore } from '../../src/index.js';
import { startApp } from '../support/app.js';
import { startRedis } from '../support/redis.js';
import { Visitor } from '../support/visitor.js';

const HITS = 10_000;

// A crawler that finds the wall must not fill the session store.
it('creates no session and no record for 10,000 anonymous hits on the wall', async () => {
  const redis = await startRedis();
  const client = redis.connect();
  const { url } = await startApp({
    strategy: { tokenStore: new RedisTokenStore(client) },
    session: { store: new RedisStore({ client }) },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const counts = new Map<number, number>();
  const hit = (i: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const accept = i % 2 === 0 ? 'text/html' : 'application/json';
      request(`${url}/page/${i}`, { agent, headers: { accept } }, (res) => {
        counts.set(res.statusCode ?? 0, (counts.get(res.statusCode ?? 0) ?? 0) + 1);
        res.resume().on('end', resolve);
      })
        .on('error', reject)
        .end();
    });
  for (let i = 0; i < HITS; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => hit(i + j)));
  agent.destroy();

  expect([...counts].sort()).toEqual([
    [302, HITS / 2],
    [401, HITS / 2],
  ]);
  expect(await client.dbsize()).toBe(0);

  await new Visitor(url).signIn('/page'); // what is counted is there: a session, a record, a spent attempt
  expect(await client.dbsize()).toBe(3);
  await redis.stop();
}, 60_000);
