import type { TokenRecord } from './record.js';
import type { CommitAnswer, TokenStore } from './store.js';

/** A renewal's result as this process holds it: what to store, and what to serve meanwhile. */
export interface Renewal {
  /** The record as it stands after the renewal. */
  readonly record: TokenRecord;
  readonly attemptId: string;
  /** When it was made, by the service's monotonic clock. */
  readonly at: number;
}

const KEPT_MS = 10 * 60 * 1_000;
const MAX_KEPT = 10_000;

/**
 * What this process renewed lately. A renewed refresh token must outlive a store that is away (`unsaved`) and a store
 * that forgets what it acknowledged (a failover to a replica that lacked the write): both times we hold the only copy.
 */
export class RecentRenewals {
  private readonly kept = new Map<string, Renewal & { saved: boolean }>();

  /** `now` is a monotonic clock in milliseconds. */
  constructor(
    private readonly store: TokenStore,
    private readonly now: () => number,
  ) {}

  keep(key: string, renewal: Renewal): void {
    this.kept.delete(key);
    this.kept.set(key, { ...renewal, saved: false });
    this.trim(renewal.at);
  }

  /** The renewal that the store has not acknowledged yet: to be served instead of what the store says. */
  unsaved(key: string): Renewal | undefined {
    const renewal = this.kept.get(key);
    return renewal && !renewal.saved ? renewal : undefined;
  }

  /**
   * Does the store say less than what we renewed, because it failed over? Then it gets that again: the refresh token that
   * it knows is spent. Undefined: it does not. @throws UnavailableError the store is away
   */
  async offerAgain(key: string, stored: TokenRecord): Promise<CommitAnswer | undefined> {
    const ahead = this.ahead(key, stored);
    return ahead && (await this.save(key, ahead));
  }

  private ahead(key: string, stored: TokenRecord): Renewal | undefined {
    const renewal = this.kept.get(key);
    if (!renewal || renewal.record.generation <= stored.generation) return undefined;
    if (renewal.record.rootId !== stored.rootId) return undefined; // removed, and other tokens stored under its name
    return renewal.saved && this.now() - renewal.at >= KEPT_MS ? undefined : renewal;
  }

  /** Forgets one person: after sign-out, or when tokens came from elsewhere. */
  forget(key: string): void {
    this.kept.delete(key);
  }

  /** Stores a renewal, with what is left of its life. Rejects while the store is away; the renewal stays `unsaved` then. */
  async save(key: string, renewal: Renewal): Promise<CommitAnswer> {
    const { record, attemptId, at } = renewal;
    const { lifetimeMs } = record;
    const answer = await this.store.commit(key, record.generation - 1, attemptId, record.commitId, {
      accessToken: record.accessToken,
      refreshToken: record.refreshToken,
      // The store counts from the commit, which may come long after the answer.
      lifetimeMs: lifetimeMs === undefined ? undefined : Math.max(0, Math.round(lifetimeMs - (this.now() - at))),
      afterRefusal: record.afterRefusal,
      ofRootId: record.rootId,
    });
    const kept = this.kept.get(key);
    if (kept?.record.commitId === record.commitId) {
      if (answer.kind === 'committed') kept.saved = true;
      else this.kept.delete(key);
    }
    return answer;
  }

  /** Oldest first; what is not saved is never dropped for room. */
  private trim(now: number): void {
    for (const [key, renewal] of this.kept) {
      if (this.kept.size <= MAX_KEPT && now - renewal.at < KEPT_MS) return;
      if (renewal.saved) this.kept.delete(key);
    }
  }
}
