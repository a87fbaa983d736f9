import type { IncomingMessage } from 'node:http';
import type { TokenOrigin, Tokens } from '../tokens/record.js';
import type { TokenService } from '../tokens/service.js';
import { findLink, needServerSession, removeLink, saveSession, writeLink } from './link.js';

/** What a sign-in brought, on its way into the session. */
export interface SignIn {
  readonly user: object;
  readonly tokens: Tokens;
  readonly origin: Omit<TokenOrigin, 'clientID'>;
  /** Goes into `session.returnTo`, which Passport loses when it makes the session anew. */
  readonly returnTo?: string | undefined;
}

export interface LinkPlace {
  readonly service: TokenService;
  readonly sessionKey: string;
}

type LogIn = (user: object, options: object, done: (error?: unknown) => void) => void;

/** A request as Passport has prepared it. */
export type PassportRequest = IncomingMessage & { logIn?: LogIn; login?: LogIn; session?: object; user?: unknown };

/**
 * Makes `req.logIn` and `req.login` link the session to the tokens when they sign in *this* user. Passport may call
 * them, or the application (custom callbacks, NestJS), and the `session` option of that call decides.
 */
export function coverLogIn(req: PassportRequest, signIn: SignIn, place: LinkPlace): void {
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

/**
 * The order matters, because Passport gives the session a new id inside `logIn`: record first, link last, and the
 * record of the sign-in before only when the new one is safe. Whatever fails takes the new record and the user with it.
 */
async function logInAndLink(
  req: PassportRequest,
  original: LogIn,
  options: object,
  signIn: SignIn,
  place: LinkPlace,
): Promise<void> {
  needServerSession(req.session);
  const previous = findLink(req.session, place.sessionKey);
  const key = await place.service.create(signIn.tokens, signIn.origin);
  try {
    await new Promise<void>((resolve, reject) => {
      original.call(req, signIn.user, options, (error) => (error ? reject(error) : resolve()));
    });
    if (signIn.returnTo !== undefined) Object.assign(req.session ?? {}, { returnTo: signIn.returnTo });
    await linkSession(req, key, place);
  } catch (error) {
    await place.service.remove(key).catch(() => undefined); // the store may be what failed
    clearUser(req, place.sessionKey);
    throw error;
  }
  if (previous.kind !== 'none') await place.service.remove(previous.key).catch(() => undefined);
}

/** Links tokens to the user who is signed in already (account linking). Answers when the session is saved. */
export async function linkToPresentUser(
  req: PassportRequest,
  signIn: Omit<SignIn, 'user'>,
  place: LinkPlace,
): Promise<void> {
  needServerSession(req.session);
  const previous = findLink(req.session, place.sessionKey);
  const key = await place.service.create(signIn.tokens, signIn.origin);
  try {
    await linkSession(req, key, place);
  } catch (error) {
    await place.service.remove(key).catch(() => undefined);
    throw error;
  }
  if (previous.kind !== 'none') await place.service.remove(previous.key).catch(() => undefined);
}

async function linkSession(req: PassportRequest, key: string, place: LinkPlace): Promise<void> {
  if (!req.session) throw new Error('The request has no session to link the tokens to.');
  writeLink(req.session, place.sessionKey, key);
  await saveSession(req.session);
}

function clearUser(req: PassportRequest, sessionKey: string): void {
  req.user = null;
  const session = req.session as { passport?: { user?: unknown } } | undefined;
  if (session?.passport) delete session.passport.user;
  removeLink(session, sessionKey);
}
