import { AuthorizationError, SparkError, UnavailableError } from '../errors.js';
import { isSignedIn, type SignInCall, stateMeta } from './call.js';
import { type Callback, mismatch, readCallback, withoutWords } from './callback.js';
import { coverLogIn } from './login.js';
import { authorizationError, DENIED, errorMessage, plainText, REFUSED, STALE } from './messages.js';
import { exchangeCode } from './oauth2.js';
import type { SparkProfile } from './profile.js';
import { refuse, refuseOrFail } from './refuse.js';
import { calledBack, urlParts } from './request.js';
import { verifyState } from './state-store.js';
import { rememberFinished, safeReturnTo, type Transaction } from './transaction.js';
import { callVerify } from './verify.js';

/** The callback: what Spark said when it sent the browser back, and what becomes of it. */
export async function finish(call: SignInCall): Promise<void> {
  const { req, res, parts } = call;
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Referrer-Policy', 'no-referrer'); // this address holds the code
  const read = readCallback(urlParts(req).query);
  const transaction = read.state === undefined ? undefined : await parts.attempts.take(req, res, read.state);
  const callback = transaction ? read : withoutWords(read);
  if (callback.kind === 'denied') return denied(call, callback);
  if (callback.kind === 'error') return refuseOrFail(call, authorizationError(callback), errorMessage(callback));
  if (!transaction || callback.kind === 'invalid') return await attemptIsGone(call, callback);
  const problem = mismatch(callback, transaction, parts.settings.authorizationURL ?? parts.settings.platformURL);
  if (problem) return refuseOrFail(call, new AuthorizationError(problem, 'callback_mismatch', undefined, 403), STALE);
  const stored = await storedState(call, callback, transaction);
  if (!stored.ok)
    return refuseOrFail(
      call,
      new AuthorizationError('The state is not known.', 'state_mismatch', undefined, 403),
      STALE,
    );
  await signIn(call, callback.code, { ...transaction, verifier: stored.verifier ?? transaction.verifier });
}

async function storedState(
  { req, parts: { settings } }: SignInCall,
  callback: Callback,
  transaction: Transaction,
): Promise<{ ok: boolean; verifier: string | undefined }> {
  if (!settings.store) return { ok: true, verifier: undefined };
  return await verifyState(settings.store, req, callback.state, stateMeta(settings, transaction.redirectURI));
}

async function signIn(call: SignInCall, code: string, transaction: Transaction): Promise<void> {
  const { req, strategy, parts } = call;
  const { settings } = parts;
  const { role, portal, redirectURI, verifier, appState } = transaction;
  const grant = await exchangeCode(parts.oauth2, code, {
    ...(strategy.tokenParams(call.options) as Record<string, string>),
    grant_type: 'authorization_code',
    redirect_uri: redirectURI,
    ...(verifier === undefined ? {} : { code_verifier: verifier }),
  });
  const { user, info } = await callVerify(parts.verify, {
    req: settings.passReqToCallback ? req : undefined,
    accessToken: grant.tokens.accessToken,
    refreshToken: grant.tokens.refreshToken,
    params: grant.params,
    profile: await loadProfile(call, grant.tokens.accessToken, role),
  });
  if (!user) {
    const error = new AuthorizationError('The application refused this person.', 'access_denied');
    refuseOrFail(call, error, REFUSED, info);
    return;
  }
  coverLogIn(
    req,
    { user, tokens: grant.tokens, origin: { role, portal, redirectURI } },
    { service: parts.tokens, sessionKey: settings.sessionKey },
  );
  const returnTo = safeReturnTo(transaction.returnTo, settings.callbackPath);
  if (call.wall) await logIn(call, user);
  rememberFinished(call.res, returnTo, redirectURI.startsWith('https:'));
  if (call.wall) strategy.redirect(returnTo);
  else strategy.success(user, { ...info, returnTo, ...(appState === undefined ? {} : { state: appState }) });
}

/** The wall signs in by itself. What fails there is the session store, or `serializeUser`: the log tells which. */
async function logIn({ req, options }: SignInCall, user: object): Promise<void> {
  try {
    await calledBack((done) => req.logIn?.(user, { keepSessionInfo: options.keepSessionInfo }, done));
  } catch (error) {
    if (error instanceof SparkError) throw error;
    throw new UnavailableError('The session could not be saved.', { code: 'session_failed', cause: error });
  }
}

async function loadProfile(
  { parts }: SignInCall,
  accessToken: string,
  role: Transaction['role'],
): Promise<SparkProfile | undefined> {
  const { skipUserProfile: skip } = parts.settings;
  if (typeof skip === 'function') {
    const answer = skip.length > 1 ? await calledBack((done) => skip(accessToken, done)) : (skip as () => boolean)();
    if (answer) return undefined;
  } else if (skip) {
    return undefined;
  }
  return await parts.profileOf(accessToken, role);
}

function denied(call: SignInCall, callback: Extract<Callback, { kind: 'denied' }>): void {
  const error = new AuthorizationError(plainText(callback.description) ?? 'The person denied access.', 'access_denied');
  if (call.wall) refuse(call, error, DENIED);
  else call.strategy.fail({ message: error.message, code: error.code });
}

/** No attempt in this browser belongs to this callback: reloaded, late, or somebody else's. */
async function attemptIsGone(call: SignInCall, callback: Callback): Promise<void> {
  if (await isSignedIn(call)) {
    call.strategy.redirect(safeReturnTo(call.options.returnTo, call.parts.settings.callbackPath));
    return;
  }
  const problem =
    callback.kind === 'invalid'
      ? `The callback holds ${callback.problem}.`
      : 'The attempt to sign in is not known here.';
  refuseOrFail(call, new AuthorizationError(problem, 'attempt_unknown', undefined, 403), STALE);
}
