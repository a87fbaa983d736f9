import { TokenError } from '../errors.js';

/**
 * Why the cloud said no. `wrong_password` also stands for an account that does not exist, where the cloud keeps that to
 * itself (today's does).
 */
export type CloudErrorCode =
  | 'wrong_password'
  | 'unknown_account'
  | 'auth_token_expired'
  | 'wrong_otp'
  | 'mfa_expired'
  | 'token_not_found'
  | 'rate_limited';

const STATUS: Readonly<Record<CloudErrorCode, number>> = {
  wrong_password: 401,
  unknown_account: 401,
  auth_token_expired: 401,
  wrong_otp: 401,
  mfa_expired: 401,
  token_not_found: 404,
  rate_limited: 429,
};

const MESSAGES: Readonly<Record<CloudErrorCode, string>> = {
  wrong_password: 'The name or the password is not right.',
  unknown_account: 'There is no account with this name.',
  auth_token_expired: 'The sign-in has expired. Sign in again.',
  wrong_otp: 'The one-time code is not right.',
  mfa_expired: 'The one-time code came too late. Sign in again.',
  token_not_found: 'The account has no such token.',
  rate_limited: 'The cloud asked to slow down.',
};

/** The cloud refused. Its texts are ours: what the cloud says may repeat what it was sent. */
export class CloudError extends TokenError {
  constructor(
    code: CloudErrorCode,
    details: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(MESSAGES[code], code, {
      status: STATUS[code],
      ...(details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs }),
      cause: details.cause,
    });
  }
}

/** What finishes a sign-in that needs a second factor. Secret: keep it in the session, and take it out afterwards. */
export interface MfaChallenge {
  readonly mfaToken: string;
  readonly username: string;
}

/**
 * The password was right, and the account asks for a one-time code too. Ask the person for it, then
 * `passport.authenticate('spark-cloud', { challenge })` with the form field `otp`, or `strategy.finishMfa`.
 */
export class MfaRequiredError extends TokenError {
  /** Private, so that no log and no JSON shows it. */
  readonly #challenge: MfaChallenge;

  constructor(challenge: MfaChallenge) {
    super('A one-time code is needed.', 'mfa_required', { status: 401 });
    this.#challenge = challenge;
  }

  get challenge(): MfaChallenge {
    return this.#challenge;
  }
}
