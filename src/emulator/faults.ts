/**
 * A way for the grant endpoint to fail once. Up to the word "after" nothing has happened to the tokens; the `-after`
 * kinds do the work (the old refresh token is spent, new tokens exist) and lose the answer.
 */
export type GrantFault =
  /** An OAuth error body. `status` defaults to 400. */
  | {
      readonly kind: 'refuse';
      readonly error: string;
      readonly description?: string | undefined;
      readonly status?: number | undefined;
    }
  /** A bare HTTP status with a text body; `retryAfter` in seconds. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number | undefined;
      readonly body?: string | undefined;
    }
  /** An API envelope: 1000, 1010, 1013, 1550 … `retryAfter` in seconds. */
  | { readonly kind: 'envelope'; readonly code: number; readonly retryAfter?: number | undefined }
  /** 200 with an HTML page, as a proxy in between may answer. */
  | { readonly kind: 'html' }
  /** 200 with no body. */
  | { readonly kind: 'empty' }
  /** The connection is reset at once. */
  | { readonly kind: 'reset' }
  /** The connection stays open without an answer. */
  | { readonly kind: 'hang' }
  /** The work is done, then the connection breaks before the answer. */
  | { readonly kind: 'drop-after' }
  /** The work is done, half of the body is sent, then the connection breaks. */
  | { readonly kind: 'cut-after' }
  /** The work is done and the answer never comes. */
  | { readonly kind: 'hang-after' };

/** A way for the API to refuse a call. */
export interface CallFault {
  /** The Spark code; it decides the HTTP status (unknown codes: 500). */
  readonly code: number;
  /** Seconds for the `Retry-After` header. Default: no header. */
  readonly retryAfter?: number | undefined;
  /** Default: a text that names the code. */
  readonly message?: string | undefined;
}

/** Waits for the grant endpoint: `'before'` the work is done, or `'after'` it, before the answer. */
export interface GrantDelay {
  readonly ms: number;
  readonly when: 'before' | 'after';
}

const GRANT_FAULT_KINDS: ReadonlySet<string> = new Set([
  'refuse',
  'status',
  'envelope',
  'html',
  'empty',
  'reset',
  'hang',
  'drop-after',
  'cut-after',
  'hang-after',
] satisfies GrantFault['kind'][]);

/** What is to go wrong next. Each queue is served in the order in which it was filled, one entry per request. */
export class FaultPlan {
  private grantFaults: GrantFault[] = [];
  private grantDelays: GrantDelay[] = [];
  private callFaults: CallFault[] = [];

  failNextGrant(fault: GrantFault, times: number): void {
    checkTimes('failNextGrant', times);
    if (!GRANT_FAULT_KINDS.has(fault.kind)) {
      throw new Error(
        `failNextGrant: unknown kind ${JSON.stringify(fault.kind)}. Kinds: ${[...GRANT_FAULT_KINDS].join(', ')}.`,
      );
    }
    if (fault.kind === 'status') checkStatus(fault.status);
    if (fault.kind === 'refuse') {
      if (typeof fault.error !== 'string') throw new Error('failNextGrant: kind "refuse" needs an "error" code.');
      checkStatus(fault.status ?? 400);
    }
    if (fault.kind === 'envelope' && !Number.isInteger(fault.code)) {
      throw new Error('failNextGrant: kind "envelope" needs a "code", for example 1550.');
    }
    this.grantFaults.push(...Array<GrantFault>(times).fill(fault));
  }

  delayNextGrant(ms: number, times: number, when: GrantDelay['when']): void {
    checkTimes('delayNextGrant', times);
    if (!Number.isFinite(ms) || ms < 0) throw new Error(`delayNextGrant takes milliseconds; it was given ${ms}.`);
    if (when !== 'before' && when !== 'after') throw new Error(`delayNextGrant: "when" is 'before' or 'after'.`);
    this.grantDelays.push(...Array<GrantDelay>(times).fill({ ms, when }));
  }

  failNextCall(fault: CallFault, times: number): void {
    checkTimes('failNextCall', times);
    if (!Number.isInteger(fault.code)) throw new Error('failNextCall needs a "code", for example 1550.');
    this.callFaults.push(...Array<CallFault>(times).fill(fault));
  }

  takeGrantFault(): GrantFault | undefined {
    return this.grantFaults.shift();
  }

  takeGrantDelay(): GrantDelay | undefined {
    return this.grantDelays.shift();
  }

  takeCallFault(): CallFault | undefined {
    return this.callFaults.shift();
  }
}

function checkTimes(call: string, times: number): void {
  // The bound keeps a typing error from filling the memory.
  if (!Number.isInteger(times) || times < 1 || times > 100_000) {
    throw new Error(`${call}: "times" is a whole number from 1 to 100000; it was ${times}.`);
  }
}

function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new Error(`failNextGrant: "status" is an HTTP status from 200 to 599; it was ${status}.`);
  }
}
