/**
 * Spark as data: where it lives, what it accepts, how it says that a token has expired.
 * Sources: the vendor's OAuth 2 page and its OpenID + OAuth 2 hybrid page.
 */

/** Whom the API key speaks for. */
export type Role = 'private' | 'idx' | 'vow';
/** How people sign in: plain OAuth 2, or OpenID and OAuth 2 in one redirect. */
export type Flow = 'oauth2' | 'hybrid';

export const ROLES: readonly Role[] = ['private', 'idx', 'vow'];
export const FLOWS: readonly Flow[] = ['oauth2', 'hybrid'];

export const PLATFORM_URL = 'https://sparkplatform.com';
export const API_URL = 'https://sparkapi.com';

export const OAUTH2_PATH = '/oauth2';
export const VOW_PATH = '/auth/vow';
export const OPENID_PATH = '/openid';
export const PROVIDER_SIGN_OUT_PATH = '/openid/logout';
export const GRANT_PATH = '/v1/oauth2/grant';
/** Names the system of a token, and its portal. */
export const SYSTEM_PATH = '/v1/system';
export const TOKEN_PATH = '/v1/oauth2/token';

/** The resource that tells who is signed in: consumers of a portal are contacts, everybody else has an account. */
export const PROFILE_PATH: Readonly<Record<Role, string>> = {
  private: '/v1/my/account',
  idx: '/v1/my/account',
  vow: '/v1/my/contact',
};

/** Access tokens live a day where the answer does not say otherwise (vendor: "Access tokens expire after 24 hours"). */
export const DEFAULT_LIFETIME_MS = 24 * 60 * 60 * 1_000;

/** What the proxy has to know of an API: the one place where the three systems of this package differ for it. */
export interface UpstreamProfile {
  /** Scheme of the `Authorization` header. */
  readonly scheme: 'OAuth' | 'Bearer';
  /** Statuses of the answers that may say so: these are held back until it is known. Default 401. */
  readonly expiredStatuses?: readonly number[];
  /** Does this answer say that the access token has expired? `body` is empty where there is none to read (HEAD). */
  isExpired(wwwAuthenticate: string, body: string): boolean;
  /** Paths (lower case, exact or as a prefix before `/`) that the proxy never forwards: they deal in tokens. */
  readonly refusedPaths: readonly string[];
  /** The body of an error that the proxy itself answers with. */
  errorBody(status: number, code: string, message: string): unknown;
}

/**
 * The Spark API. An expired session is code 1020 or `error='expired_token'`; 1000 (invalid key) and 1010 (key disabled)
 * are 401 as well, and a renewal would not help them.
 */
export const SPARK_UPSTREAM: UpstreamProfile = {
  scheme: 'OAuth',
  isExpired: (wwwAuthenticate, body) =>
    /\berror=['"]?expired_token\b/.test(wwwAuthenticate) || sparkCode(body) === 1020,
  refusedPaths: ['/v1/oauth2', '/v1/session'],
  errorBody: (status, code, message) => ({ D: { Success: false, Code: status, Error: code, Message: message } }),
};

function sparkCode(body: string): number | undefined {
  try {
    const code: unknown = (JSON.parse(body) as { D?: { Code?: unknown } } | null)?.D?.Code;
    return Number(code);
  } catch {
    return undefined; // an HTML page, or a body that was cut: not the answer we look for
  }
}
