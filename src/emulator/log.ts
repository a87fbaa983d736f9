import type { IncomingHttpHeaders } from 'node:http';

/** The grant types of the vendor's documents and clients. */
export type GrantType = 'authorization_code' | 'refresh_token' | 'password';

/** One POST that reached the grant endpoint. */
export interface GrantSeen {
  /** Emulator time of arrival, milliseconds since 1970. */
  readonly at: number;
  /** The `grant_type` as it was sent, also when it is none of {@link GrantType}; `null` when there was none. */
  readonly type: string | null;
  readonly clientId: string | null;
  readonly redirectURI: string | null;
  /** The refresh token that was sent. */
  readonly refreshToken: string | null;
  /** The authorization code that was sent. */
  readonly code: string | null;
  /** User name of the person the grant was for, once that is known. */
  readonly person: string | null;
  /** The tokens that were made, also when a fault kept them from being delivered. */
  readonly issued: { readonly accessToken: string; readonly refreshToken: string | null } | null;
  /** HTTP status; `null` while unanswered, and for ever when a fault answers with silence or a broken connection. */
  readonly status: number | null;
  /** Emulator time at which the answer was sent; `null` as long as {@link GrantSeen.status} is. */
  readonly answeredAt: number | null;
  /** The `error` of a refusal. */
  readonly error: string | null;
  /** The kind of the fault that was injected. */
  readonly fault: string | null;
  readonly headers: IncomingHttpHeaders;
}

/** One request that reached the API (everything under `/v1`, `/Reso` and `/Version`, except the grant endpoint). */
export interface RequestSeen {
  /** Emulator time of arrival, milliseconds since 1970. */
  readonly at: number;
  readonly method: string;
  /** Path and query, byte for byte as received. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** HTTP status; `null` while unanswered. */
  readonly status: number | null;
  /** Bytes of the request's body that have arrived. */
  readonly bodyLength: number;
}

/** An entry while its request is under way. */
export type Draft<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What the emulator received, in order of arrival. It grows until `clear()`: tests need it whole, and an emulator that
 * runs for days should be cleared now and then.
 */
export class EmulatorLog {
  private grantEntries: GrantSeen[] = [];
  private requestEntries: RequestSeen[] = [];

  addGrant(entry: Draft<GrantSeen>): void {
    this.grantEntries.push(entry);
  }

  addRequest(entry: Draft<RequestSeen>): void {
    this.requestEntries.push(entry);
  }

  grants(type?: GrantType): GrantSeen[] {
    return this.grantEntries
      .filter((entry) => type === undefined || entry.type === type)
      .map((entry) => ({ ...entry }));
  }

  requests(): RequestSeen[] {
    return this.requestEntries.map((entry) => ({ ...entry }));
  }

  clear(): void {
    this.grantEntries = [];
    this.requestEntries = [];
  }
}
