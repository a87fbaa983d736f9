import { LRUCache } from 'lru-cache';
import type { TokenRecord } from './record.js';

/** A read under way: it may fill the cache unless the key was written meanwhile. */
export interface Fill {
  readonly key: string;
  readonly at: number;
  overtaken: boolean;
}

interface Cached {
  readonly record: TokenRecord;
  /** When it was read, by the monotonic clock. */
  readonly at: number;
}

/**
 * Records read lately by this process. A slow read must not bring back what was renewed or removed while it was under
 * way: each read is a {@link Fill}, which a write to its key overtakes.
 */
export class RecordCache {
  private readonly records: LRUCache<string, Cached>;
  private readonly fills = new Map<string, Set<Fill>>();

  constructor(
    max: number,
    private readonly maxAgeMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.records = new LRUCache({ max });
  }

  /** The record as it is now, counted down since it was read; undefined when it has to be read. */
  get(key: string): TokenRecord | undefined {
    const cached = this.records.get(key);
    if (!cached) return undefined;
    const elapsed = this.now() - cached.at;
    if (elapsed >= this.maxAgeMs) {
      this.records.delete(key);
      return undefined;
    }
    const { record } = cached;
    const leftMs = record.leftMs === undefined ? undefined : record.leftMs - elapsed;
    return { ...record, leftMs, ageMs: record.ageMs + elapsed };
  }

  /** Begins a read. Always end it with {@link end}. */
  begin(key: string): Fill {
    const fill: Fill = { key, at: this.now(), overtaken: false };
    const present = this.fills.get(key);
    if (present) present.add(fill);
    else this.fills.set(key, new Set([fill]));
    return fill;
  }

  /** Ends a read with what it found, if anything. */
  end(fill: Fill, record: TokenRecord | undefined): void {
    const present = this.fills.get(fill.key);
    present?.delete(fill);
    if (present?.size === 0) this.fills.delete(fill.key);
    // A dead record is not remembered: a late writer, or a process that offers a renewal again, may have revived it.
    if (record?.state === 'live' && !fill.overtaken) this.records.set(fill.key, { record, at: fill.at });
  }

  /** The key has changed, or may have: forget it, and what is being read of it. */
  overtake(key: string): void {
    this.records.delete(key);
    for (const fill of this.fills.get(key) ?? []) fill.overtaken = true;
  }
}
