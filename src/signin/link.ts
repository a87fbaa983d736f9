import { hash } from 'node:crypto';
import type {} from 'express-session'; // makes the augmentation below one of a known module
import { calledBack } from '../called-back.js';
import { ConfigError } from '../errors.js';
import type { OptionCheck } from '../options.js';
import type { TokenService } from '../tokens/service.js';

/** Where the tokens of signed-in people are found. */
export interface SignedInTokens {
  readonly tokens: TokenService;
  readonly sessionKey: string;
}

/** What ties a session to its tokens. The tokens themselves never stand in the session. */
export interface SessionLink {
  /** Names the token record: 256 random bits, new at every sign-in. */
  readonly key: string;
  /** A digest of the Passport user that was signed in: a link that another user inherits is no link. */
  readonly user: string;
}

declare module 'express-session' {
  interface SessionData {
    /** Written by `SparkStrategy`, under its `sessionKey`. */
    spark?: SessionLink;
  }
}

/** What express-session and Passport keep in a session. */
const TAKEN = new Set([
  'cookie',
  'passport',
  'id',
  'req',
  'save',
  'reload',
  'regenerate',
  'destroy',
  'touch',
  'resetMaxAge',
]);

/** The option `sessionKey`: where the link stands. */
export function sessionKeyOption(check: OptionCheck, value: string | undefined, fallback: string): string {
  const key = check.text('sessionKey', value ?? fallback, `write a name, like '${fallback}'.`);
  if (TAKEN.has(key)) {
    check.problem(
      `"sessionKey" is '${key}', where express-session or Passport keep something of their own; write another, like '${fallback}'.`,
    );
  }
  return key;
}

/** A session as this package sees it: express-session's, or anything that keeps plain data. */
export type SessionLike = Record<string, unknown> & {
  save?(done: (error?: unknown) => void): unknown;
};

export type FoundLink =
  | { readonly kind: 'none' }
  | { readonly kind: 'link'; readonly key: string }
  /** The session holds another person's link: sign-in or sign-out with `keepSessionInfo` copies it along. */
  | { readonly kind: 'foreign'; readonly key: string };

/** Looks for the link of the person who is signed in to this session. */
export function findLink(session: object | null | undefined, sessionKey: string): FoundLink {
  const link = (session as SessionLike | null | undefined)?.[sessionKey] as Partial<SessionLink> | undefined;
  if (typeof link?.key !== 'string') return { kind: 'none' };
  const digest = userDigest(session);
  return digest !== undefined && link.user === digest
    ? { kind: 'link', key: link.key }
    : { kind: 'foreign', key: link.key };
}

/** Is somebody signed in to this session with Passport? A link belongs to a user, and one without would end at once. */
export function hasUser(session: object): boolean {
  return userDigest(session) !== undefined;
}

/** How long this session lives after its last use, where express-session was told (`cookie.maxAge`). */
export function lifeMsOf(session: object): number | undefined {
  const { cookie } = session as { readonly cookie?: { readonly originalMaxAge?: unknown } };
  const life = cookie?.originalMaxAge;
  return typeof life === 'number' && life > 0 ? life : undefined;
}

export function writeLink(session: object, sessionKey: string, key: string): void {
  const link: SessionLink = { key, user: userDigest(session) ?? '' };
  (session as SessionLike)[sessionKey] = link;
}

/** Remembers the link that is there, or that there is none. Answers what puts it back. */
export function rememberLink(session: object, sessionKey: string): () => void {
  const { [sessionKey]: link } = session as SessionLike;
  return () => {
    if (link === undefined) removeLink(session, sessionKey);
    else (session as SessionLike)[sessionKey] = link;
  };
}

export function removeLink(session: object | null | undefined, sessionKey: string): void {
  if (session) delete (session as SessionLike)[sessionKey];
}

/** Passport keeps the serialised user at `session.passport.user`. */
function userDigest(session: object | null | undefined): string | undefined {
  const { passport } = (session ?? {}) as { passport?: { user?: unknown } };
  if (passport?.user === undefined || passport.user === null) return undefined;
  return hash('sha256', JSON.stringify(passport.user), 'base64url');
}

/**
 * A session that lives in the browser (cookie-session) can't be ended by a sign-out: whoever kept the cookie puts it back.
 * Passport asks for `regenerate` as well. @throws ConfigError
 */
export function needServerSession(session: object | null | undefined): void {
  if (!session || typeof (session as { regenerate?: unknown }).regenerate === 'function') return;
  throw new ConfigError('SparkStrategy', [
    'req.session has no regenerate(): it is a session that the browser keeps, like that of cookie-session, which no sign-out can end. Use express-session with a store.',
  ]);
}

/** Saves a session now, because the answer that follows may reach the browser before the end of this request does. */
export async function saveSession(session: object): Promise<void> {
  const { save } = session as SessionLike;
  if (typeof save !== 'function') return;
  await calledBack((done) => save.call(session, done));
}
