import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Spark } from '../test/faults/spark.js';
import { endAll, isInstalled, startRedis } from './processes.js';
import { Fleet } from './storm/fleet.js';
import { isSignedIn, type Storm, storm } from './storm/round.js';
import { CANDIDATES, type Candidate, GRANT_MS, LIFE_MS, SERVERS, type Server } from './storm/setting.js';
import { type Row, tables } from './storm/table.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
  },
});

const MANY = 100_000;

interface Person {
  readonly candidate: Candidate;
  readonly fleet: Fleet;
  readonly cookie: string;
}

async function main(): Promise<void> {
  if (!isInstalled('redis-server'))
    throw new Error('redis-server is not on the PATH; on Debian: apt-get install redis-server');
  const redisPort = await startRedis();
  const rows: Row[] = [];
  for (const server of SERVERS) {
    note(server.name);
    rows.push(...(await stormsAt(server, redisPort)));
  }
  console.log(values.json ? JSON.stringify({ rows }) : tables(rows));
  for (const { server, rounds } of rows.filter(({ candidate }) => candidate === 'ours')) {
    if (rounds.every(({ grants, failed, signedInLater }) => grants === 1 && failed === 0 && signedInLater)) continue;
    note(`sparkProxy did not do it with one grant and without a failure: ${server}`);
    process.exitCode = 1;
  }
}

/** Everybody signs in, all tokens expire, and one storm follows the other, each with a person of its own. */
async function stormsAt(server: Server, redisPort: number): Promise<Row[]> {
  const rounds = Array.from({ length: Number(values.rounds) }, (_, i) => i);
  const usernames = CANDIDATES.flatMap((candidate) => rounds.map((round) => `${candidate}-${round}`));
  const options = { rotation: server.rotation, expiresIn: LIFE_MS / 1_000, ...server.more };
  const spark = await Spark.start(join(__dirname, 'emulator.js'), usernames, options);
  const fleets = new Map<Candidate, Fleet>();
  try {
    for (const candidate of CANDIDATES)
      fleets.set(candidate, await Fleet.start(candidate, { redisPort, upstream: spark.url, sessions: 0 }));
    const people: Person[] = [];
    for (const round of rounds) {
      for (const [candidate, fleet] of fleets)
        people.push({ candidate, fleet, cookie: await fleet.signIn(`${candidate}-${round}`) });
    }
    await spark.delayGrants(GRANT_MS, MANY);
    await sleep(LIFE_MS);
    const storms = new Map<Person, Storm>();
    for (const person of people) storms.set(person, await storm(person.fleet, person.cookie, spark, server));
    await sleep(LIFE_MS);
    const later = await Promise.all(people.map(({ fleet, cookie }) => isSignedIn(fleet, cookie)));
    return CANDIDATES.map((candidate) => ({
      server: server.name,
      candidate,
      rounds: people.flatMap((person, i) => {
        const came = storms.get(person);
        return person.candidate === candidate && came ? [{ ...came, signedInLater: later[i] ?? false }] : [];
      }),
    }));
  } finally {
    await Promise.all([...fleets.values()].map((fleet) => fleet.stop()));
    await spark.stop();
  }
}

/** Progress, out of the way of the table and the JSON. */
function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

main()
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(endAll);
