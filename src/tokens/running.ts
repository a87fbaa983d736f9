import { UnavailableError } from '../errors.js';
import { publishRenewal } from './events.js';
import type { TokenRecord } from './record.js';
import type { Reading, Renewer } from './renewer.js';

const WAITER_MS = 10_000;
const WAITERS_PER_KEY = 200;
const WAITERS_PER_PROCESS = 5_000;

interface Running {
  readonly result: Promise<Reading>;
  waiters: number;
}

/** The renewals under way in this process: one per key, whoever asks for it, and the requests that wait for each. */
export class RunningRenewals {
  private readonly running = new Map<string, Running>();
  private waiting = 0;

  constructor(
    private readonly renewer: Renewer,
    private readonly clientID: string,
  ) {}

  has(key: string): boolean {
    return this.running.has(key);
  }

  /** Begins one that nobody has to wait for. Whatever goes wrong is published. */
  begin(key: string, seen: TokenRecord, afterRefusal: boolean): Running {
    const result = this.renewer.renew(key, seen, afterRefusal).finally(() => this.running.delete(key));
    result.catch(() => undefined); // waiters may all have left, or there were none
    const running: Running = { result, waiters: 0 };
    this.running.set(key, running);
    return running;
  }

  /** Waits for the one of this key, begun or joined, at most {@link WAITER_MS}. @throws UnavailableError, and as {@link Renewer.renew} */
  async wait(key: string, seen: TokenRecord, afterRefusal: boolean): Promise<Reading> {
    const joined = this.running.get(key);
    if (joined) publishRenewal(this.clientID, key, 'joined', 0);
    const running = joined ?? this.begin(key, seen, afterRefusal);
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

  /** All that are under way. */
  results(): Promise<unknown>[] {
    return [...this.running.values()].map(({ result }) => result);
  }
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
