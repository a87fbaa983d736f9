import type { Measured } from './load.js';
import { type Candidate, CONCURRENCIES, SCENARIOS, type Scenario } from './setting.js';

/** One candidate in one scenario: medians over the rounds. Times in milliseconds, CPU in milliseconds per 1,000 requests. */
export interface Cell extends Measured {
  readonly candidate: Candidate;
  readonly scenario: Scenario;
  readonly concurrency: number;
}

/** All rounds of one cell. */
export interface Rounds {
  readonly candidate: Candidate;
  readonly scenario: Scenario;
  readonly concurrency: number;
  readonly rounds: readonly Measured[];
}

export function cellOf({ rounds, ...where }: Rounds): Cell {
  const of = (name: keyof Measured, digits: number): number =>
    Number(median(rounds.map((round) => round[name])).toFixed(digits));
  return {
    ...where,
    rps: of('rps', 0),
    p50: of('p50', 3),
    p99: of('p99', 3),
    cpuPer1000: of('cpuPer1000', 1),
    rssMiB: of('rssMiB', 1),
  };
}

/** Markdown: a table for each scenario and concurrency, with ratios to `hpm` round by round. */
export function tables(all: readonly Rounds[]): string {
  return SCENARIOS.flatMap((scenario) =>
    CONCURRENCIES.map((concurrency) => {
      const rows = all.filter((one) => one.scenario === scenario && one.concurrency === concurrency);
      return rows.length === 0 ? '' : table(`${scenario}, concurrency ${concurrency}`, rows);
    }),
  )
    .filter(Boolean)
    .join('\n\n');
}

function table(title: string, rows: readonly Rounds[]): string {
  const base = rows.find(({ candidate }) => candidate === 'hpm');
  const lines = rows.map((row) => {
    const cell = cellOf(row);
    const ratios = row.rounds.map(({ rps }, i) => rps / (base?.rounds[i]?.rps ?? Number.NaN));
    const ratio = `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
    const numbers = [
      cell.rps,
      ratio,
      cell.p50.toFixed(2),
      cell.p99.toFixed(2),
      cell.cpuPer1000,
      cell.rssMiB.toFixed(0),
    ];
    return `| ${cell.candidate} | ${numbers.join(' | ')} |`;
  });
  return [
    `### ${title}`,
    '',
    '| candidate | requests/s | × hpm (spread) | p50 ms | p99 ms | CPU ms per 1,000 | memory MiB |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
