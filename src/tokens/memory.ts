import { conceal } from '../conceal.js';
import { OptionCheck } from '../options.js';
import { Happened } from './happened.js';
import type { Seen, TokenRecord } from './record.js';
import {
  type ClaimAnswer,
  type CommitAnswer,
  DEFAULT_TTL_MS,
  type NewTokenRecord,
  type RenewedTokens,
  type Settlement,
  type TokenStore,
} from './store.js';

export interface MemoryTokenStoreOptions {
  /** How long a record is kept after its last use, in milliseconds. Default 30 days. */
  readonly ttlMs?: number;
  /** The clock, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

interface Entry {
  tokens: Omit<TokenRecord, 'leftMs' | 'ageMs'>;
  storedAt: number;
  /** After its last use. Infinite: for ever. */
  keepMs: number;
  usedAt: number;
  claim: { attemptId: string; leaseUntil: number } | undefined;
  outcomeUnknown: boolean;
  backoffUntil: number;
}

/**
 * Tokens in this process's memory: for development, tests and one-process applications.
 * Lost at a restart, and not shared with other processes; use `RedisTokenStore` for anything else. The first one of a
 * process warns (`SPARK_MEMORY_STORE`) where `NODE_ENV` is `production`.
 */
export class MemoryTokenStore implements TokenStore {
  /** In the order of last use, so that what has lapsed stands in front. */
  private readonly entries = new Map<string, Entry>();
  private readonly happened = new Happened();
  private readonly ttlMs: number;
  private readonly now: () => number;

  constructor(options: MemoryTokenStoreOptions = {}) {
    const check = new OptionCheck('MemoryTokenStore');
    check.object(options, 'write { ttlMs: 86_400_000 }, or leave them out.');
    check.known(options, ['ttlMs', 'now']);
    this.ttlMs = check.whole('ttlMs', options.ttlMs, DEFAULT_TTL_MS, { min: 1 });
    check.func('now', options.now, 'write a function that returns milliseconds, like Date.now.');
    check.done();
    this.now = options.now ?? Date.now;
    conceal(this, 'entries');
    warnInProduction();
  }

  async create(key: string, record: NewTokenRecord): Promise<boolean> {
    this.dropLapsed();
    const present = this.entry(key);
    if (present) return present.tokens.commitId === record.commitId;
    const { permanent, keepMs = 0, ...tokens } = record;
    this.entries.set(key, {
      tokens: { ...tokens, generation: 0, rootId: record.commitId, state: 'live', afterRefusal: false },
      storedAt: this.now(),
      keepMs: permanent ? Number.POSITIVE_INFINITY : Math.max(this.ttlMs, keepMs),
      usedAt: this.now(),
      claim: undefined,
      outcomeUnknown: false,
      backoffUntil: 0,
    });
    return true;
  }

  async read(key: string): Promise<TokenRecord | undefined> {
    const entry = this.entry(key);
    return entry && this.record(this.used(key, entry));
  }

  async claim(key: string, seen: Seen, attemptId: string, leaseMs: number): Promise<ClaimAnswer> {
    const entry = this.entry(key);
    if (!entry) return { kind: 'gone' };
    const now = this.now();
    if (entry.tokens.commitId !== seen.commitId) return { kind: 'fresh', record: this.record(entry) };
    if (entry.tokens.state === 'dead') return { kind: 'dead' };
    if (entry.claim && entry.claim.attemptId !== attemptId) {
      if (entry.claim.leaseUntil > now) return { kind: 'held' };
      entry.outcomeUnknown = true; // the holder went silent: it may have spent the refresh token
      entry.claim = undefined;
    }
    if (!entry.claim && entry.backoffUntil > now) return { kind: 'backoff', ms: entry.backoffUntil - now };
    entry.claim = { attemptId, leaseUntil: now + leaseMs };
    return { kind: 'granted', record: this.record(entry), outcomeUnknown: entry.outcomeUnknown };
  }

  async extend(key: string, attemptId: string, leaseMs: number): Promise<boolean> {
    const claim = this.entry(key)?.claim;
    if (claim?.attemptId !== attemptId) return false;
    claim.leaseUntil = this.now() + leaseMs;
    return true;
  }

  async commit(
    key: string,
    generation: number,
    _attemptId: string,
    commitId: string,
    renewed: RenewedTokens,
  ): Promise<CommitAnswer> {
    const entry = this.entry(key);
    if (!entry) return { kind: 'gone' };
    if (entry.tokens.commitId === commitId) return { kind: 'committed', record: this.record(entry) };
    const { generation: stored, rootId } = entry.tokens;
    if (stored > generation || (renewed.ofRootId ?? rootId) !== rootId) {
      return { kind: 'stale', record: this.record(entry) };
    }
    entry.tokens = {
      ...entry.tokens,
      accessToken: renewed.accessToken,
      refreshToken: renewed.refreshToken,
      lifetimeMs: renewed.lifetimeMs,
      afterRefusal: renewed.afterRefusal,
      generation: generation + 1,
      commitId,
      rootId: renewed.rootId ?? entry.tokens.rootId,
      state: 'live',
    };
    entry.storedAt = this.now();
    entry.claim = undefined;
    entry.outcomeUnknown = false;
    entry.backoffUntil = 0;
    return { kind: 'committed', record: this.record(this.used(key, entry)) };
  }

  async settle(key: string, attemptId: string, outcome: Settlement, backoffMs = 0): Promise<void> {
    const entry = this.entry(key);
    if (entry?.claim?.attemptId !== attemptId) return;
    entry.claim = undefined;
    if (outcome === 'unknown') entry.outcomeUnknown = true;
    entry.backoffUntil = this.now() + backoffMs;
  }

  async markDead(key: string, seen: Seen): Promise<boolean> {
    const entry = this.entry(key);
    if (entry?.tokens.commitId !== seen.commitId) return false;
    entry.tokens = { ...entry.tokens, state: 'dead' };
    return true;
  }

  async remove(key: string): Promise<TokenRecord | undefined> {
    const entry = this.entry(key);
    this.entries.delete(key);
    return entry && this.record(entry);
  }

  async once(name: string, callId: string, ttlMs: number): Promise<boolean> {
    return this.happened.isFirst(name, callId, ttlMs, this.now());
  }

  private entry(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    return entry && this.lapsed(entry) ? undefined : entry;
  }

  private lapsed(entry: Entry): boolean {
    return entry.usedAt + entry.keepMs <= this.now();
  }

  private used(key: string, entry: Entry): Entry {
    entry.usedAt = this.now();
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  private dropLapsed(): void {
    for (const [key, entry] of this.entries) {
      if (this.lapsed(entry)) this.entries.delete(key);
      else if (entry.keepMs === this.ttlMs) return; // all that come after it are younger
    }
  }

  private record(entry: Entry): TokenRecord {
    const ageMs = this.now() - entry.storedAt;
    const { lifetimeMs } = entry.tokens;
    return { ...entry.tokens, ageMs, leftMs: lifetimeMs === undefined ? undefined : lifetimeMs - ageMs };
  }
}

let warned = false;

function warnInProduction(): void {
  if (warned || process.env.NODE_ENV !== 'production') return;
  warned = true;
  process.emitWarning(
    'MemoryTokenStore keeps tokens in this process alone: a restart loses them, and everybody has to sign in again. ' +
      'Write tokenStore: new RedisTokenStore(redis).',
    { type: 'MemoryTokenStore', code: 'SPARK_MEMORY_STORE' },
  );
}
