import type { IncomingMessage } from 'node:http';
import { calledBack } from '../called-back.js';
import { UnavailableError } from '../errors.js';
import { tokenKeyOf } from '../session.js';
import type { Tokens } from '../tokens/record.js';
import type { SignedInTokens } from './link.js';
import type { ExpressRequest } from './request.js';

/**
 * Removes the person's tokens, signs out of Passport and destroys the session. Answers the tokens that were removed.
 * @throws UnavailableError there is no session, or the token store is away: nobody was signed out
 */
export async function signOutHere(req: IncomingMessage, where: SignedInTokens): Promise<Tokens | undefined> {
  const request = req as ExpressRequest;
  if (!request.session) {
    throw new UnavailableError(
      'The request has no session to sign out of: its store is away, or no express-session stands before this.',
      { code: 'no_session' },
    );
  }
  const key = tokenKeyOf(request, where);
  const removed = key === undefined ? undefined : await where.tokens.remove(key);
  const { logout } = request;
  if (logout) await calledBack((done) => logout.call(request, {}, done));
  const { session } = request; // logout has made it anew
  if (session?.destroy) await calledBack((done) => session.destroy?.(done));
  return removed;
}
