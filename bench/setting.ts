/** What every candidate is told, through its environment. */
export interface Setting {
  /** Origin of the API that is called. */
  readonly upstream: string;
  readonly redisPort: number;
  /** How many people are signed in, each in a session of their own. */
  readonly sessions: number;
  /** Do the Redis clients send the commands of one moment together (ioredis' `enableAutoPipelining`)? */
  readonly autoPipelining?: boolean;
}

export const CANDIDATES = [
  'bare',
  'nginx',
  'hpm',
  'hpm-default',
  'express-http-proxy',
  'fastify',
  'ours',
  'ours-fast',
  'ours-lane',
] as const;
/** Runs only where it is named: what the stack takes by itself, which is the most that any proxy in it could reach. */
export const YARDSTICKS = ['stack'] as const;
export type Candidate = (typeof CANDIDATES)[number] | (typeof YARDSTICKS)[number];

export const SCENARIOS = ['small', 'big', 'post'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const CONCURRENCIES = [1, 32, 256] as const;

export const SMALL_BYTES = 1_536;
export const BIG_BYTES = 256 * 1_024;
export const POST_BYTES = 64 * 1_024;
export const POST_ANSWER = '{"D":{"Success":true,"Results":[]}}';

/** What a candidate prints when it listens. */
export interface Listening {
  readonly url: string;
  /** The session cookies of the people who are signed in; none where the candidate has no sessions. */
  readonly cookies: readonly string[];
}

export const ACCESS_TOKEN = 'bench-access-token';
export const SECRET = 'the secret of the bench';
