import { calledBack } from '../called-back.js';
import { AuthorizationError, describeError, printable, SparkError, UnavailableError } from '../errors.js';
import type { Grant } from '../grant.js';
import { OPENID_PATH } from '../platform.js';
import { verifyAssertion } from './assertion.js';
import { readAttributes } from './attributes.js';
import { type SignInCall, standing, stateMeta } from './call.js';
import { type Callback, mismatch, readCallback, withoutWords } from './callback.js';
import { coverLogIn } from './login.js';
import { authorizationError, DENIED, errorMessage, refused, STALE } from './messages.js';
import { exchangeCode } from './oauth2.js';
import type { SparkSettings } from './options.js';
import { type SparkProfile, withAttributes } from './profile.js';
import { refuse, refuseOrFail } from './refuse.js';
import { urlParts } from './request.js';
import { safeReturnTo } from './return-to.js';
import { Rounds } from './rounds.js';
import { type VerifiedState, verifyState } from './state-store.js';
import type { Found, Transaction } from './transaction.js';
import { callVerify } from './verify.js';

/** The callback: what Spark said when it sent the browser back, and what becomes of it. */
export async function finish(call: SignInCall): Promise<void> {
  const { req, res, parts } = call;
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Referrer-Policy', 'no-referrer'); // this address holds the code
  const read = readCallback(urlParts(req).query);
  const found = read.state === undefined ? undefined : await parts.attempts.find(req, res, read.state);
  const first = !found || read.kind !== 'code' || (await parts.attempts.spend(found));
  found?.forget();
  if (found && !first) return await cameAgain(call, found);
  if ((!found || read.kind === 'invalid') && (await standing(call)) !== 'nobody')
    return goOn(call, call.options.returnTo);
  const callback = found ? read : withoutWords(read);
  if (callback.kind === 'denied') return denied(call, callback);
  if (callback.kind === 'error') return refuseOrFail(call, authorizationError(callback), errorMessage(callback));
  if (callback.kind === 'invalid')
    return refuseStale(call, `The callback holds ${callback.problem}.`, 'attempt_unknown');
  if (!found) return refuseStale(call, 'The attempt to sign in is not known here.', 'attempt_unknown');
  const { transaction } = found;
  const problem = mismatch(callback, transaction, provider(parts.settings));
  if (problem) return refuseStale(call, problem, 'callback_mismatch');
  // From the spending to here nothing else is awaited: a second callback of this attempt finds that it is being finished.
  await parts.attempts.finish(found, () => signIn(call, callback, transaction));
}

/** Where the hybrid flow and its assertions live. */
function provider({ authorizationURL, platformURL }: SparkSettings): string {
  return authorizationURL ?? platformURL + OPENID_PATH;
}

function refuseStale(call: SignInCall, problem: string, code: string, info?: object): void {
  refuseOrFail(call, new AuthorizationError(problem, code, undefined, 403), STALE, info);
}

async function storedState(
  { req, parts: { settings } }: SignInCall,
  callback: Callback,
  transaction: Transaction,
): Promise<VerifiedState> {
  if (!settings.store) return { ok: true, verifier: undefined, state: undefined };
  return await verifyState(settings.store, req, callback.state, stateMeta(settings, transaction.redirectURI));
}

/** Answers whether somebody is signed in now. */
async function signIn(call: SignInCall, callback: CodeCallback, transaction: Transaction): Promise<boolean> {
  const { req, strategy, parts } = call;
  const { settings } = parts;
  const { role, portal, redirectURI } = transaction;
  const stored = await storedState(call, callback, transaction);
  if (!stored.ok) {
    const info = typeof stored.state === 'object' && stored.state !== null ? stored.state : undefined;
    refuseStale(call, 'The state is not known.', 'state_mismatch', info);
    return false;
  }
  const verifier = stored.verifier ?? transaction.verifier;
  const appState = (stored.state as Transaction['appState']) ?? transaction.appState;
  const signed = await signedFields(call, callback);
  const grant = await exchangeCode(parts.oauth2, callback.code, {
    ...(strategy.tokenParams(call.options) as Record<string, string>),
    grant_type: 'authorization_code',
    redirect_uri: redirectURI,
    ...(verifier === undefined ? {} : { code_verifier: verifier }),
  });
  const profile = await profileOrRevoke(call, grant, role);
  const { user, info } = await callVerify(parts.verify, {
    req: settings.passReqToCallback ? req : undefined,
    accessToken: grant.tokens.accessToken,
    refreshToken: grant.tokens.refreshToken,
    params: grant.params,
    profile: signed ? withAttributes(profile, readAttributes(signed, settings.asked), role) : profile,
  });
  if (!user) {
    const error = new AuthorizationError('This application does not let you in.', 'access_denied');
    refuseOrFail(call, error, refused(info), info);
    return false;
  }
  coverLogIn(
    req,
    { user, tokens: grant.tokens, origin: { role, portal, redirectURI }, returnTo: keptReturnTo(call) },
    { tokens: parts.tokens, sessionKey: settings.sessionKey },
  );
  const returnTo = safeReturnTo(transaction.returnTo, settings.callbackPath);
  if (call.wall) await logIn(call, user);
  const rounds = new Rounds(req, call.res, returnTo, redirectURI.startsWith('https:'));
  rounds.another(leadsElsewhere(call, returnTo));
  if (call.wall) strategy.redirect(returnTo);
  else strategy.success(user, { ...info, returnTo, ...(appState === undefined ? {} : { state: appState }) });
  return true;
}

/** The fields of the assertion that Spark vouched for, where the application asked for that and for attributes. */
async function signedFields(
  { parts: { settings, once } }: SignInCall,
  callback: CodeCallback,
): Promise<ReadonlyMap<string, string> | undefined> {
  if (callback.flow !== 'hybrid' || !settings.verifyAssertion) return undefined;
  const signed = await verifyAssertion(callback.fields ?? new Map(), {
    endpoint: provider(settings),
    headers: { 'x-sparkapi-user-agent': settings.userAgent },
    timeoutMs: settings.grantTimeoutMs,
    once,
  });
  const { ax, sreg } = settings.asked;
  return ax.length + sreg.length > 0 ? signed : undefined;
}

/** The page that Passport's `successReturnToOrRedirect` looks for in the session, which it makes anew before it looks. */
function keptReturnTo({ req, options, parts }: SignInCall): string | undefined {
  const { returnTo } = (req.session ?? {}) as { returnTo?: unknown };
  if (options.successReturnToOrRedirect === undefined || returnTo === undefined) return undefined;
  return safeReturnTo(returnTo, parts.settings.callbackPath);
}

/** Does Passport go to another page than the one that the attempt was for? It reads these options after a `success`. */
function leadsElsewhere(call: SignInCall, returnTo: string): boolean {
  const { successRedirect, successReturnToOrRedirect } = call.options;
  const page = keptReturnTo(call) ?? successReturnToOrRedirect ?? successRedirect;
  return !call.wall && page !== undefined && page !== returnTo;
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

/**
 * Who signed in. When Spark does not say so, nobody will ever use the tokens that it gave: they are revoked, unless the
 * application goes on without a profile.
 */
async function profileOrRevoke(
  call: SignInCall,
  grant: Grant,
  role: Transaction['role'],
): Promise<SparkProfile | undefined> {
  try {
    return await loadProfile(call, grant.tokens.accessToken, role);
  } catch (error) {
    if (call.parts.settings.onProfileFailure === 'continue') {
      process.emitWarning(describeError(error), { type: 'SparkStrategy', code: 'SPARK_PROFILE' });
      return undefined;
    }
    await call.parts.tokens.revoke(grant.tokens).catch(() => undefined); // the API may be what is away
    throw error;
  }
}

async function loadProfile(
  { parts }: SignInCall,
  accessToken: string,
  role: Transaction['role'],
): Promise<SparkProfile | undefined> {
  const { skipUserProfile: skip } = parts.settings;
  if (typeof skip === 'function') {
    const [answer] =
      skip.length > 1 ? await calledBack((done) => skip(accessToken, done)) : [await (skip as () => unknown)()];
    if (answer) return undefined;
  } else if (skip) {
    return undefined;
  }
  return await parts.profileOf(accessToken, role);
}

function denied(call: SignInCall, callback: Extract<Callback, { kind: 'denied' }>): void {
  const error = new AuthorizationError(printable(callback.description) ?? 'The person denied access.', 'access_denied');
  if (call.wall) refuse(call, error, DENIED);
  else call.strategy.fail({ message: error.message, code: error.code });
}

/**
 * A second callback of one attempt, with its cookie still: sent twice, reloaded before the answer came, or from a
 * restored tab. Its code is not spent again, because that may end the tokens of the first (RFC 6749 §4.1.2).
 */
async function cameAgain(call: SignInCall, found: Found): Promise<void> {
  const signedIn = await call.parts.attempts.outcome(found);
  if (signedIn === false && (await standing(call)) === 'nobody') {
    refuseStale(call, 'The attempt to sign in is over.', 'attempt_unknown');
    return;
  }
  // The first answer has brought the session, and this browser may have it by now. If not, the page asks it to sign in.
  goOn(call, call.wall ? found.transaction.returnTo : call.options.returnTo);
}

/** Whoever is signed in, in whatever role and whatever this callback says of an attempt that is over, goes on in the application. */
function goOn({ strategy, parts }: SignInCall, page: unknown): void {
  strategy.redirect(safeReturnTo(page, parts.settings.callbackPath));
}

type CodeCallback = Extract<Callback, { kind: 'code' }>;
