import type { Result } from './row.js';

/** One row as it is reported. */
export interface ReportRow {
  readonly fault: string;
  readonly rotation: string;
  readonly requests: number;
  readonly renewals: number;
  readonly spentTwice: number;
  readonly sessionsLost: number;
  readonly askedToSignIn: number;
}

const COLUMNS = ['fault', 'rotation', 'requests', 'renewals', 'spentTwice', 'sessionsLost', 'askedToSignIn'] as const;

export function reportRow({ row, figures }: Result): ReportRow {
  const { requests, renewals, spentTwice, sessionsLost, askedToSignIn } = figures;
  return { fault: row.fault, rotation: row.rotation, requests, renewals, spentTwice, sessionsLost, askedToSignIn };
}

/** Aligned for reading: words to the left, numbers to the right. */
export function table(rows: readonly ReportRow[]): string {
  const lines = [COLUMNS.map(String), ...rows.map((row) => COLUMNS.map((column) => String(row[column])))];
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}
