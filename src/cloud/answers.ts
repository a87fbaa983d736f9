import { lifetimeFrom } from '../grant.js';
import { BEARER_UPSTREAM, saysInvalidToken } from '../http-authorization.js';
import type { UpstreamProfile } from '../platform.js';
import type { Tokens } from '../tokens/record.js';
import { CloudError } from './errors.js';

type Answer = Readonly<Record<string, unknown>>;

/** Reads `{"auth_token":{"token":…,"expires_at":…}}` of `sign-in` (the cloud's API of 2014). */
export function readAuthToken(answer: Answer, answeredAt: number): Tokens | undefined {
  const { token, expires_at } = (answer.auth_token ?? {}) as { token?: unknown; expires_at?: unknown };
  return typeof token === 'string' && token !== ''
    ? { accessToken: token, lifetimeMs: lifetimeUntil(expires_at, answeredAt) }
    : undefined;
}

/** Reads `{"access_token":…,"access_token_expires_at":…}` of `access-token` (the cloud's API of 2014). */
export function readAccessToken(answer: Answer, answeredAt: number): Tokens | undefined {
  const { access_token: token, access_token_expires_at: expiresAt } = answer;
  return typeof token === 'string' && token !== ''
    ? { accessToken: token, lifetimeMs: lifetimeUntil(expiresAt, answeredAt) }
    : undefined;
}

/** What is left until a date, by the clock of who wrote it. `null` is the cloud's word for «never». */
function lifetimeUntil(expiresAt: unknown, now: number): number | undefined {
  if (expiresAt === null) return undefined;
  const seconds = typeof expiresAt === 'string' ? (Date.parse(expiresAt) - now) / 1_000 : undefined;
  return lifetimeFrom(seconds); // a date that is missing, past or unreadable counts as a lifetime that is
}

/**
 * What the cloud was asked with: it decides what a refusal means. `password`: a sign-in. `account`: name and password in
 * HTTP Basic, and the one-time code where the account has one.
 */
export type AskedWith = 'password' | 'account' | 'access token' | 'auth token' | 'refresh token' | 'otp';

const CREDENTIALS_REFUSED: ReadonlySet<unknown> = new Set([
  'invalid_grant',
  'invalid_credentials',
  'unauthorized',
  'access_denied',
]);
const ACCOUNT_UNKNOWN: ReadonlySet<unknown> = new Set(['unknown_account', 'unknown_user', 'user_not_found']);

/** The cloud's refusal in our words; undefined for those that the standard's words fit (`invalid_client` …). */
export function cloudRefusal(
  asked: AskedWith,
  { error }: Answer,
  status: number,
  retryAfterMs: number | undefined,
): CloudError | undefined {
  if (status === 429) return new CloudError('rate_limited', { retryAfterMs });
  if (status < 400 || status >= 500 || error === 'invalid_client') return undefined;
  const refused = status === 401 || CREDENTIALS_REFUSED.has(error);
  switch (asked) {
    case 'account':
      // No MfaRequiredError: its challenge finishes a sign-in, and here is none.
      if (error === 'mfa_required') return new CloudError('otp_required');
      return error === 'invalid_otp'
        ? new CloudError('wrong_otp')
        : cloudRefusal('password', { error }, status, retryAfterMs);
    case 'access token':
      return status === 403 ? new CloudError('forbidden') : undefined;
    case 'password':
      if (ACCOUNT_UNKNOWN.has(error)) return new CloudError('unknown_account');
      return refused ? new CloudError('wrong_password') : undefined;
    case 'auth token':
      return refused || error === 'invalid_token' ? new CloudError('auth_token_expired') : undefined;
    case 'otp':
      if (error === 'invalid_grant') return new CloudError('mfa_expired');
      return refused || error === 'invalid_otp' ? new CloudError('wrong_otp') : undefined;
    case 'refresh token':
      return undefined; // `invalid_grant` is what the token service knows
  }
}

/**
 * The cloud's API. It answers a bad token with 400 and `invalid_grant`, where the standard has 401 and `invalid_token`. Other
 * answers with 400 (a name that is not allowed, a function that a device lacks) pass.
 */
export const CLOUD_UPSTREAM: UpstreamProfile = {
  ...BEARER_UPSTREAM,
  expiredStatuses: [400, 401],
  isExpired: (wwwAuthenticate, body) => saysInvalidToken(wwwAuthenticate) || saysBadToken(body),
  refusedPaths: ['/oauth', '/sign-in', '/access-token', '/v1/access_tokens'],
};

/** Does the body of a 400 or 401 say that the access token is the reason? */
export function saysBadToken(body: string): boolean {
  try {
    const { error } = (JSON.parse(body) ?? {}) as { error?: unknown };
    return error === 'invalid_grant' || error === 'invalid_token';
  } catch {
    return false; // not JSON: not the answer we look for
  }
}
