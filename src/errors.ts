/**
 * What an error of this package says to a program: `code` is stable, `status` is the HTTP status that Express
 * would answer with, `cause` is the reason, reduced to what is safe to log.
 */
export class SparkError extends Error {
  /** Stable and machine-readable, e.g. `sign_in_required`. `docs/errors.md` lists them. */
  readonly code: string;
  /** HTTP status that fits the error. */
  readonly status: number;

  constructor(message: string, details: { code: string; status: number; cause?: unknown }) {
    super(message, details.cause === undefined ? undefined : { cause: safeCause(details.cause) });
    this.name = new.target.name;
    this.code = details.code;
    this.status = details.status;
  }
}

/**
 * Options or a set-up that can't work. Lists every problem, each with its remedy. Thrown when the application starts, and
 * at a request for what shows only there: the options of `passport.authenticate`, a portal that a function names, a session
 * that the browser keeps, two clients with one session key.
 */
export class ConfigError extends SparkError {
  readonly problems: readonly string[];

  constructor(subject: string, problems: readonly string[]) {
    const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  - ${problem}`).join('');
    super(`${subject}:${list}`, { code: 'config', status: 500 });
    this.problems = problems;
  }
}

/** Nobody is signed in, or the sign-in can't be renewed any more: the person has to sign in again. */
export class SignInRequiredError extends SparkError {
  constructor(message = 'Sign in to continue.', cause?: unknown) {
    super(message, { code: 'sign_in_required', status: 401, cause });
  }
}

/** Something that the renewal needs (the token store, the token endpoint) is away for now. Nobody is signed out. */
export class UnavailableError extends SparkError {
  /** How long to wait before another try, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, details: { code: string; retryAfterMs?: number; cause?: unknown }) {
    super(message, { code: details.code, status: 503, cause: details.cause });
    this.retryAfterMs = details.retryAfterMs ?? 1_000;
  }
}

/** A request that the proxy or the strategy refuses to act on. */
export class RequestRefusedError extends SparkError {}

/** The Spark API could not be reached (502), broke off (502) or did not answer in time (504). */
export class UpstreamError extends SparkError {}

/**
 * Spark sent the browser back with an error, or with a callback that can't be accepted.
 * Has the fields of passport-oauth2's class of the same name: `code` is the OAuth error code (RFC 6749 §4.1.2.1).
 */
export class AuthorizationError extends SparkError {
  readonly uri: string | undefined;

  constructor(message: string, code: string, uri?: string, status?: number) {
    super(message, { code, status: status ?? AUTHORIZATION_STATUS[code] ?? 500 });
    this.uri = uri;
  }
}

const AUTHORIZATION_STATUS: Readonly<Record<string, number>> = {
  access_denied: 403,
  server_error: 502,
  temporarily_unavailable: 503,
};

/**
 * How sure we are of what the token endpoint did with the request.
 * `not-sent`: it never saw it. `refused`: it said no. `unknown`: it may have acted on it, and we have no answer to use.
 */
export type GrantOutcome = 'not-sent' | 'refused' | 'unknown';

/**
 * The token endpoint gave no tokens. Has the fields of passport-oauth2's class of the same name: `code` is the
 * OAuth error code (RFC 6749 §5.2) where the server gave one, or `spark_` and the number of Spark's own envelope
 * (`spark_1000`). Else `not_sent`, `timeout` or `connection_lost` (no answer), `server_error` (5xx), `rate_limited` (429), or
 * `bad_response` (an answer without tokens that does not say why).
 */
export class TokenError extends SparkError {
  readonly uri: string | undefined;
  readonly outcome: GrantOutcome;
  /** What `Retry-After` asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    code: string,
    details: { status?: number; uri?: string; outcome?: GrantOutcome; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { code, status: details.status ?? 500, cause: details.cause });
    this.uri = details.uri;
    this.outcome = details.outcome ?? 'refused';
    this.retryAfterMs = details.retryAfterMs;
  }
}

const MAX_MESSAGE = 300;
/** An error may be its own cause. */
const MAX_CAUSES = 5;

type ErrorLike = { name?: unknown; message?: unknown; code?: unknown; cause?: unknown };

/**
 * A cause that is safe to log: rebuilt from name, code and message alone, because the errors of HTTP and Redis
 * clients carry headers, URLs and command arguments, and those carry tokens.
 */
export function safeCause(cause: unknown, depth = 0): Error {
  if (cause instanceof SparkError) return cause;
  // No instanceof for foreign errors: a test runner's realm has an Error of its own.
  const {
    name,
    message,
    code,
    cause: reason,
  } = (typeof cause === 'object' && cause !== null ? cause : { message: cause }) as ErrorLike;
  const safe: Error & { code?: string } = new Error(
    typeof message === 'string' ? message.slice(0, MAX_MESSAGE) : 'unknown cause',
  );
  if (typeof name === 'string') safe.name = name;
  if (typeof code === 'string') safe.code = code;
  // `fetch failed` says nothing by itself: the reason stands one level down.
  if (reason !== undefined && depth < MAX_CAUSES) safe.cause = safeCause(reason, depth + 1);
  delete safe.stack;
  return safe;
}

/** One line for a log: what happened, and why, as far as it is safe to say. */
export function describeError(error: unknown): string {
  const safe = safeCause(error) as Error & { code?: string };
  const text = `${safe.name}${safe.code === undefined ? '' : ` (${safe.code})`}: ${safe.message}`;
  return safe.cause === undefined ? text : `${text} Cause: ${describeError(safe.cause)}`;
}

/** A text that came with a URL, on its way into a message: printable, and short. */
export function printable(text: string | undefined): string | undefined {
  return text?.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 300);
}
