import type { Storm } from './round.js';
import { type Candidate, SERVERS } from './setting.js';

/** All rounds of one candidate beside one kind of server. */
export interface Row {
  readonly server: string;
  readonly candidate: Candidate;
  readonly rounds: readonly (Storm & { readonly signedInLater: boolean })[];
}

const NAMES: Readonly<Record<Candidate, string>> = {
  refresh: 'passport-oauth2-refresh',
  'refresh-lock': '… with a lock in each process',
  'refresh-lock-reload': '… and the session read again after a refusal',
  ours: 'sparkProxy',
};

/** Markdown: a table for each kind of server; the median of the rounds, and the worst of them where it differs. */
export function tables(rows: readonly Row[]): string {
  return SERVERS.map(({ name }) => {
    const lines = rows.filter(({ server }) => server === name).map(line);
    return [
      `### ${name[0]?.toUpperCase()}${name.slice(1)}`,
      '',
      '| | grants | refused | spent again | requests failed | told to sign in | ms | signed in after it | after the next expiry |',
      '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
      ...lines,
    ].join('\n');
  }).join('\n\n');
}

function line({ candidate, rounds }: Row): string {
  const cells = (['grants', 'refused', 'spentTwice', 'failed', 'asked', 'ms'] as const).map((name) =>
    medianAndWorst(rounds.map((round) => round[name])),
  );
  const share = (name: 'signedIn' | 'signedInLater'): string =>
    `${rounds.filter((round) => round[name]).length} of ${rounds.length}`;
  return `| ${[NAMES[candidate], ...cells, share('signedIn'), share('signedInLater')].join(' | ')} |`;
}

function medianAndWorst(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  const worst = sorted.at(-1) ?? 0;
  return median === worst ? String(median) : `${median} (${worst})`;
}
