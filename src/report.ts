import { channel } from 'node:diagnostics_channel';
import { RequestRefusedError, SignInRequiredError, UnavailableError, UpstreamError } from './errors.js';

/** Where every request to the proxy is published (`node:diagnostics_channel`). Never a token, path, query or person. */
export const REQUEST_CHANNEL = 'passport-spark:request';

export interface RequestEvent {
  /**
   * `answered`: the API's answer went down, whatever its status. `refused`: by a rule, nobody is signed in, the client
   * stopped amid its upload, or a body parser stands before the proxy. `unavailable`: a store or the renewal is away, the
   * request has no session, too many wait for a renewal, or all connections to the API are busy. `upstream-failed`: the
   * API could not be reached, or was late. `cut`: the API broke off within its answer. `client-gone`: nobody waits any
   * more. `failed`: a function of the application threw, or middleware within its answer.
   */
  readonly outcome: 'answered' | 'refused' | 'unavailable' | 'upstream-failed' | 'cut' | 'client-gone' | 'failed';
  readonly method: string;
  /** Of the answer that went down; absent when none did. */
  readonly status?: number;
  /** From the proxy's first look at the request to the end of the answer. */
  readonly durationMs: number;
  /** From sending the request to the headers of the API's answer, of the last try; absent when there was no answer. */
  readonly upstreamMs?: number;
}

const requests = channel(REQUEST_CHANNEL);

/** Does anybody listen? Without it nothing is measured. */
export function isWatched(): boolean {
  return requests.hasSubscribers;
}

export function publishRequest(event: RequestEvent): void {
  requests.publish(event);
}

/** What an error means to those who watch. `begun`: a part of the answer had gone down already. */
export function outcomeOf(error: unknown, begun: boolean): RequestEvent['outcome'] {
  if (error instanceof RequestRefusedError || error instanceof SignInRequiredError) return 'refused';
  if (error instanceof UnavailableError) return 'unavailable';
  if (error instanceof UpstreamError) return begun ? 'cut' : 'upstream-failed';
  return 'failed';
}
