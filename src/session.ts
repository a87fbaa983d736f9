import type { IncomingMessage, ServerResponse } from 'node:http';
import { ConfigError, SignInRequiredError } from './errors.js';
import type { ExpressLane, LaneSession } from './lane.js';
import { findLink, removeLink, type SignedInTokens } from './signin/link.js';
import { adoptedKey } from './tokens/service.js';

/** The key of the tokens of the person who is signed in to this request's session; undefined when nobody is. */
export function tokenKeyOf(req: IncomingMessage, where: SignedInTokens): string | undefined {
  return tokenKeyIn((req as IncomingMessage & { session?: object | null }).session, where);
}

/** Whose tokens: those of the person who is signed in to a request's session, or tokens that were adopted under a name. */
export type TokenSource = IncomingMessage | { readonly tokenKey: string };

/**
 * The key of somebody's tokens. `remedies` is what the caller takes beside a name.
 * @throws ConfigError `from` is neither; SignInRequiredError nobody is signed in
 */
export function keyOfSource(
  from: TokenSource | null | undefined,
  where: SignedInTokens,
  caller: string,
  remedies = 'the request',
): string {
  if (typeof from === 'object' && from !== null) {
    if ('tokenKey' in from && typeof from.tokenKey === 'string') return adoptedKey(from.tokenKey);
    if ('headers' in from) {
      const key = tokenKeyOf(from, where);
      if (key === undefined) throw new SignInRequiredError();
      return key;
    }
  }
  throw new ConfigError(caller, [
    `nothing says whose tokens; write ${remedies}, or { tokenKey: 'office' } of tokens that were adopted.`,
  ]);
}

/** The key of the tokens of the person who is signed in to this session. Takes out a link that belongs to somebody else. */
function tokenKeyIn(session: object | null | undefined, { tokens, sessionKey }: SignedInTokens): string | undefined {
  const link = findLink(session, sessionKey);
  switch (link.kind) {
    case 'none':
      return undefined;
    case 'link':
      return link.key;
    case 'foreign':
      // Another person, or nobody, is signed in to this session now: the tokens it inherited belong to neither.
      removeLink(session, sessionKey);
      tokens.remove(link.key).catch(() => undefined); // the link is gone from the session; a store that is away forgets by its TTL
      return undefined;
  }
}

/** The same for a session that the express lane has read, which nobody else saves. @throws ConfigError as {@link ownSessionKey} */
export async function tokenKeyInLane(
  lane: ExpressLane,
  session: LaneSession,
  where: SignedInTokens,
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
): Promise<string | undefined> {
  ownKeyIn(lane.store, where.sessionKey, where.tokens.clientID);
  const hadLink = where.sessionKey in session;
  const key = tokenKeyIn(session, where);
  await lane.keep(session, hadLink && !(where.sessionKey in session), req, res);
  return key;
}

/** By session store: which client uses which session key. */
const owners = new WeakMap<object, Map<string, string>>();

/**
 * Two strategies with different clients must not write their links to one place: each would take the other's link for
 * its own, and find nobody signed in. @throws ConfigError
 */
export function ownSessionKey(req: IncomingMessage, { tokens, sessionKey }: SignedInTokens): void {
  const { sessionStore } = req as { sessionStore?: object };
  if (sessionStore) ownKeyIn(sessionStore, sessionKey, tokens.clientID);
}

function ownKeyIn(sessionStore: object, sessionKey: string, clientID: string): void {
  const keys = owners.get(sessionStore) ?? new Map<string, string>();
  owners.set(sessionStore, keys);
  const owner = keys.get(sessionKey);
  if (owner === undefined) keys.set(sessionKey, clientID);
  else if (owner !== clientID) {
    throw new ConfigError('SparkStrategy', [
      `two strategies with different clients use the session key '${sessionKey}'; give one of them a "sessionKey" of its own.`,
    ]);
  }
}
