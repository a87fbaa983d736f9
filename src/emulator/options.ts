import type { SparkRole } from './people.js';

/** An API key that the emulator knows. */
export interface EmulatorClientOptions {
  /** The `client_id`. */
  readonly id: string;
  /** The `client_secret`. */
  readonly secret: string;
  /**
   * The redirect URIs on record, compared character by character; the first one gets the error callbacks.
   * `'loopback'` accepts every http(s) URI on localhost, 127.0.0.0/8 or [::1]. An empty list fits a key that never redirects.
   */
  readonly redirectURIs: readonly string[] | 'loopback';
  /** What the key may be used for. Default: all three. At `/oauth2` the first of `private`, `idx` that key and person share decides. */
  readonly roles?: readonly SparkRole[] | undefined;
}

/** Somebody who can sign in. */
export interface EmulatorPersonOptions {
  readonly username: string;
  readonly password: string;
  /** `private` and `idx` sign in at `/oauth2` and `/openid`, `vow` at `/auth/vow`. */
  readonly roles: readonly SparkRole[];
  /** Portals where a consumer has an account, or which an agent owns. Default: all of {@link SparkEmulatorOptions.portals}. */
  readonly portals?: readonly string[] | undefined;
  /** Default: the user name with a capital. */
  readonly firstName?: string | undefined;
  /** Default `'Example'`. */
  readonly lastName?: string | undefined;
  /** Default `<username>@example.com`. */
  readonly email?: string | undefined;
  /**
   * What `/v1/my/account` tells of addresses, numbers and pictures: `'full'` (default) as the vendor's page shows it, or as
   * real accounts come: `'no-primary'` without `Primary`, `'empty-lists'` without entries, `'hidden'` with asterisks for values.
   */
  readonly accountData?: 'full' | 'no-primary' | 'empty-lists' | 'hidden' | undefined;
}

/** Options of `createSparkEmulator`. Every one can be left out. */
export interface SparkEmulatorOptions {
  /** Default: `emulator-client` / `emulator-secret` with any loopback redirect URI and all roles. */
  readonly clients?: readonly EmulatorClientOptions[] | undefined;
  /** Default: `agent` (Private, IDX) and `consumer` (VOW), password `spark`. */
  readonly people?: readonly EmulatorPersonOptions[] | undefined;
  /** Names of the portals, compared in lower case as the vendor's URLs spell them. Default `['myportal']`. */
  readonly portals?: readonly string[] | undefined;
  /**
   * What a refresh does to the refresh token it was made with. `'strict'` (default): it dies at once. `'grace'`: for
   * {@link SparkEmulatorOptions.graceMs} it keeps answering with the same new pair. `'none'`: it stays the refresh token.
   * The vendor documents a new refresh token and leaves the old one's fate open.
   */
  readonly rotation?: 'strict' | 'grace' | 'none' | undefined;
  /** Length of the grace window in milliseconds. Default 30 000. Only with `rotation: 'grace'`. */
  readonly graceMs?: number | undefined;
  /** Lifetime of access tokens in seconds. Default 86 400, the vendor's 24 hours. */
  readonly expiresIn?: number | undefined;
  /** How answers state the lifetime; every form has been seen in real answers or fixtures. Default `'number'`. */
  readonly expiresInFormat?: 'number' | 'string' | 'missing' | 'zero' | undefined;
  /** Answers to a refresh carry no `refresh_token`, and the one that was sent stays good whatever `rotation` says. Default false. */
  readonly omitRefreshToken?: boolean | undefined;
  /** What a refresh does to the earlier access token: it lives on until it expires (default), or it dies. Undocumented by the vendor. */
  readonly accessTokenAfterRefresh?: 'lives' | 'dies' | undefined;
  /** `'one'`: a new sign-in of the same person with the same key ends the earlier one's tokens. Default `'many'`. */
  readonly grantsPerPerson?: 'many' | 'one' | undefined;
  /** A refresh token that comes back after it was spent ends every token of that sign-in. Default false. */
  readonly reuseDetection?: boolean | undefined;
  /**
   * A refresh without `redirect_uri` is refused, and spends nothing. Default false: the vendor lists the parameter for a
   * refresh, and the vendor's own client leaves it out after a password grant.
   */
  readonly refreshNeedsRedirectURI?: boolean | undefined;
  /** The hybrid callback: `'full'` (default) as captured, `'minimal'` as the vendor's page shows it (mode and code, and the state). */
  readonly hybridCallback?: 'full' | 'minimal' | undefined;
  /** API calls without `X-SparkApi-User-Agent` get code 1016. Default false. */
  readonly requireUserAgent?: boolean | undefined;
  /** Opens the HTTP controls under `/_emulator/`. Whoever reaches the port can then read tokens. Default false. */
  readonly controls?: boolean | undefined;
}
