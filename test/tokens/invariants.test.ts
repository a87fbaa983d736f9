import { setTimeout as sleep } from 'node:timers/promises';
import { ANSWER_MS, type Worker } from '../faults/application.js';
import type { Outcome, Person } from '../faults/people.js';
import { buildPrograms, cleanUp, type Programs } from '../faults/processes.js';
import { World, type WorldOptions } from '../faults/world.js';

/** Each invariant of the token service over real processes, a real Redis and the emulator as a process of its own. */

jest.setTimeout(60_000);

const LIFE_MS = 60_000;
const worlds: World[] = [];
let programs: Programs;

beforeAll(() => {
  programs = buildPrograms();
});

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.stop()));
});

afterAll(cleanUp); // jest's process object tells no `exit`

/** People whose access tokens have expired, or are about to, in front of four processes that have not read them yet. */
async function startWorld({
  leftMs = 0,
  ...options
}: Partial<WorldOptions> & { leftMs?: number } = {}): Promise<World> {
  const world = await World.start(programs, {
    rotation: 'strict',
    people: 1,
    workers: 4,
    lifeSeconds: LIFE_MS / 1_000,
    ...options,
  });
  worlds.push(world);
  await world.signInEverybody();
  await Promise.all(world.people.map((person) => world.age(person, LIFE_MS - leftMs)));
  return world;
}

async function outcome(world: World, person: Person, worker: Worker): Promise<Outcome> {
  const reply = await world.request(person, worker);
  expect(reply.tookMs).toBeLessThan(ANSWER_MS);
  return reply.outcome;
}

/** Many requests at once, each with its own person and process. */
async function allAtOnce(
  world: World,
  count: number,
  personOf: (index: number) => Person = () => world.person(0),
): Promise<Outcome[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, i) => outcome(world, personOf(i), world.worker(Math.floor(i / 2) % 4))),
  );
}

async function signOut(person: Person, worker: Worker): Promise<number> {
  const request = { method: 'POST', path: '/sign-out', headers: person.headers() } as const;
  const { statusCode, body } = await worker.http.request(request);
  await body.dump();
  return statusCode;
}

it('I1: spends the refresh token once when 200 requests in four processes find the access token expired', async () => {
  const world = await startWorld();
  await world.spark.delayGrants(500, 1);

  expect(await allAtOnce(world, 200)).toEqual(Array(200).fill('served'));
  expect(await world.renewals()).toHaveLength(1);
});

it('I2: never sets a generation back, also when a holder comes back that everybody took for dead', async () => {
  const world = await startWorld({ rotation: 'none' });
  const [person, holder] = [world.person(0), world.worker(0)];
  const reads: Promise<number>[] = []; // over one connection, so they are answered in this order
  const watch = setInterval(() => {
    reads.push(world.stored(person).then(({ g }) => Number(g)));
  }, 20);
  try {
    await world.spark.delayGrants(600, 1, 'after');
    const claimed = holder.reaches('claimed');
    const first = outcome(world, person, holder);
    await claimed;
    await sleep(200);
    holder.freeze();
    for (const other of [world.worker(1), world.worker(2)]) {
      await world.lapse(person);
      await world.age(person, LIFE_MS);
      expect(await outcome(world, person, other)).toBe('served');
    }
    await sleep(500); // the answer for the frozen holder is there
    holder.thaw();
    expect(await first).toBe('served');
    await sleep(500);
  } finally {
    clearInterval(watch);
  }
  const generations = await Promise.all(reads); // the last may still be out, on a busy machine

  expect(await world.renewals()).toHaveLength(3);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  expect(generations.at(-1)).toBe(2);
});

it('I3: never sends one person’s token for another, in 400 interleaved requests of two people', async () => {
  const world = await startWorld({ people: 2 });
  await world.spark.delayGrants(300, 2);

  expect(await allAtOnce(world, 400, (i) => world.person(i % 2))).toEqual(Array(400).fill('served'));
  expect(await world.renewals()).toHaveLength(2);
});

it.each([
  ['invalid_client', { kind: 'refuse', error: 'invalid_client', status: 401 }],
  ['a refusal nobody knows', { kind: 'refuse', error: 'something_new' }],
  ['503', { kind: 'status', status: 503 }],
] as const)('I4: signs nobody out for %s', async (_what, fault) => {
  const world = await startWorld({ people: 10, workers: 2 });
  await world.spark.failGrants(fault, 10);

  const refused = await Promise.all(world.people.map((person, i) => outcome(world, person, world.worker(i % 2))));
  expect(refused).toEqual(Array(10).fill('unavailable'));

  await Promise.all(world.people.map((person) => world.lapse(person)));
  const after = await Promise.all(world.people.map((person, i) => outcome(world, person, world.worker(i % 2))));
  expect(after).toEqual(Array(10).fill('served'));
});

// What is left of the access token's life is nobody's to use after a sign-out: not for who waits for the renewal, either.
it.each([
  ['has expired', 0],
  ['lives on for two seconds', 2_000],
])('I5: brings nothing back after a sign-out during a renewal, when the access token %s', async (_what, leftMs) => {
  const world = await startWorld({ leftMs });
  const [person, holder, other] = [world.person(0), world.worker(0), world.worker(1)];
  await world.spark.delayGrants(800, 1);
  const claimed = holder.reaches('claimed');
  const waiting = outcome(world, person, holder);
  await claimed;

  expect(await signOut(person, other)).toBe(204);
  expect(await waiting).toBe('asked');

  const [renewal] = await world.renewals();
  expect(await world.spark.accepts(renewal?.issued?.refreshToken ?? '')).toBe(false); // what came too late is revoked
  const later = await Promise.all(world.workers.map((worker) => outcome(world, person, worker)));
  expect(later).toEqual(Array(4).fill('asked'));
  expect(await world.stored(person)).toEqual({});
});

it('I6: kill -9 at any step leaves a record that works, or that says sign in', async () => {
  const world = await startWorld({ people: 3 });
  const steps = ['claimed', 'committing', 'committed'] as const;
  await Promise.all(
    steps.map(async (step, i) => {
      const reached = world.worker(i).reaches(step, { stop: true });
      const lost = world.request(world.person(i), world.worker(i));
      await reached;
      await world.worker(i).kill();
      expect((await lost).outcome).toBe('broken');
    }),
  );

  const decided = await Promise.all(world.people.map((person) => decision(world, person, world.worker(3))));

  // Strict rotation: what the second process had got is lost with it. No client can save that.
  expect(decided).toEqual(['served', 'asked', 'served']);
});

/** What the application says in the end; it says «not now» for a lease and the time that a late writer gets. */
async function decision(world: World, person: Person, worker: Worker): Promise<Outcome | 'never'> {
  const until = Date.now() + 20_000;
  while (Date.now() < until) {
    const answer = await outcome(world, person, worker);
    if (answer !== 'unavailable') return answer;
    await sleep(250);
  }
  return 'never';
}
