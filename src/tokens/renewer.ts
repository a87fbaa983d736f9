import { setMaxListeners } from 'node:events';
import { LRUCache } from 'lru-cache';
import { describeError, SignInRequiredError, TokenError, UnavailableError } from '../errors.js';
import { publishRenewal, type RenewalEvent } from './events.js';
import type { RecentRenewals, Renewal } from './recent.js';
import { type Freshness, freshness, randomId, type Seen, type TokenRecord, type Tokens } from './record.js';
import { MAX_BACKOFF_MS, type Settlement, type TokenStore } from './store.js';

/** Whose tokens are renewed, and how. */
export interface RenewalOptions {
  /** The client whose tokens these are; records of another client count as absent. */
  readonly clientID: string;
  /** Spends the record's refresh token. Rejects with `TokenError`. */
  readonly renew: (record: TokenRecord) => Promise<Tokens>;
  /** Can this record be renewed? Default: if it has a refresh token. Client credentials need none. */
  readonly renewable?: ((record: TokenRecord) => boolean) | undefined;
  /** Makes tokens unusable at the server, where it has a way to. */
  readonly revoke?: ((tokens: Tokens) => Promise<void>) | undefined;
  /**
   * What to do with a refresh token that an earlier attempt may have spent. `retry` (default): at once, right for
   * servers with a grace window. `defer`: serve the access token while it lives, right for strict servers with reuse detection.
   */
  readonly onUnknown?: 'retry' | 'defer' | undefined;
}

/** What a token service measures and waits by. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Rejects when it is told to stop. */
  sleep(ms: number, stop?: AbortSignal): Promise<void>;
}

const LEASE_MS = 10_000;
const HEARTBEAT_MS = 3_000;
/** Longer than a holder is at it: the default deadline of its POST, and one lease. */
const HELD_MS = 75_000;
const LATE_WRITER_MS = 5_000;
const TRANSIENT_BACKOFF_MS = 2_000;
const CONFIG_BACKOFF_MS = 10_000;
/** Shorter than {@link LATE_WRITER_MS}, by the time that a client may take to connect again. */
const SAVE_RETRY_MS = 2_000;
const MAX_SPARES = 1_000;
const MAX_WARNED = 100;
const WARNED_MS = 10 * 60 * 1_000;

/** A record, and when it was read: from then on this process counts its time by itself. */
export interface Reading {
  readonly record: TokenRecord;
  readonly at: number;
}

interface Claim extends Reading {
  readonly attemptId: string;
  readonly outcomeUnknown: boolean;
  readonly afterRefusal: boolean;
  /** When the renewal began, by the service's clock. */
  readonly began: number;
}

/** The record is gone: somebody signed out meanwhile, and what is left of the access token's life is nobody's to use. */
export class SignedOutError extends SignInRequiredError {
  override readonly name = 'SignInRequiredError'; // the difference is nobody's business
}

/** One renewal, from the claim to the commit: what every answer of the store and of the token endpoint means for it. */
export class Renewer {
  /** Tokens of ours that lost against another generation: tried once before a record is called dead. */
  private readonly spares = new LRUCache<string, TokenRecord>({ max: MAX_SPARES });
  /** Codes that were warned of lately. */
  private readonly warned = new LRUCache<string, true>({ max: MAX_WARNED, ttl: WARNED_MS });
  /** Records whose uncertain refresh token was left alone lately. No back-off: the API may refuse the access token. */
  private readonly deferred = new LRUCache<string, true>({ max: MAX_SPARES, ttl: TRANSIENT_BACKOFF_MS });
  private readonly saving = new Set<Promise<void>>();
  /** Ends what waits for a store that is away: this process is about to end. */
  private readonly stop = new AbortController();

  constructor(
    private readonly options: RenewalOptions,
    private readonly store: TokenStore,
    private readonly recent: RecentRenewals,
    private readonly clock: Clock,
  ) {
    setMaxListeners(0, this.stop.signal); // one for each renewal that is to be stored
  }

  /** What to do with a record of which `leftMs` milliseconds are left now. */
  freshness(record: TokenRecord, leftMs: number | undefined): Freshness {
    return this.renewable(record) ? freshness(record, leftMs) : 'use';
  }

  /** Is there anything to renew it with? */
  renewable(record: TokenRecord): boolean {
    return this.options.renewable?.(record) ?? record.refreshToken !== undefined;
  }

  /** Was its refresh token left alone a moment ago, because an earlier attempt may have spent it? */
  isDeferred(key: string): boolean {
    return this.deferred.has(key);
  }

  /** Renews, unless another process has done so meanwhile. @throws SignInRequiredError, UnavailableError */
  async renew(key: string, first: TokenRecord, afterRefusal: boolean): Promise<Reading> {
    const began = this.clock.now();
    try {
      return await this.claimed(key, { first, began, afterRefusal });
    } catch (error) {
      if (error instanceof SignedOutError) this.publish(key, 'signed-out', began);
      throw error;
    }
  }

  private async claimed(
    key: string,
    { first, began, afterRefusal }: { first: TokenRecord; began: number; afterRefusal: boolean },
  ): Promise<Reading> {
    const attemptId = randomId();
    let seen: Seen = first;
    // The store knows an older refresh token alone, which is spent: it gets the renewal that it lacks before the next one.
    const unsaved = this.recent.unsaved(key);
    if (unsaved) await this.saved(key, began, unsaved);
    while (this.clock.now() - began < HELD_MS) {
      const at = this.clock.now();
      const answer = await this.store.claim(key, seen, attemptId, LEASE_MS);
      switch (answer.kind) {
        case 'gone':
          throw new SignedOutError();
        case 'dead':
          this.publish(key, 'dead', began);
          throw new SignInRequiredError('The sign-in has expired. Sign in again.');
        case 'backoff':
          this.publish(key, 'backoff', began);
          throw new UnavailableError('The sign-in can not be renewed right now.', {
            code: 'renewal_backoff',
            retryAfterMs: answer.ms,
          });
        case 'held':
          await this.clock.sleep(25 + Math.random() * 75);
          break;
        case 'fresh':
          if (await this.recent.offerAgain(key, answer.record)) break; // the next claim tells what the store has now
          if (!this.needsRenewal(answer.record)) {
            this.publish(key, 'fresh', began);
            return { record: answer.record, at };
          }
          seen = answer.record;
          break;
        case 'granted':
          // A process that was frozen meanwhile may have lost the claim again: the store knows.
          if (this.clock.now() - at > LEASE_MS / 2) break;
          if (await this.recent.offerAgain(key, answer.record)) break; // the next claim tells what the store has now
          return await this.spend(key, { ...answer, at, attemptId, began, afterRefusal });
      }
    }
    this.publish(key, 'held', began);
    throw new UnavailableError('Another process is still renewing the sign-in.', { code: 'renewal_held' });
  }

  /** Renewals that wait for a store that is away. */
  storing(): readonly Promise<void>[] {
    return [...this.saving];
  }

  /** Waits for no store any more: what is not stored by now is lost with this process. */
  giveUp(): void {
    this.stop.abort();
  }

  /** Forgets what it knows of one record: after sign-out, or when tokens came from elsewhere. */
  forget(key: string): void {
    this.recent.forget(key);
    this.spares.delete(key);
  }

  private needsRenewal(record: TokenRecord): boolean {
    return record.state === 'live' && this.freshness(record, record.leftMs) === 'wait';
  }

  /** We alone may spend this refresh token now. */
  private async spend(key: string, claim: Claim): Promise<Reading> {
    if (claim.outcomeUnknown && this.options.onUnknown === 'defer' && this.canWait(claim)) {
      this.deferred.set(key, true);
      await this.settle(key, claim, 'not-sent');
      this.publish(key, 'served-stale', claim.began);
      return claim;
    }
    const stopHeartbeat = this.heartbeat(key, claim.attemptId);
    try {
      return await this.save(key, claim, await this.options.renew(claim.record));
    } catch (error) {
      if (error instanceof TokenError) return await this.grantFailed(key, claim, error);
      throw error;
    } finally {
      stopHeartbeat();
    }
  }

  private canWait(claim: Claim): boolean {
    return !claim.afterRefusal && !this.needsRenewal(claim.record);
  }

  private heartbeat(key: string, attemptId: string): () => void {
    const timer = setInterval(() => {
      this.store.extend(key, attemptId, LEASE_MS).catch(() => undefined); // the commit does not depend on the lease
    }, HEARTBEAT_MS);
    return () => clearInterval(timer);
  }

  /** We hold the only refresh token that lives: from here on nothing may lose it. */
  private async save(key: string, claim: Claim, tokens: Tokens): Promise<Reading> {
    const record: TokenRecord = {
      ...claim.record,
      ...tokens,
      refreshToken: tokens.refreshToken ?? claim.record.refreshToken,
      leftMs: tokens.lifetimeMs,
      ageMs: 0,
      afterRefusal: claim.afterRefusal,
      generation: claim.record.generation + 1,
      commitId: randomId(),
      state: 'live',
    };
    const renewal: Renewal = { record, attemptId: claim.attemptId, at: this.clock.now() };
    this.recent.keep(key, renewal);
    try {
      return await this.saved(key, claim.began, renewal);
    } catch (error) {
      if (error instanceof SignInRequiredError) throw error;
      this.saveLater(key, claim, renewal);
      return renewal;
    }
  }

  private async saved(key: string, began: number, renewal: Renewal): Promise<Reading> {
    const answer = await this.recent.save(key, renewal);
    const at = this.clock.now();
    switch (answer.kind) {
      case 'committed':
        this.spares.delete(key);
        this.publish(key, 'renewed', began);
        return { record: answer.record, at };
      case 'stale':
        // Ours were removed meanwhile, and another client has the name now.
        if (answer.record.clientID !== this.options.clientID) throw new SignedOutError();
        // Of another root ours are dropped. Not revoked, because that may end the new ones of the same account.
        if (answer.record.rootId === renewal.record.rootId) this.spares.set(key, renewal.record);
        this.publish(key, 'fresh', began);
        return { record: answer.record, at };
      case 'gone': // signed out meanwhile: nobody may use what we got
        await this.options.revoke?.(renewal.record).catch(() => undefined);
        throw new SignedOutError();
    }
  }

  /** The store is away: the waiters are served with what we hold, and the store gets it when it is back. Never another POST. */
  private saveLater(key: string, claim: Claim, renewal: Renewal): void {
    const task = (async () => {
      for (let wait = 100; ; wait = Math.min(wait * 2, SAVE_RETRY_MS)) {
        await this.clock.sleep(wait, this.stop.signal).catch(() => undefined);
        if (this.stop.signal.aborted || this.recent.unsaved(key)?.record.commitId !== renewal.record.commitId) return;
        try {
          await this.saved(key, claim.began, renewal);
          return;
        } catch (error) {
          if (!(error instanceof SignInRequiredError)) continue;
          this.publish(key, 'signed-out', claim.began);
          return;
        }
      }
    })().finally(() => this.saving.delete(task));
    this.saving.add(task);
  }

  private async grantFailed(key: string, claim: Claim, error: TokenError): Promise<Reading> {
    if (error.outcome === 'refused' && error.code === 'invalid_grant') return await this.grantInvalid(key, claim);
    // A configuration or server error: loud, and nobody is signed out for it.
    const transient = error.outcome !== 'refused' || error.code === 'rate_limited';
    const askedMs = error.retryAfterMs ?? jittered(transient ? TRANSIENT_BACKOFF_MS : CONFIG_BACKOFF_MS);
    const backoffMs = Math.min(askedMs, MAX_BACKOFF_MS);
    await this.settle(key, claim, error.outcome, backoffMs);
    this.publish(key, transient ? 'unknown' : 'refused', claim.began, error.code);
    if (!transient) this.warn(error);
    throw new UnavailableError('The sign-in could not be renewed.', {
      code: 'renewal_failed',
      retryAfterMs: backoffMs,
      cause: error,
    });
  }

  /** The server does not know this refresh token: either it was spent already, or the person has to sign in again. */
  private async grantInvalid(key: string, claim: Claim): Promise<Reading> {
    const newer = await this.newerThan(key, claim, claim.outcomeUnknown ? LATE_WRITER_MS : 0);
    if (newer) {
      await this.settle(key, claim, 'refused');
      this.publish(key, 'fresh', claim.began);
      return newer;
    }
    const spare = this.spares.get(key);
    if (spare?.refreshToken !== undefined && spare.rootId === claim.record.rootId) {
      this.spares.delete(key);
      return await this.spend(key, { ...claim, record: { ...claim.record, refreshToken: spare.refreshToken } });
    }
    await this.store.markDead(key, claim.record);
    await this.settle(key, claim, 'refused');
    this.publish(key, 'dead', claim.began, 'invalid_grant');
    throw new SignInRequiredError('The sign-in has expired. Sign in again.');
  }

  /**
   * What another process stored since our claim: claiming again tells, by the store's own word. After an unknown outcome
   * its writer may be late: it gets some time. So does a process that has the claim by now, because ours had lapsed.
   */
  private async newerThan(key: string, claim: Claim, patienceMs: number): Promise<Reading | undefined> {
    const began = this.clock.now();
    let until = began + patienceMs;
    for (;;) {
      const at = this.clock.now();
      const answer = await this.store.claim(key, claim.record, claim.attemptId, LEASE_MS);
      if (answer.kind === 'gone') throw new SignedOutError();
      if (answer.kind === 'fresh') return { record: answer.record, at };
      if (answer.kind === 'held') until = Math.min(at + LATE_WRITER_MS, began + HELD_MS);
      if (answer.kind === 'dead' || this.clock.now() >= until) return undefined;
      await this.clock.sleep(100);
    }
  }

  /** Renewals behind requests fail unheard, until the last access token has expired and nobody is served any more. */
  private warn(error: TokenError): void {
    if (this.warned.has(error.code)) return;
    this.warned.set(error.code, true);
    process.emitWarning(`Sign-ins can not be renewed. ${describeError(error)}`, {
      type: 'TokenService',
      code: 'SPARK_RENEWAL',
    });
  }

  private async settle(key: string, claim: Claim, outcome: Settlement, backoffMs = 0): Promise<void> {
    // A store that is away can't be told; the lease lapses by itself, and counts as unknown then.
    await this.store.settle(key, claim.attemptId, outcome, backoffMs).catch(() => undefined);
  }

  private publish(key: string, outcome: RenewalEvent['outcome'], began: number, code?: string): void {
    publishRenewal(this.options.clientID, key, outcome, this.clock.now() - began, code);
  }
}

function jittered(ms: number): number {
  return Math.round(ms * (0.75 + Math.random() * 0.5));
}
