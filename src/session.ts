import type { IncomingMessage } from 'node:http';
import { findLink, removeLink } from './signin/link.js';
import type { TokenService } from './tokens/service.js';

/** Where the tokens of signed-in people are found. */
export interface SignedInTokens {
  readonly tokens: TokenService;
  readonly sessionKey: string;
}

/** The key of the tokens of the person who is signed in to this request's session; undefined when nobody is. */
export function tokenKeyOf(req: IncomingMessage, { tokens, sessionKey }: SignedInTokens): string | undefined {
  const session = (req as IncomingMessage & { session?: object | null }).session;
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
