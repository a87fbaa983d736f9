import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { check, load, type Measured } from './load.js';
import { endAll, isInstalled, startCandidate, startNginxCandidate, startRedis, startUpstream } from './processes.js';
import { CANDIDATES, type Candidate, CONCURRENCIES, type Listening, SCENARIOS, YARDSTICKS } from './setting.js';
import { cellOf, type Rounds, tables } from './table.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    /** One round of one second each: shows that it works, and no more. */
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    /** Comma-separated, to look at a few only. */
    candidates: { type: 'string' },
    scenarios: { type: 'string' },
    concurrencies: { type: 'string' },
    /** How many people are signed in, and call in turn. Default 1. */
    sessions: { type: 'string' },
    /** The Redis clients of all candidates send the commands of one moment together. */
    'auto-pipelining': { type: 'boolean', default: false },
    /** The API speaks TLS, as Spark's does. */
    tls: { type: 'boolean', default: false },
  },
});

interface Running {
  readonly name: Candidate;
  readonly pid: number;
  readonly listening: Listening;
}

function chosen<T>(all: readonly T[], list: string | undefined): T[] {
  return all.filter((one) => list === undefined || list.split(',').includes(String(one)));
}

async function main(): Promise<void> {
  for (const program of ['wrk', 'nginx', 'redis-server', ...(values.tls ? ['openssl'] : [])]) {
    if (!isInstalled(program))
      throw new Error(`${program} is not on the PATH; on Debian: apt-get install wrk nginx-light redis-server openssl`);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 2));
  // 256 big answers under way together take the slowest candidate a second and more, before the first is complete.
  const secondsOf = (concurrency: number): number => (concurrency > 32 ? 3 * seconds : seconds);
  const names = values.candidates === undefined ? CANDIDATES : [...CANDIDATES, ...YARDSTICKS];
  const running = await startAll(chosen(names, values.candidates));
  note(
    `load before: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}; ${rounds} rounds of ${seconds} s`,
  );
  for (const { name, listening, pid } of running) {
    await check(name, listening);
    await load(name, listening, pid, { scenario: 'small', concurrency: 32, seconds: values.quick ? 1 : 3 }); // warm
  }
  const results = new Map<string, Rounds & { rounds: Measured[] }>();
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1}`);
    for (const scenario of chosen(SCENARIOS, values.scenarios)) {
      for (const concurrency of chosen(CONCURRENCIES, values.concurrencies)) {
        // Side by side in time, so that whatever else the machine does meets all of them.
        for (const { name: candidate, pid, listening } of running) {
          const key = `${candidate} ${scenario} ${concurrency}`;
          // V8 drops optimised code of a process that has been idle, as this one was while the others had their turns.
          await load(candidate, listening, pid, { scenario, concurrency: 32, seconds: 1 });
          const row = results.get(key) ?? { candidate, scenario, concurrency, rounds: [] };
          row.rounds.push(
            await load(candidate, listening, pid, { scenario, concurrency, seconds: secondsOf(concurrency) }),
          );
          results.set(key, row);
        }
      }
    }
  }
  const all = [...results.values()];
  console.log(values.json ? JSON.stringify({ cells: all.map(cellOf) }) : tables(all));
}

async function startAll(names: readonly Candidate[]): Promise<Running[]> {
  const setting = {
    redisPort: await startRedis(),
    upstream: await startUpstream(values),
    sessions: Number(values.sessions ?? 1),
    autoPipelining: values['auto-pipelining'],
  };
  const running: Running[] = [];
  for (const name of names) {
    const { child, listening } =
      name === 'nginx' ? await startNginxCandidate(setting) : await startCandidate(name, setting);
    running.push({ name, pid: child.pid ?? 0, listening });
  }
  return running;
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
