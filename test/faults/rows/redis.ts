import { oneRedis, redisCluster, redisPair } from '../redis.js';
import type { Row } from '../row.js';
import type { World } from '../world.js';
import { onlyStrictAsks } from './processes.js';

/** Long enough that renewals fall into it, and shorter than a lease. */
const AWAY_MS = 3_000;

const everybody = (count: number, people: number): boolean => count === people;

export const redisRows: readonly Row[] = [
  ...(['strict', 'none'] as const).map(
    (rotation): Row => ({
      fault: 'Redis stopped and started',
      rotation,
      fullOnly: rotation === 'none',
      redis: () => oneRedis(true),
      disturb: (world, { times }) => restart(world, 'SIGTERM', times),
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      fault: 'Redis killed, with persistence',
      rotation,
      fullOnly: rotation === 'grace',
      redis: () => oneRedis(true),
      disturb: (world, { times }) => restart(world, 'SIGKILL', times),
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      fault: 'Redis killed, without persistence',
      rotation,
      fullOnly: rotation === 'grace',
      asked: everybody,
      disturb: (world) => restart(world, 'SIGKILL', 1),
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      fault: 'FLUSHALL',
      rotation,
      fullOnly: rotation === 'strict',
      asked: everybody,
      disturb: async (world) => {
        await world.goOn(world.lifeMs);
        await world.client.flushall();
        await world.goOn(5_000); // as long as a process may remember a record
      },
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      fault: 'failover without the last commits',
      rotation,
      redis: redisPair,
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
      disturb: (world) => failOver(world),
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      // What the store says is behind, and just then everybody has to be renewed.
      fault: 'failover, and all access tokens ended early',
      rotation,
      fullOnly: rotation === 'grace',
      redis: redisPair,
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
      disturb: (world) => failOver(world, () => world.spark.expireAccessTokens()),
    }),
  ),
  ...(['strict', 'grace'] as const).map(
    (rotation): Row => ({
      fault: 'Cluster master killed',
      rotation,
      fullOnly: rotation === 'strict',
      redis: redisCluster,
      // Replication is asynchronous: what the master had acknowledged last may be lost with it.
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
      disturb: async (world) => {
        await world.goOn(world.lifeMs);
        await world.redis.servers[0]?.stop('SIGKILL');
        await world.goOn(8_000);
      },
    }),
  ),
];

async function restart(world: World, signal: NodeJS.Signals, times: number): Promise<void> {
  const [server] = world.redis.servers;
  for (let i = 0; i < times; i += 1) {
    await world.goOn(world.lifeMs);
    await server?.stop(signal);
    await world.goOn(AWAY_MS);
    await server?.start();
    await world.goOn(world.lifeMs);
  }
}

/** The replica is cut off, renewals go on at the primary, then the primary dies and the replica takes its place. */
async function failOver(world: World, andThen = async (): Promise<void> => undefined): Promise<void> {
  const [primary, replica] = world.redis.servers;
  if (!primary || !replica) throw new Error('This row needs a pair of servers.');
  await world.goOn(world.lifeMs);
  await replica.command('REPLICAOF', 'NO', 'ONE');
  await world.goOn(world.lifeMs * 0.4); // shorter than one generation
  world.redis.point(replica);
  await primary.stop('SIGKILL');
  await andThen();
  await world.goOn(world.lifeMs * 2);
}
