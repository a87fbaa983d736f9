/** Anybody can make a name happen, so there is an end to what is remembered; the oldest goes first. */
const MAX_HAPPENED = 100_000;

/** What has happened once, as this process remembers it: `TokenStore.once` without a store that is shared. */
export class Happened {
  /** In the order in which it happened. */
  private readonly names = new Map<string, { readonly callId: string; readonly until: number }>();

  /** Is this call, by `callId`, the first with this name that is remembered at `now`? Remembers it for `ttlMs`. */
  isFirst(name: string, callId: string, ttlMs: number, now: number): boolean {
    for (const [earlier, { until }] of this.names) {
      if (until > now && this.names.size < MAX_HAPPENED) break;
      this.names.delete(earlier);
    }
    const first = this.names.get(name);
    if (first && first.until > now) return first.callId === callId;
    this.names.set(name, { callId, until: now + ttlMs });
    return true;
  }
}
