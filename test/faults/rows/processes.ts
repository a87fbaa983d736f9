import type { Row } from '../row.js';
import type { Step } from '../worker.js';
import type { World } from '../world.js';

/** One lease, in which a dead process still counts as busy, and a little. */
const LEASE_MS = 11_000;

export const processRows: readonly Row[] = [
  ...(['strict', 'grace', 'none'] as const).map(
    (rotation): Row => ({
      fault: 'none; grants take 0-4 s',
      rotation,
      fullOnly: rotation !== 'strict',
      lifeSeconds: 6,
      people: 50,
      workers: rotation === 'strict' ? 4 : 2,
      rate: rotation === 'strict' ? 800 : 300,
      last: rotation === 'strict',
      disturb: async (world, { quick, requestsLeft }) => {
        const delays = Array.from({ length: quick ? 100 : 900 }, () => Math.floor(Math.random() * 4_000));
        await Promise.all(delays.map((ms) => world.spark.delayGrants(ms, 1)));
        await world.goOn(quick ? 4_000 : 30_000);
        const latest = Date.now() + 90_000;
        while (rotation === 'strict' && world.sent < requestsLeft && Date.now() < latest) await world.goOn(500);
      },
    }),
  ),

  ...(['strict', 'grace'] as const).flatMap((rotation) => [
    killedAt('claimed', { fault: 'killed after the claim', rotation, fullOnly: rotation === 'grace' }),
    // The rotation is lost with the process: strict servers have nothing left that the store knows.
    killedAt('committing', {
      fault: 'killed before the commit',
      rotation,
      fullOnly: rotation === 'strict',
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
    }),
    killedAt('committed', { fault: 'killed after the commit', rotation, fullOnly: rotation === 'grace' }),
    killedWhileSent({
      fault: 'killed during the grant',
      rotation,
      fullOnly: rotation === 'strict',
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
    }),
    frozen({
      fault: 'holder frozen, retry',
      rotation,
      fullOnly: rotation === 'strict',
      onUnknown: 'retry',
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
    }),
    frozen({
      fault: 'holder frozen, defer',
      rotation,
      fullOnly: rotation === 'strict',
      onUnknown: 'defer',
      mayRepeat: true,
      ...onlyStrictAsks(rotation),
    }),
  ]),

  {
    fault: 'holder frozen, defer, reuse kills',
    rotation: 'strict',
    lifeSeconds: 60,
    onUnknown: 'defer',
    emulator: { reuseDetection: true },
    mayRepeat: true,
    // Half of the life is over, and plenty is left: the renewal is not urgent, and may wait for the frozen holder.
    prepare: async (world) => {
      await world.signInEverybody();
      await Promise.all(world.people.map((person) => world.age(person, 31_000)));
    },
    disturb: freezeHolder,
    check: async (_world, { spentTwice }) =>
      spentTwice === 0 ? [] : ['a deferred renewal spent a refresh token that the frozen holder had spent'],
  },
];

/** A rotation that was lost is lost for good where the old refresh token dies at once. */
export function onlyStrictAsks(rotation: Row['rotation']): Pick<Row, 'asked'> {
  return rotation === 'strict' ? { asked: () => true } : {};
}

function killedAt(step: Step, row: Omit<Row, 'disturb'>): Row {
  return {
    ...row,
    disturb: async (world, { quick, times }) => {
      for (let i = 0; i < times; i += 1) {
        const worker = world.worker(world.workers.length - 1);
        await worker.reaches(step, { stop: true });
        await worker.kill();
        await world.addWorker();
        await world.goOn(quick ? 1_000 : LEASE_MS);
      }
    },
  };
}

/** The process dies while Spark works on its request: Spark does not notice, and rotates. */
function killedWhileSent(row: Omit<Row, 'disturb'>): Row {
  return {
    ...row,
    disturb: async (world, { quick, times }) => {
      for (let i = 0; i < times; i += 1) {
        const worker = world.worker(world.workers.length - 1);
        await world.spark.delayGrants(1_500, 6);
        await worker.reaches('claimed');
        await world.goOn(300);
        await worker.kill();
        await world.addWorker();
        await world.goOn(quick ? 1_000 : LEASE_MS);
      }
    },
  };
}

function frozen(row: Omit<Row, 'disturb'>): Row {
  return { ...row, disturb: freezeHolder };
}

/** A process stops while Spark works for it, longer than its lease, and then gets the answer that waits for it. */
async function freezeHolder(world: World, { quick }: { quick: boolean }): Promise<void> {
  const holder = world.worker(0);
  await world.spark.delayGrants(1_500, 6, 'after');
  await holder.reaches('claimed');
  await world.goOn(300);
  holder.freeze();
  await world.goOn(quick ? LEASE_MS + 1_000 : 2 * LEASE_MS - 3_000);
  holder.thaw();
  await world.goOn(quick ? 500 : 3_000);
}
