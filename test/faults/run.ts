/**
 * The fault suite: real processes, a real Redis, the emulator as a process of its own. Ends with a table, and with
 * exit code 1 when a row broke one of its rules.
 *
 *   npm run faults                    all rows, at least 100 000 requests
 *   npm run faults -- --quick         the short form, for every change
 *   npm run faults -- --only frozen   rows whose name has this in it
 *   npm run faults -- --json          one JSON object on stdout instead of the table
 */
import { parseArgs } from 'node:util';
import { buildPrograms, cleanUp, type Programs } from './processes.js';
import { type Pace, type Result, type Row, runRow } from './row.js';
import { grantRows } from './rows/grants.js';
import { processRows } from './rows/processes.js';
import { redisRows } from './rows/redis.js';
import { sessionRows } from './rows/sessions.js';
import { reportRow, table } from './table.js';

const ROWS: readonly Row[] = [...processRows, ...redisRows, ...grantRows, ...sessionRows];

/** What a full run makes at least, with a little to spare. */
const REQUESTS = 102_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      parallel: { type: 'string' },
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      cleanUp();
      process.exit(130);
    });
  }
  const pace = values.quick ? { quick: true, times: 1 } : { quick: false, times: 2 };
  const rows = ROWS.filter((row) => !(pace.quick && row.fullOnly) && nameOf(row).includes(values.only));
  const began = Date.now();
  const programs = buildPrograms();
  const parallel = Number(values.parallel ?? (pace.quick ? 12 : 3));
  const [first, last] = [rows.filter((row) => pace.quick || !row.last), rows.filter((row) => !pace.quick && row.last)];
  const outcomes = await runAll(first, programs, { ...pace, requestsLeft: 0 }, parallel);
  const requestsLeft = pace.quick || values.only !== '' ? 0 : REQUESTS - requestsOf(outcomes);
  outcomes.unshift(...(await runAll(last, programs, { ...pace, requestsLeft }, 1)));
  const results = outcomes.filter((outcome) => 'figures' in outcome);
  const requests = requestsOf(outcomes);
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  say(`${rows.length} rows, ${requests} requests, ${Math.round((Date.now() - began) / 1_000)} s`);
  for (const { row, problems } of failed) say(`BROKEN ${nameOf(row)}: ${problems.join('; ')}`);
  const report = results.map(reportRow);
  console.log(values.json ? JSON.stringify({ rows: report }) : table(report));
  process.exitCode = failed.length === 0 ? 0 : 1;
}

type Outcome = Result | { readonly row: Row; readonly problems: readonly string[] };

function requestsOf(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, outcome) => sum + ('figures' in outcome ? outcome.figures.requests : 0), 0);
}

/** Some rows at a time, because most of a row is waiting. The long ones are at the front of the list. */
async function runAll(rows: readonly Row[], programs: Programs, pace: Pace, parallel: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...rows.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [i, row] = next;
      const began = Date.now();
      const outcome = await runRow(row, programs, pace).catch((error: unknown) => ({ row, problems: [String(error)] }));
      outcomes[i] = outcome;
      const verdict = outcome.problems.length === 0 ? 'ok' : `BROKEN: ${outcome.problems.join('; ')}`;
      say(`${nameOf(row)}: ${verdict} (${Math.round((Date.now() - began) / 1_000)} s) ${detailsOf(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return outcomes;
}

function detailsOf(outcome: Outcome): string {
  if (!('figures' in outcome)) return '';
  const { slowestMs, outcomes, spentTwice, askedToSignIn } = outcome.figures;
  const counted = Object.entries(outcomes).filter(([, count]) => count > 0);
  return `${counted.map(([name, count]) => `${name} ${count}`).join(', ')}, slowest ${slowestMs} ms, spentTwice ${spentTwice}, asked ${askedToSignIn}`;
}

function nameOf({ fault, rotation }: Row): string {
  return `${fault} [${rotation}]`;
}

/** Progress, beside the report. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

main().catch((error: unknown) => {
  console.error(error);
  cleanUp();
  process.exit(1);
});
