import type { SparkEmulatorOptions } from '../../src/emulator/index.js';
import type { Rotation } from '../../test/faults/spark.js';

/** The peer as its README has it, with what a careful user adds, and ours. */
export const CANDIDATES = ['refresh', 'refresh-lock', 'refresh-lock-reload', 'ours'] as const;
export type Candidate = (typeof CANDIDATES)[number];

/** What the server does to a refresh token that was used. */
export interface Server {
  readonly name: string;
  readonly rotation: Rotation;
  readonly more?: SparkEmulatorOptions;
}

export const SERVERS: readonly Server[] = [
  { name: 'strict: a refresh token dies with its first use', rotation: 'strict' },
  {
    name: 'strict, and a second use ends the sign-in (RFC 9700 §4.14.2)',
    rotation: 'strict',
    more: { reuseDetection: true },
  },
  { name: 'grace: for 30 s the first use is repeated', rotation: 'grace' },
  { name: 'none: the refresh token stays the same', rotation: 'none' },
];

export const PROCESSES = 4;
export const REQUESTS = 200;
/** Of an access token. Longer than a round, so that what was renewed in it does not expire in it. */
export const LIFE_MS = 20_000;
/** A token endpoint on the same machine would answer before the storm has arrived. */
export const GRANT_MS = 200;

export const PATHS = { signIn: '/login', callback: '/auth/spark/callback', health: '/health' } as const;
