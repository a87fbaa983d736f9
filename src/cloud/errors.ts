import { TokenError } from '../errors.js';

/**
 * Why the cloud said no. `wrong_password` also stands for an account that does not exist, where the cloud keeps that to
 * itself (today's does). `otp_required`: say the one-time code with name and password. `forbidden`: the access token is
 * good, but not for this.
 */
export type CloudErrorCode =
  | 'wrong_password'
  | 'unknown_account'
  | 'auth_token_expired'
  | 'wrong_otp'
  | 'otp_required'
  | 'mfa_expired'
  | 'forbidden'
  | 'token_not_found'
  | 'rate_limited';

const STATUS: Readonly<Record<CloudErrorCode, number>> = {
  wrong_password: 401,
  unknown_account: 401,
  auth_token_expired: 401,
  wrong_otp: 401,
  otp_required: 401,
  mfa_expired: 401,
  forbidden: 403,
  token_not_found: 404,
  rate_limited: 429,
};

const MESSAGES: Readonly<Record<CloudErrorCode, string>> = {
  wrong_password: 'The name or the password is not right.',
  unknown_account: 'There is no account with this name.',
  auth_token_expired: 'The sign-in has expired. Sign in again.',
  wrong_otp: 'The one-time code is not right.',
  otp_required: 'The account asks for a one-time code too.',
  mfa_expired: 'The one-time code came too late. Sign in again.',
  forbidden: 'The cloud does not allow this sign-in to do that.',
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

/**
 * What finishes a sign-in that needs a second factor. Keep it in the session, never in the form, and take it out when it is
 * used: it is secret, and who could change `username` would sign in as somebody else.
 */
export interface MfaChallenge {
  /** The cloud's `mfa_token`, which stands for the password that was right. The cloud decides how long it lives. */
  readonly mfaToken: string;
  /** The account's e-mail address, as it was typed: who signs in when the code is right. */
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
