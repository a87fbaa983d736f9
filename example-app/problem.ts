import { AuthorizationError, SparkError } from '../src/index.js';

/** Why something did not work, for a person. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  /** What happened. */
  readonly reason: string;
  /** What to do about it. */
  readonly advice: string;
}

const DENIED: Problem = {
  status: 403,
  title: 'You did not allow access',
  reason: 'Spark asked whether this site may see your data, and the answer was no. Nothing was shared.',
  advice: 'If that was a slip, start again and choose “Allow”.',
};

const OTHER: Problem = {
  status: 500,
  title: 'That did not work',
  reason: 'Something went wrong on this server. Its log says what.',
  advice: 'Start again from the first page. If it happens again, tell the people who run this site.',
};

/** What a sign-in that failed says. The strategy gives no status where the person said no, as passport-oauth2 does. */
export function refusal(info: unknown, status: number | undefined): Problem {
  if (status === undefined) return DENIED;
  const message: unknown = (info as { message?: unknown } | undefined)?.message;
  return {
    status,
    title: 'This sign-in could not be finished',
    reason: typeof message === 'string' ? message : 'The sign-in was not accepted.',
    advice:
      'Start again from the first page, in this browser, and allow cookies for this site. An attempt is good for ten minutes, once.',
  };
}

/** What an error says. Only errors of this package speak for themselves: others may carry what is nobody's business. */
export function failure(error: unknown): Problem {
  if (error instanceof AuthorizationError) return sparkSaid(error);
  if (!(error instanceof SparkError) || error.code === 'config') return OTHER;
  const { status, message: reason } = error;
  if (status === 503) return { status, title: 'Not possible right now', reason, advice: 'Try again in a moment.' };
  return { ...OTHER, status, reason };
}

/** What Spark can answer at the callback, in words that are ours: its own came through the address, where anybody can write. */
const SPARK_SAID = new Map([
  ['access_denied', DENIED.reason],
  [
    'redirect_uri_mismatch',
    'The address that Spark should send you back to is not the one it has on record for this site’s key (redirect_uri_mismatch).',
  ],
  ['unauthorized_client', 'This site’s key may not be used for the role you chose (unauthorized_client).'],
  ['invalid_request', 'Spark did not understand the request of this site (invalid_request).'],
  ['unsupported_response_type', 'Spark did not understand the request of this site (unsupported_response_type).'],
  ['temporarily_unavailable', 'Spark can not sign anybody in right now (temporarily_unavailable).'],
]);

function sparkSaid(error: AuthorizationError): Problem {
  return {
    status: error.status,
    title: 'Spark could not sign you in',
    reason: SPARK_SAID.get(error.code) ?? 'Spark reported an error. The log of this server says which.',
    advice: 'Try again in a moment, or choose another role. If it happens again, tell the people who run this site.',
  };
}
