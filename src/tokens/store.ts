import { type GrantOutcome, SparkError, UnavailableError } from '../errors.js';
import type { Seen, TokenOrigin, TokenRecord, Tokens } from './record.js';

/** A record to begin with. */
export interface NewTokenRecord extends Tokens, TokenOrigin {
  readonly commitId: string;
  /** Keep without a time limit (single-session keys), instead of the store's TTL. */
  readonly permanent?: boolean | undefined;
  /** Keep for at least so long after the last use, in milliseconds: as the session lives that the record belongs to. */
  readonly keepMs?: number | undefined;
}

/** What to store after a renewal. Where the server gave no new refresh token, the caller puts the old one here again. */
export interface RenewedTokens extends Tokens {
  /** The API had refused the generation before. */
  readonly afterRefusal: boolean;
  /** Root id of the record that was renewed. Absent: whatever record stands there now. */
  readonly ofRootId?: string | undefined;
  /** For tokens that come from elsewhere in place of a renewal: the root id from now on. Absent: it stays. */
  readonly rootId?: string | undefined;
}

export type ClaimAnswer =
  /** Somebody renewed since `seen`: use this one, or look at it and claim again. */
  | { readonly kind: 'fresh'; readonly record: TokenRecord }
  /** Another attempt is under way. */
  | { readonly kind: 'held' }
  /** A failed attempt asked everybody to wait. */
  | { readonly kind: 'backoff'; readonly ms: number }
  | { readonly kind: 'dead' }
  | { readonly kind: 'gone' }
  /** The claim is yours. `outcomeUnknown`: an earlier attempt may have spent this refresh token without telling. */
  | { readonly kind: 'granted'; readonly record: TokenRecord; readonly outcomeUnknown: boolean };

export type CommitAnswer =
  | { readonly kind: 'committed'; readonly record: TokenRecord }
  /** Another generation won. */
  | { readonly kind: 'stale'; readonly record: TokenRecord }
  | { readonly kind: 'gone' };

/** How a claim ended without tokens. `unknown` (time-out, reset, 5xx, an unusable 200) is kept for the next holder. */
export type Settlement = GrantOutcome;

/**
 * Where tokens live. A store decides each of these calls atomically for one key, over all processes, by **its own** clock,
 * and answers a call that is sent twice (a client that reconnects sends again) as it answered the first time.
 * Every call rejects when the store is away; it never answers «gone» for «I don't know».
 */
export interface TokenStore {
  /** Stores generation 0, only if the key is absent. Answers whether this call's record (by `commitId`) is the stored one. */
  create(key: string, record: NewTokenRecord): Promise<boolean>;
  /**
   * The record, or undefined when there is none. Slides the TTL. Rejects with an `UnavailableError` of code `store_corrupt`
   * where there is one that can not be read: nobody is signed out for it, but a sign-out removes it.
   */
  read(key: string): Promise<TokenRecord | undefined>;
  /**
   * Asks for the right to spend the refresh token of the generation `seen`, for `leaseMs`. A lease that lapses unsettled
   * makes the next grant `outcomeUnknown`: its holder may have sent the refresh token before it died.
   */
  claim(key: string, seen: Seen, attemptId: string, leaseMs: number): Promise<ClaimAnswer>;
  /** Heartbeat: the lease runs `leaseMs` from now. Answers whether the claim is still this attempt's. */
  extend(key: string, attemptId: string, leaseMs: number): Promise<boolean>;
  /**
   * Stores what the renewal of `generation` brought as generation + 1, makes the record live and ends every claim.
   * Compares the generation **only**, not the lease: a holder whose lease lapsed but whose POST succeeded has the only
   * refresh token that lives. A record *behind* `generation` is a store that lost a write (failover): it is overwritten.
   * One of another root than `ofRootId` holds other tokens, stored after ours were removed: `stale`, at any generation.
   */
  commit(
    key: string,
    generation: number,
    attemptId: string,
    commitId: string,
    tokens: RenewedTokens,
  ): Promise<CommitAnswer>;
  /** Ends this attempt's claim without tokens; `backoffMs` makes every process wait before the next. */
  settle(key: string, attemptId: string, outcome: Settlement, backoffMs?: number): Promise<void>;
  /** Marks exactly this generation as beyond renewal. Answers whether it was still the stored one. */
  markDead(key: string, seen: Seen): Promise<boolean>;
  /**
   * Removes the record; nothing but {@link create} brings the key back. Answers what this very call has removed, where it
   * can be read: its tokens are the last, and may have to be revoked. A call that is sent twice may answer undefined.
   */
  remove(key: string): Promise<TokenRecord | undefined>;
  /**
   * Answers whether this call (by `callId`) is the first with this name, over all processes, until `ttlMs` have passed:
   * so that a callback counts once. A store without it leaves that to each process's own memory.
   */
  once?(name: string, callId: string, ttlMs: number): Promise<boolean>;
}

/** What no back-off is longer than, in milliseconds. */
export const MAX_BACKOFF_MS = 5 * 60 * 1_000;

/** Default time that a record is kept after its last use: 30 days, in milliseconds. */
export const DEFAULT_TTL_MS = 30 * 24 * 60 * 60 * 1_000;

/** A store whose every failure is an {@link UnavailableError}: what a database driver throws must not become a 500, or show its arguments. */
export function guarded(store: TokenStore): TokenStore {
  return {
    create: (...args) => guard(() => store.create(...args)),
    read: (...args) => guard(() => store.read(...args)),
    claim: (...args) => guard(() => store.claim(...args)),
    extend: (...args) => guard(() => store.extend(...args)),
    commit: (...args) => guard(() => store.commit(...args)),
    settle: (...args) => guard(() => store.settle(...args)),
    markDead: (...args) => guard(() => store.markDead(...args)),
    remove: (...args) => guard(() => store.remove(...args)),
    ...(store.once && { once: (...args) => guard(async () => (await store.once?.(...args)) ?? true) }),
  };
}

async function guard<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SparkError) throw error;
    throw new UnavailableError('The token store failed.', { code: 'store_unavailable', cause: error });
  }
}
