import type { Grant } from '../grant.js';
import { lifetimeFrom } from '../grant.js';
import { isAccessToken } from '../tokens/record.js';
import { type ExpectedCallback, invalid, readAnswer } from './authorization.js';

/**
 * Reads the fragment of an implicit grant's redirect (RFC 6749 §4.2.2), with or without its `#`.
 * @throws AuthorizationError
 * @deprecated The implicit grant shows the access token to the browser and its history; use the authorization code
 * grant with PKCE wherever the server has it (RFC 9700 §2.1.2). It works, for servers that have nothing else.
 */
export function readFragment(fragment: unknown, expected: ExpectedCallback, defaultLifetimeMs: number): Grant {
  // Whatever a visitor may post in its place: nothing, or the same field twice.
  if (typeof fragment !== 'string') throw invalid('It holds no fragment.');
  const params = readAnswer(fragment.replace(/^#/, ''), expected);
  const accessToken = params.get('access_token');
  if (!isAccessToken(accessToken)) throw invalid('It holds no access token.');
  // The client must not use a token of a type that it does not understand (RFC 6749 §7.1).
  if (params.get('token_type')?.toLowerCase() !== 'bearer')
    throw invalid('Its token is of no type that is known here.');
  return {
    // No refresh token comes this way (§4.2.2: "MUST NOT issue").
    tokens: { accessToken, lifetimeMs: lifetimeFrom(params.get('expires_in'), defaultLifetimeMs) },
    params: Object.fromEntries(params),
  };
}
