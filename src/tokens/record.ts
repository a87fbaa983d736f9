import { createHash, randomBytes } from 'node:crypto';
import type { Role } from '../platform.js';

/** What a token endpoint gave. */
export interface Tokens {
  readonly accessToken: string;
  /** Absent where the server gives none: then there is nothing to renew, and no limit applies. */
  readonly refreshToken?: string | undefined;
  /** Lifetime of the access token in milliseconds, counted from the answer. Absent: it never expires. */
  readonly lifetimeMs?: number | undefined;
}

/** Where tokens come from. A renewal has no request to derive these from, so the record carries them. */
export interface TokenOrigin {
  /** The client the tokens were issued to; a record of another client counts as absent. */
  readonly clientID: string;
  readonly role?: Role | undefined;
  readonly portal?: string | undefined;
  /** Sent with a renewal: its domain must match the registered one (vendor's OAuth 2 page). */
  readonly redirectURI?: string | undefined;
  /** How the tokens were got, where their renewal depends on it: `client_credentials` asks for new ones, and spends nothing. */
  readonly grant?: string | undefined;
  /** What they were asked for, for a renewal that has to ask again (RFC 6749 §3.3). Absent: for no scope by name. */
  readonly scope?: string | undefined;
  /** Parameters of the server's own (`audience`, `resource` …) that `OAuth2Client` sends with each renewal. */
  readonly params?: Readonly<Record<string, string>> | undefined;
}

/** What is kept under a session link's key, as a store reads it back. */
export interface TokenRecord extends Tokens, TokenOrigin {
  /** Counts renewals; the sign-in is 0. */
  readonly generation: number;
  /** Random; names *this* generation. */
  readonly commitId: string;
  /** The commit id of generation 0, or of tokens that replaced it: tells these from others that were under the same name. */
  readonly rootId: string;
  readonly state: 'live' | 'dead';
  /** Milliseconds until the access token expires, by the store's clock, at the moment of the answer. Absent: never. */
  readonly leftMs?: number | undefined;
  /** Milliseconds since these tokens were stored, by the store's clock. */
  readonly ageMs: number;
  /** Stored because the API had refused the generation before, not because that one's time ran out. */
  readonly afterRefusal: boolean;
}

/** Can this text be an access token (RFC 6749 §A.12)? What holds other characters could not be sent. */
export function isAccessToken(text: unknown): text is string {
  return typeof text === 'string' && /^[\x20-\x7e]+$/.test(text);
}

/** The generation that a caller looked at when it decided to act. */
export type Seen = Pick<TokenRecord, 'generation' | 'commitId'>;

export type Freshness = 'use' | 'renew-behind' | 'wait';

/** Renew in the background below this share of the lifetime. */
const SOFT_SHARE = 0.5;
/** Wait for the renewal at this many milliseconds before the expiry. */
const HARD_MS = 30_000;
/** Never let the hard limit eat a short lifetime: at most 1/20 of it. */
const HARD_SHARE = 1 / 20;

/** What to do with a renewable record of which `leftMs` milliseconds are left now. */
export function freshness(record: TokenRecord, leftMs: number | undefined): Freshness {
  if (leftMs === undefined || record.lifetimeMs === undefined) return 'use';
  if (leftMs <= Math.min(HARD_MS, record.lifetimeMs * HARD_SHARE)) return 'wait';
  const softMs = record.lifetimeMs * SOFT_SHARE;
  if (leftMs > softMs) return 'use'; // most requests: no need to work the jitter out
  return leftMs <= softMs * jitter(record.commitId) ? 'renew-behind' : 'use';
}

/**
 * 0.9 to 1, the same for one generation in every process: people who signed in together are not renewed together,
 * and a record does not sway around its limit from one request to the next.
 */
function jitter(commitId: string): number {
  const byte = createHash('sha256').update(commitId).digest()[0] ?? 0;
  return 1 - byte / 2_550;
}

/** Names a record, a generation or an attempt so that nobody can guess it. */
export function randomId(bytes = 16): string {
  return randomBytes(bytes).toString('base64url');
}
