import { CloudError } from '../src/cloud/index.js';
import { AuthorizationError, SignInRequiredError, SparkError, TokenError, UnavailableError } from '../src/index.js';

/** Why something did not work, for a person. */
export interface Problem {
  readonly status: number;
  /** Stable: for programs, and for people to tell those who run the site. */
  readonly code: string;
  readonly title: string;
  /** What happened. */
  readonly reason: string;
  /** What to do about it. */
  readonly advice: string;
  /** With status 503. Default 1. */
  readonly retryAfterS?: number;
}

const DENIED: Problem = {
  status: 403,
  code: 'access_denied',
  title: 'You did not allow access',
  reason: 'Spark asked whether this site may see your data, and the answer was no. Nothing was shared.',
  advice: 'If that was a slip, start again and choose “Allow”.',
};

/** The verify function of the strategy said no. */
const REFUSED: Problem = {
  status: 403,
  code: 'access_denied',
  title: 'You can not use this site',
  reason: 'Spark knows you, but this site does not let you in.',
  advice: 'Ask the people who run this site for access.',
};

const STALE: Problem = {
  status: 403,
  code: 'attempt_unknown',
  title: 'This sign-in is over',
  reason: 'It took longer than ten minutes, was finished already, or began in another browser.',
  advice: 'Start again from the first page, in this browser, and allow cookies for this site.',
};

/** What the strategy says of a callback that belongs to no attempt of this browser, or not to this one. */
const STALE_CODES: readonly unknown[] = ['attempt_unknown', 'callback_mismatch', 'state_mismatch', 'assertion_invalid'];

const AWAY: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'Not possible right now',
  reason: 'Something that this site needs does not answer. Nobody is signed out by that.',
  advice: 'Try again in a moment.',
};

const TELL = 'If it happens again, tell the people who run this site.';

const UNFINISHED: Problem = {
  status: 502,
  code: 'token_failed',
  title: 'Spark did not finish the sign-in',
  reason: 'This site was given no access.',
  advice: `Try again in a moment. ${TELL}`,
};

const NAMELESS: Problem = {
  status: 502,
  code: 'profile_failed',
  title: 'Spark did not say who you are',
  reason: 'Your sign-in worked, but Spark did not answer when this site asked for your account.',
  advice: `Try again in a moment. ${TELL}`,
};

const SIGN_IN: Problem = {
  status: 401,
  code: 'sign_in_required',
  title: 'You are not signed in',
  reason: 'This needs somebody who is signed in with Spark.',
  advice: 'Sign in from the first page.',
};

const OTHER: Problem = {
  status: 500,
  code: 'internal_error',
  title: 'That did not work',
  reason: 'Something went wrong on this server. Its log says what.',
  advice: `Start again from the first page. ${TELL}`,
};

/** What a sign-in that failed says. The strategy gives no status where the person said no, as passport-oauth2 does. */
export function refusal(info: unknown, status: number | undefined): Problem {
  if (status === undefined) return DENIED;
  const { code, message } = (info ?? {}) as { code?: unknown; message?: unknown };
  if (STALE_CODES.includes(code)) return STALE;
  return typeof message === 'string' && message !== '' ? { ...REFUSED, reason: message } : REFUSED;
}

/** What an error says: in words of the site, because the error's own are for those who run it. */
export function failure(error: unknown): Problem {
  if (error instanceof AuthorizationError) return sparkSaid(error);
  if (error instanceof SignInRequiredError) return SIGN_IN;
  if (error instanceof CloudError) return { ...OTHER, status: error.status, code: error.code, reason: error.message };
  if (error instanceof TokenError) return error.code === 'invalid_grant' ? STALE : UNFINISHED;
  if (error instanceof UnavailableError) {
    return { ...AWAY, code: error.code, retryAfterS: Math.max(1, Math.ceil(error.retryAfterMs / 1_000)) };
  }
  if (!(error instanceof SparkError) || error.code === 'config') return OTHER;
  const { code, status } = error;
  if (code === NAMELESS.code) return NAMELESS;
  if (status < 500) return { ...OTHER, status, code, reason: 'This site can not act on that request.' };
  return { ...OTHER, status, code, reason: 'Another server that this site needs did not answer as it should.' };
}

/** What Spark can answer at the callback, in words that are ours: its own came through the address, where anybody can write. */
const SPARK_SAID = new Map([
  ['access_denied', DENIED.reason],
  [
    'redirect_uri_mismatch',
    'The address that Spark should send you back to is not the one it has on record for this site’s key.',
  ],
  ['unauthorized_client', 'This site’s key may not be used for the role you chose.'],
  ['invalid_request', 'Spark did not understand the request of this site.'],
  ['unsupported_response_type', 'Spark did not understand the request of this site.'],
  ['temporarily_unavailable', 'Spark can not sign anybody in right now.'],
]);

function sparkSaid({ status, code }: AuthorizationError): Problem {
  return {
    status,
    code: SPARK_SAID.has(code) ? code : 'authorization_failed',
    title: 'Spark could not sign you in',
    reason: SPARK_SAID.get(code) ?? 'Spark reported an error. The log of this server says which.',
    advice: `Try again in a moment, or choose another role. ${TELL}`,
  };
}
