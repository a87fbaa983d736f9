import type { EmulatorClock } from './clock.js';
import type { CallFault, GrantDelay, GrantFault } from './faults.js';
import type { GrantSeen, GrantType, RequestSeen } from './log.js';
import type { EmulatorState } from './state.js';

/** Looks into the emulator and makes things happen in it. Persons are named by their user name. */
export interface EmulatorControls {
  /** Every request that reached the grant endpoint, in order of arrival; with a type, only those of that type. */
  grants(type?: GrantType): GrantSeen[];
  /** Every request that reached the API, in order of arrival. Sign-in pages, grants and the HTTP controls are not in it. */
  requests(): RequestSeen[];
  /** Forgets both logs. They grow until then. */
  clear(): void;
  /** The emulator's time; the expiry of codes and tokens follows it. */
  readonly clock: EmulatorClock;
  /** From now on the API answers this access token with code 1020. False when it is unknown. */
  expireAccessToken(token: string): boolean;
  /** Expires every live access token, or every one of a person. Returns how many. */
  expireAllAccessTokens(person?: string): number;
  /** This refresh token is refused from now on. False when it is unknown. */
  expireRefreshToken(token: string): boolean;
  /** Expires every usable refresh token, or every one of a person. Returns how many. */
  expireAllRefreshTokens(person?: string): number;
  /** Would a refresh with this token succeed now? Asking spends nothing, and counts as no use. */
  acceptsRefreshToken(token: string): boolean;
  /** Ends the sign-in that an access or refresh token belongs to: all its tokens are unusable. False when there is none. */
  revoke(token: string): boolean;
  /** Ends every sign-in of a person. Returns how many. */
  revokePerson(person: string): number;
  /**
   * The next grants wait.
   *
   * @param ms - milliseconds of real time
   * @param times - how many grants; default 1
   * @param when - `'before'` the tokens change (default), or `'after'`, when only the answer is late. A client that leaves does not stop the work.
   */
  delayNextGrant(ms: number, times?: number, when?: GrantDelay['when']): void;
  /**
   * The next grants fail.
   *
   * @param times - how many; default 1
   * @throws Error when the fault is not one of {@link GrantFault}
   */
  failNextGrant(fault: GrantFault, times?: number): void;
  /**
   * The next API calls are refused, whatever they carry.
   *
   * @param times - how many; default 1
   */
  failNextCall(fault: CallFault, times?: number): void;
}

/** Creates the controls over a state. */
export function createControls({ log, clock, tokens, faults }: EmulatorState): EmulatorControls {
  return {
    grants: (type) => log.grants(type),
    requests: () => log.requests(),
    clear: () => log.clear(),
    clock,
    expireAccessToken: (token) => tokens.expireAccessToken(token),
    expireAllAccessTokens: (person) => tokens.expireAllAccessTokens(person),
    expireRefreshToken: (token) => tokens.expireRefreshToken(token),
    expireAllRefreshTokens: (person) => tokens.expireAllRefreshTokens(person),
    acceptsRefreshToken: (token) => tokens.accepts(token),
    revoke: (token) => tokens.revoke(token),
    revokePerson: (person) => tokens.revokePerson(person),
    delayNextGrant: (ms, times = 1, when = 'before') => faults.delayNextGrant(ms, times, when),
    failNextGrant: (fault, times = 1) => faults.failNextGrant(fault, times),
    failNextCall: (fault, times = 1) => faults.failNextCall(fault, times),
  };
}
