import type { IncomingMessage } from 'node:http';
import { calledBack } from '../called-back.js';
import { SignInRequiredError, UnavailableError } from '../errors.js';
import { randomId, type TokenOrigin, type Tokens } from '../tokens/record.js';
import {
  findLink,
  hasUser,
  lifeMsOf,
  needServerSession,
  rememberLink,
  removeLink,
  type SignedInTokens,
  saveSession,
  writeLink,
} from './link.js';

/** What a sign-in brought, on its way into the session. */
export interface SignIn {
  readonly user: object;
  readonly tokens: Tokens;
  readonly origin: Omit<TokenOrigin, 'clientID'>;
  /** Goes into `session.returnTo`, which Passport loses when it makes the session anew. */
  readonly returnTo?: string | undefined;
}

type LogIn = (user: object, options: object, done: (error?: unknown) => void) => void;

/** A request as Passport has prepared it. */
export type PassportRequest = IncomingMessage & { logIn?: LogIn; login?: LogIn; session?: object; user?: unknown };

/**
 * Makes `req.logIn` and `req.login` link the session to the tokens when they sign in *this* user. Passport may call
 * them, or the application (custom callbacks, NestJS), and the `session` option of that call decides.
 */
export function coverLogIn(req: PassportRequest, signIn: SignIn, place: SignedInTokens): void {
  const original = req.logIn;
  if (!original) return;
  const covered = (user: object, optionsOrDone?: object, maybeDone?: (error?: unknown) => void): void => {
    const done = typeof optionsOrDone === 'function' ? (optionsOrDone as (error?: unknown) => void) : maybeDone;
    const options: { session?: boolean } =
      typeof optionsOrDone === 'object' && optionsOrDone !== null ? optionsOrDone : {};
    if (user !== signIn.user || options.session === false || typeof done !== 'function') {
      original.call(req, user, options, done as (error?: unknown) => void); // Passport itself says what is missing
      return;
    }
    logInAndLink(req, original, options, signIn, place).then(() => done(), done);
  };
  req.logIn = covered;
  req.login = covered;
}

/** Links tokens to the user who signs in: in the new session that Passport makes inside `logIn`. */
async function logInAndLink(
  req: PassportRequest,
  original: LogIn,
  options: object,
  signIn: SignIn,
  place: SignedInTokens,
): Promise<void> {
  await linkNewTokens(req, signIn, place, {
    before: async () => {
      await calledBack((done) => original.call(req, signIn.user, options, done));
      if (signIn.returnTo !== undefined) Object.assign(sessionOf(req), { returnTo: signIn.returnTo });
    },
    undo: () => clearUser(req, place.sessionKey),
  });
}

/**
 * Links tokens to the user who is signed in already (account linking). Answers when the session is saved.
 * @throws SignInRequiredError nobody is signed in with Passport; UnavailableError no session, or the token store is away
 */
export async function linkToPresentUser(
  req: PassportRequest,
  signIn: Omit<SignIn, 'user'>,
  place: SignedInTokens,
): Promise<void> {
  const session = sessionOf(req);
  if (!hasUser(session))
    throw new SignInRequiredError('Nobody is signed in here with Passport, whom the tokens could be linked to.');
  const putBack = rememberLink(session, place.sessionKey);
  await linkNewTokens(req, signIn, place, { undo: putBack });
}

interface Steps {
  /** What comes between the new record and the link to it. */
  before?(): Promise<void>;
  /**
   * Takes the link out of the session again: express-session stores a session that changes after a save that failed, and
   * the link would lead to a record that is not there.
   */
  undo(): void;
}

/**
 * The order matters, because Passport gives the session a new id inside `logIn`: record first, link last, and the
 * record of the sign-in before only when the new one is safe. Whatever fails takes the new record with it.
 */
async function linkNewTokens(
  req: PassportRequest,
  { tokens, origin }: Omit<SignIn, 'user'>,
  { tokens: service, sessionKey }: SignedInTokens,
  { before, undo }: Steps,
): Promise<void> {
  needServerSession(sessionOf(req));
  const previous = findLink(req.session, sessionKey);
  const key = randomId(32);
  const link = async (): Promise<void> => {
    await before?.();
    const session = sessionOf(req); // not the one of before
    writeLink(session, sessionKey, key);
    await saveSession(session);
  };
  try {
    await service.create(tokens, { ...origin, keepMs: lifeMsOf(sessionOf(req)) }, key);
    await link().catch((error: unknown) => {
      undo();
      throw error;
    });
  } catch (error) {
    // Also when the store did not say that it has the record: it may have it all the same, or get it late. It may be what failed.
    await service.takeBack(key).catch(() => undefined);
    throw error;
  }
  if (previous.kind !== 'none') await service.remove(previous.key).catch(() => undefined);
}

function sessionOf({ session }: PassportRequest): object {
  if (session) return session;
  throw new UnavailableError(
    'The request has no session to link the tokens to: its store is away, or no express-session stands before this.',
    { code: 'no_session' },
  );
}

function clearUser(req: PassportRequest, sessionKey: string): void {
  req.user = null;
  const session = req.session as { passport?: { user?: unknown } } | undefined;
  if (session?.passport) delete session.passport.user;
  removeLink(session, sessionKey);
}
