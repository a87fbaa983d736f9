import {
  AuthorizationError,
  printable,
  SignInRequiredError,
  SparkError,
  TokenError,
  UnavailableError,
} from '../errors.js';
import type { Callback } from './callback.js';
import type { WallMessage } from './wall.js';

export const DENIED: WallMessage = {
  status: 403,
  code: 'access_denied',
  title: 'You did not allow access',
  text: 'This application needs your permission to read your Spark data. Sign in again and choose Allow.',
  retry: true,
};

const REFUSED: WallMessage = {
  status: 403,
  code: 'access_denied',
  title: 'You can not use this application',
  text: 'Spark knows you, but this application does not let you in. Ask its operator for access.',
};

/** {@link REFUSED} in the words of the verify function, where it has any. */
export function refused(info: object | undefined): WallMessage {
  const { message } = (info ?? {}) as { message?: unknown };
  return typeof message === 'string' && message !== '' ? { ...REFUSED, text: message } : REFUSED;
}

export const STALE: WallMessage = {
  status: 403,
  code: 'attempt_unknown',
  title: 'This sign-in is over',
  text: 'It took longer than ten minutes, was finished already, or began in another browser. Start again; cookies must be allowed.',
  retry: true,
};

export const LOOP: WallMessage = {
  status: 403,
  code: 'sign_in_loop',
  title: 'You signed in, but your browser did not keep it',
  text: 'Your sign-in worked, but the session cookie did not come back. Allow cookies for this site, check that its address begins with https, and try again.',
  retry: true,
};

/** The session came back, but what it links to did not stay. */
export const TOKENS_LOST: WallMessage = {
  status: 503,
  code: 'sign_in_loop',
  title: 'You signed in, but it did not last',
  text: 'Your sign-in worked, but this application could not keep it. Try again in a moment; if it happens again, tell its operator.',
  retry: true,
};

/** For a page in a frame; `page` is where its link leads, in the whole window. */
export function framed(page: string): WallMessage {
  return {
    status: 401,
    code: 'sign_in_required',
    title: 'Sign in to continue',
    text: 'Signing in needs the whole window.',
    retry: page,
    link: 'Sign in',
    framed: true,
  };
}

export function errorMessage(callback: Extract<Callback, { kind: 'error' }>): WallMessage {
  const mismatch = callback.error === 'redirect_uri_mismatch';
  return {
    status: authorizationError(callback).status,
    code: 'authorization_failed',
    title: 'Spark could not sign you in',
    text: mismatch
      ? 'The address of this application is not the one that Spark has on record for it. Tell its operator.'
      : 'Spark reported a problem with this sign-in. Try again in a moment; if it happens again, tell the operator of this application.',
    retry: true,
  };
}

export function authorizationError({
  error,
  description,
  uri,
}: Extract<Callback, { kind: 'error' }>): AuthorizationError {
  const code = /^[\w.]{1,60}$/.test(error) ? error : 'unknown_error'; // it comes from the URL, and may be anything
  return new AuthorizationError(printable(description) ?? `Spark refused the sign-in: ${code}.`, code, printable(uri));
}

/** What a wall says of an error that something threw. */
export function messageOf(error: unknown): WallMessage {
  if (error instanceof SignInRequiredError) {
    return { status: 401, code: error.code, title: 'Sign in to continue', text: 'Sign in to continue.', retry: true };
  }
  if (error instanceof UnavailableError) {
    const retryAfterS = Math.ceil(error.retryAfterMs / 1_000);
    return {
      status: 503,
      code: error.code,
      title: 'Not available right now',
      text: 'Signing in is not possible for a moment. Try again shortly.',
      retryAfterS,
    };
  }
  if (error instanceof TokenError) {
    const late = error.code === 'invalid_grant';
    return {
      status: late ? 403 : 502,
      code: late ? 'attempt_unknown' : 'token_failed',
      title: late ? STALE.title : 'Spark did not finish the sign-in',
      text: late
        ? STALE.text
        : 'Spark could not complete this sign-in. Try again in a moment; if it happens again, tell the operator of this application.',
      retry: true,
    };
  }
  if (error instanceof AuthorizationError && error.status === 403) return STALE;
  if (error instanceof SparkError && error.code === 'profile_failed') {
    return {
      status: error.status,
      code: error.code,
      title: 'Spark did not say who you are',
      text: 'Your sign-in worked, but Spark did not answer when asked for your account. Try again in a moment.',
      retry: true,
    };
  }
  const status = error instanceof SparkError ? error.status : 500;
  return {
    status,
    code: error instanceof SparkError ? error.code : 'sign_in_failed',
    title: 'The sign-in failed',
    text: 'Something went wrong while signing you in. Try again; if it happens again, tell the operator of this application.',
    retry: true,
  };
}
