import { createHmac } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';

/** Where the outcomes of renewals are published (`node:diagnostics_channel`). Never a token, raw key, path or query. */
export const RENEWAL_CHANNEL = 'passport-spark:renewal';

export interface RenewalEvent {
  /**
   * `renewed`: by this process. `fresh`: another process did. `joined`: a request waits for a renewal that was under way;
   * how that ends is told by another event. `served-stale`: not renewed, but the access token lives. `unknown`: no usable
   * answer, or a request to slow down. `refused`: for a reason that is not the person's. `backoff`: held back after a
   * failure. `held`: another process was at it for longer than any grant takes. `dead`: the person has to sign in again.
   * `signed-out`: the person signed out meanwhile.
   */
  readonly outcome:
    | 'fresh'
    | 'joined'
    | 'renewed'
    | 'served-stale'
    | 'unknown'
    | 'refused'
    | 'backoff'
    | 'held'
    | 'dead'
    | 'signed-out';
  /**
   * From the beginning of the renewal, or of the request's wait with `served-stale`; next to nothing with `joined`, where a
   * request only begins to wait.
   */
  readonly durationMs: number;
  /** Names the record without being its key. */
  readonly key: string;
  /**
   * Why there are no tokens, with `unknown`, `refused` and `dead` where this process asked: the token endpoint's error code where it gave one, else
   * the code of `TokenError` (`timeout`, `server_error` …).
   */
  readonly code?: string;
}

const renewals = channel(RENEWAL_CHANNEL);

/** Tells those who watch what became of a renewal; nothing is worked out while nobody does. */
export function publishRenewal(
  clientID: string,
  key: string,
  outcome: RenewalEvent['outcome'],
  durationMs: number,
  code?: string,
): void {
  if (!renewals.hasSubscribers) return;
  const name = createHmac('sha256', clientID).update(key).digest('base64url').slice(0, 12);
  const event: RenewalEvent = { outcome, durationMs, key: name, ...(code === undefined ? {} : { code }) };
  renewals.publish(event);
}
