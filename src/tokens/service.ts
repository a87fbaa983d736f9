import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { SignInRequiredError, TokenError, UnavailableError } from '../errors.js';
import { OptionCheck } from '../options.js';
import type { UpstreamProfile } from '../platform.js';
import { checkAdopted } from './adopted.js';
import { publishRenewal, type RenewalEvent } from './events.js';
import { RecentRenewals, type Renewal } from './recent.js';
import {
  type Freshness,
  freshness,
  type Seen,
  type TokenOrigin,
  type TokenRecord,
  type Tokens,
} from './record.js';
import { guarded, type TokenStore } from './store.js';

/** What became of an access token that was sent to the API. */
export interface Sent<T> {
  readonly value: T;
  /** The API said that this access token has expired. */
  readonly expired: boolean;
  /** The request can be sent once more. */
  readonly replayable: boolean;
}

export interface TokenServiceOptions {
  readonly store: TokenStore;
  /** The client whose tokens these are; records of another client count as absent. */
  readonly clientID: string;
  /** How the API that takes these tokens behaves. */
  readonly upstream: UpstreamProfile;
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
  /** For tests: a monotonic clock in milliseconds, and waiting. */
  readonly clock?: Clock | undefined;
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
const WAITER_MS = 10_000;
const WAITERS_PER_KEY = 200;
const WAITERS_PER_PROCESS = 5_000;
/** Longer than any holder can be at it: its POST's deadline and one lease. */
const HELD_MS = 75_000;
const LATE_WRITER_MS = 5_000;
const TRANSIENT_BACKOFF_MS = 2_000;
const CONFIG_BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 5 * 60 * 1_000;
/** A token that the API refuses right after a renewal is not helped by another renewal. */
const REFUSED_AGAIN_MS = 30_000;
const SAVE_RETRY_MS = 5_000;
const MAX_SPARES = 1_000;
/** Kubernetes, Heroku and their like kill a process 30 seconds after they asked it to stop. */
const DRAIN_MS = 25_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A record, and when it was read: from then on this process counts its time by itself. */
interface Reading {
  readonly record: TokenRecord;
  readonly at: number;
}

interface Running {
  readonly result: Promise<Reading>;
  waiters: number;
}

/**
 * The token policy: which access token to send, when to renew, and what every answer of the token endpoint means.
 * It never loses a token and never spends a refresh token twice while the store keeps what it acknowledged.
 */
export class TokenService {
  readonly upstream: UpstreamProfile;
  private readonly store: TokenStore;
  private readonly clock: Clock;
  private readonly recent = new RecentRenewals();
  private readonly running = new Map<string, Running>();
  /** Tokens of ours that lost against another generation: tried once before a record is called dead. */
  private readonly spares = new LRUCache<string, Tokens>({ max: MAX_SPARES });
  private readonly saving = new Set<Promise<void>>();
  /** Ends what waits for a store that is away: this process is about to end. */
  private readonly stop = new AbortController();
  private waiting = 0;

  constructor(private readonly options: TokenServiceOptions) {
    this.store = guarded(options.store);
    this.upstream = options.upstream;
    this.clock = options.clock ?? { now: () => performance.now(), sleep: (ms, signal) => delay(ms, undefined, { signal }) };
    setMaxListeners(0, this.stop.signal); // one for each renewal that is to be stored
  }

  /**
   * Sends something with the access token under `key`: renews before it expires, and once more when the API says that
   * it has expired all the same. Answers what `send` answered last.
   * @throws SignInRequiredError nobody is signed in under this key, or nothing can be renewed any more
   * @throws UnavailableError the store or the token endpoint is away and the access token no longer lives
   */
  async use<T>(key: string, send: (record: TokenRecord) => Promise<Sent<T>>): Promise<T> {
    const record = await this.usable(key);
    const sent = await send(record);
    if (!sent.expired) return sent.value;
    const renewed = await this.afterRefusal(key, record);
    return renewed && sent.replayable ? (await send(renewed)).value : sent.value;
  }

  /**
   * The access token under `key`, renewed if need be, for callers that send it by themselves.
   * @throws SignInRequiredError, UnavailableError, as {@link use}
   */
  async accessToken(key: string): Promise<string> {
    return (await this.usable(key)).accessToken;
  }

  /** The record under `key` as it stands, without renewing it; undefined when there is none of this client. */
  async peek(key: string): Promise<TokenRecord | undefined> {
    const reading = await this.read(key);
    return reading && { ...reading.record, leftMs: this.left(reading) };
  }

  /** Stores the tokens of a sign-in under a new random key, which it answers. */
  async create(tokens: Tokens, origin: Omit<TokenOrigin, 'clientID'>): Promise<string> {
    const key = randomId(32);
    await this.store.create(key, { ...tokens, ...origin, clientID: this.options.clientID, commitId: randomId() });
    return key;
  }

  /**
   * Stores tokens that were issued beforehand (single-session keys) under a name that the application chooses.
   * Only if the name is free: a restart must not put a spent refresh token back. `replace` stores them as the next generation,
   * and leaves the origin (`role`, `portal`, `redirectURI` …) as it was given first.
   * @throws ConfigError tokens that could not be used, or no name; UnavailableError
   */
  async adopt(
    name: string,
    tokens: Tokens,
    options: { replace?: boolean } & Omit<TokenOrigin, 'clientID'> = {},
  ): Promise<void> {
    checkAdopted(name, tokens, options);
    const { replace, ...origin } = options;
    const key = adoptedKey(name);
    const fresh = { ...tokens, ...origin, clientID: this.options.clientID, commitId: randomId(), permanent: true };
    let generation = 0;
    while (!(await this.store.create(key, fresh))) {
      if (!replace) return;
      // A renewal that wins meanwhile only makes it one generation later, and one that is removed leaves the name free.
      const answer = await this.store.commit(key, generation, randomId(), fresh.commitId, {
        ...tokens,
        afterRefusal: false,
      });
      if (answer.kind === 'committed') break;
      generation = answer.kind === 'stale' ? answer.record.generation : 0;
    }
    // What we renewed under this name is no longer what the store has lost.
    this.recent.forget(key);
    this.spares.delete(key);
  }

  /**
   * Removes the record: the person is signed out, in every process. Answers the tokens that were removed, where they
   * could be read. @throws UnavailableError the store is away
   */
  async remove(key: string): Promise<Tokens | undefined> {
    const reading = await this.read(key).catch((error: unknown) => {
      // No process can ever read this record, so none could ever sign out of it.
      if (error instanceof UnavailableError && error.code === 'store_corrupt') return undefined;
      throw error; // away: the tokens that have to be revoked may be there
    });
    await this.store.remove(key);
    this.recent.forget(key);
    this.spares.delete(key);
    return reading?.record;
  }

  /** Makes tokens unusable at the server, where it has a way to. */
  async revoke(tokens: Tokens): Promise<void> {
    await this.options.revoke?.(tokens);
  }

  /**
   * Resolves when every renewal under way is finished and stored, or after `withinMs` (default 25 000). For SIGTERM, before
   * the store's client is closed. Afterwards no store that is away is waited for: a renewal that it has not got by then is
   * the only refresh token that lives, and is lost with the process, so that this person has to sign in again.
   * @throws ConfigError `withinMs` is no number
   */
  async drain({ withinMs }: { readonly withinMs?: number | undefined } = {}): Promise<void> {
    const check = new OptionCheck('tokens.drain');
    const limitMs = check.number('withinMs', withinMs, DRAIN_MS, { min: 0, max: MAX_TIMER_MS });
    check.done();
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        over = true;
        this.stop.abort();
        resolve();
      }, limitMs);
    });
    while (!over && (this.running.size > 0 || this.saving.size > 0)) {
      const underWay = [...[...this.running.values()].map(({ result }) => result), ...this.saving];
      await Promise.race([Promise.allSettled(underWay), late]);
    }
    clearTimeout(timer);
  }

  private async usable(key: string): Promise<TokenRecord> {
    const reading = await this.read(key);
    if (!reading) throw new SignInRequiredError();
    const left = this.left(reading);
    if (reading.record.state === 'dead') {
      if (left === undefined || left > 0) return reading.record;
      throw new SignInRequiredError('The sign-in has expired. Sign in again.');
    }
    switch (this.freshness(reading.record, left)) {
      case 'use':
        return reading.record;
      case 'renew-behind':
        this.renewBehind(key, reading.record);
        return reading.record;
      case 'wait':
        return await this.renewedOrStillValid(key, reading);
    }
  }

  /** The API refused this access token as expired. Answers the one to try next; undefined: let the refusal stand. */
  private async afterRefusal(key: string, refused: TokenRecord): Promise<TokenRecord | undefined> {
    if (refused.state === 'dead' || !this.renewable(refused)) {
      throw new SignInRequiredError('The sign-in has expired. Sign in again.');
    }
    if (refused.afterRefusal && refused.ageMs < REFUSED_AGAIN_MS) return undefined;
    let result = await this.renewal(key, refused, true);
    // We may have joined a renewal that only found the very generation that was refused.
    if (result.record.commitId === refused.commitId) result = await this.renewal(key, refused, true);
    return result.record;
  }

  private async read(key: string): Promise<Reading | undefined> {
    const unsaved = this.recent.unsaved(key);
    if (unsaved) return unsaved;
    const at = this.clock.now();
    const record = await this.store.read(key);
    if (!record || record.clientID !== this.options.clientID) return undefined;
    const ahead = this.recent.ahead(key, record, at);
    return ahead ? await this.offerAgain(key, ahead) : { record, at };
  }

  /** The store forgot a renewal that it had acknowledged (failover): it gets it again. */
  private async offerAgain(key: string, renewal: Renewal): Promise<Reading | undefined> {
    const answer = await this.recent.save(this.store, key, renewal, this.clock.now());
    return answer.kind === 'gone' ? undefined : { record: answer.record, at: this.clock.now() };
  }

  private left({ record, at }: Reading): number | undefined {
    return record.leftMs === undefined ? undefined : record.leftMs - (this.clock.now() - at);
  }

  private freshness(record: TokenRecord, leftMs: number | undefined): Freshness {
    return this.renewable(record) ? freshness(record, leftMs) : 'use';
  }

  private renewable(record: TokenRecord): boolean {
    return this.options.renewable?.(record) ?? record.refreshToken !== undefined;
  }

  private renewBehind(key: string, record: TokenRecord): void {
    if (this.running.has(key)) return;
    // Whatever goes wrong is published; the request at hand has a token that lives.
    this.start(key, record, false).result.catch(() => undefined);
  }

  private async renewedOrStillValid(key: string, reading: Reading): Promise<TokenRecord> {
    try {
      return (await this.renewal(key, reading.record, false)).record;
    } catch (error) {
      const left = this.left(reading);
      if (left === undefined || left <= 0) throw error;
      this.publish(key, 'served-stale', this.clock.now());
      return reading.record;
    }
  }

  /** The one renewal of this key in this process: begun, or joined. Waits for it at most {@link WAITER_MS}. */
  private async renewal(key: string, seen: TokenRecord, afterRefusal: boolean): Promise<Reading> {
    const joined = this.running.get(key);
    if (joined) this.publish(key, 'joined', this.clock.now());
    const running = joined ?? this.start(key, seen, afterRefusal);
    if (running.waiters >= WAITERS_PER_KEY || this.waiting >= WAITERS_PER_PROCESS) {
      throw new UnavailableError('Too many requests wait for a renewal.', { code: 'too_many_waiters' });
    }
    running.waiters += 1;
    this.waiting += 1;
    try {
      return await withDeadline(running.result, WAITER_MS);
    } finally {
      running.waiters -= 1;
      this.waiting -= 1;
    }
  }

  private start(key: string, seen: TokenRecord, afterRefusal: boolean): Running {
    const result = this.claimAndRenew(key, seen, afterRefusal).finally(() => this.running.delete(key));
    result.catch(() => undefined); // waiters may all have left
    const running: Running = { result, waiters: 0 };
    this.running.set(key, running);
    return running;
  }

  private async claimAndRenew(key: string, first: TokenRecord, afterRefusal: boolean): Promise<Reading> {
    const attemptId = randomId();
    const began = this.clock.now();
    let seen: Seen = first;
    while (this.clock.now() - began < HELD_MS) {
      const at = this.clock.now();
      const answer = await this.store.claim(key, seen, attemptId, LEASE_MS);
      switch (answer.kind) {
        case 'gone':
          throw new SignInRequiredError();
        case 'dead':
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
          if (!this.needsRenewal(answer.record)) {
            this.publish(key, 'fresh', began);
            return { record: answer.record, at };
          }
          seen = answer.record;
          break;
        case 'granted':
          // A process that was frozen meanwhile may have lost the claim again: the store knows.
          if (this.clock.now() - at > LEASE_MS / 2) break;
          return await this.spend(key, { ...answer, at, attemptId, began, afterRefusal });
      }
    }
    throw new UnavailableError('Another process is still renewing the sign-in.', { code: 'renewal_held' });
  }

  private needsRenewal(record: TokenRecord): boolean {
    return record.state === 'live' && this.freshness(record, record.leftMs) === 'wait';
  }

  /** We alone may spend this refresh token now. */
  private async spend(key: string, claim: Claim): Promise<Reading> {
    if (claim.outcomeUnknown && this.options.onUnknown === 'defer' && this.canWait(claim)) {
      await this.settle(key, claim, 'not-sent', TRANSIENT_BACKOFF_MS);
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
      return await this.saved(key, claim, renewal);
    } catch (error) {
      if (error instanceof SignInRequiredError) throw error;
      this.saveLater(key, claim, renewal);
      return renewal;
    }
  }

  private async saved(key: string, claim: Claim, renewal: Renewal): Promise<Reading> {
    const answer = await this.recent.save(this.store, key, renewal, this.clock.now());
    const at = this.clock.now();
    switch (answer.kind) {
      case 'committed':
        this.spares.delete(key);
        this.publish(key, 'renewed', claim.began);
        return { record: answer.record, at };
      case 'stale':
        this.spares.set(key, renewal.record);
        this.publish(key, 'fresh', claim.began);
        return { record: answer.record, at };
      case 'gone': // signed out meanwhile: nobody may use what we got
        await this.revoke(renewal.record).catch(() => undefined);
        throw new SignInRequiredError();
    }
  }

  /** The store is away: the waiters are served with what we hold, and the store gets it when it is back. Never another POST. */
  private saveLater(key: string, claim: Claim, renewal: Renewal): void {
    const task = (async () => {
      for (let wait = 100; ; wait = Math.min(wait * 2, SAVE_RETRY_MS)) {
        await this.clock.sleep(wait, this.stop.signal).catch(() => undefined);
        if (this.stop.signal.aborted || this.recent.unsaved(key)?.record.commitId !== renewal.record.commitId) return;
        try {
          await this.saved(key, claim, renewal);
          return;
        } catch (error) {
          if (error instanceof SignInRequiredError) return;
        }
      }
    })().finally(() => this.saving.delete(task));
    this.saving.add(task);
  }

  private async grantFailed(key: string, claim: Claim, error: TokenError): Promise<Reading> {
    if (error.outcome === 'refused' && error.code === 'invalid_grant') return await this.grantInvalid(key, claim);
    // A configuration or server error: loud, and nobody is signed out for it.
    const transient = error.outcome !== 'refused' || error.code === 'rate_limited';
    const backoffMs = error.retryAfterMs ?? jittered(transient ? TRANSIENT_BACKOFF_MS : CONFIG_BACKOFF_MS);
    await this.settle(key, claim, error.outcome, Math.min(backoffMs, MAX_BACKOFF_MS));
    this.publish(key, transient ? 'unknown' : 'refused', claim.began, error.code);
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
    if (spare?.refreshToken !== undefined) {
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
   * its writer may be late: it gets some time.
   */
  private async newerThan(key: string, claim: Claim, patienceMs: number): Promise<Reading | undefined> {
    const until = this.clock.now() + patienceMs;
    for (;;) {
      const at = this.clock.now();
      const answer = await this.store.claim(key, claim.record, claim.attemptId, LEASE_MS);
      if (answer.kind === 'gone') throw new SignInRequiredError();
      if (answer.kind === 'fresh') return { record: answer.record, at };
      if (this.clock.now() >= until) return undefined;
      await this.clock.sleep(100);
    }
  }

  private async settle(
    key: string,
    claim: Claim,
    outcome: 'not-sent' | 'refused' | 'unknown',
    backoffMs = 0,
  ): Promise<void> {
    // A store that is away can't be told; the lease lapses by itself, and counts as unknown then.
    await this.store.settle(key, claim.attemptId, outcome, backoffMs).catch(() => undefined);
  }

  private publish(key: string, outcome: RenewalEvent['outcome'], began: number, code?: string): void {
    publishRenewal(this.options.clientID, key, outcome, this.clock.now() - began, code);
  }
}

interface Claim extends Reading {
  readonly attemptId: string;
  readonly outcomeUnknown: boolean;
  readonly afterRefusal: boolean;
  /** When the renewal began, by the service's clock. */
  readonly began: number;
}

/** Names that applications choose never meet the random keys of sign-ins. */
export function adoptedKey(name: string): string {
  return `adopted:${name}`;
}

function randomId(bytes = 16): string {
  return randomBytes(bytes).toString('base64url');
}

function jittered(ms: number): number {
  return Math.round(ms * (0.75 + Math.random() * 0.5));
}

async function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new UnavailableError('The sign-in is being renewed; try again.', { code: 'renewal_slow' })),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
