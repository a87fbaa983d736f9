import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { AuthorizationError, printable } from '../errors.js';

/** What a sign-in at the server begins with. Keep `state` and `codeVerifier` with the browser's session until it is back. */
export interface AuthorizationRequest {
  /** Send the browser here. */
  readonly url: string;
  /** 256 random bits that tie the callback to this browser (RFC 6749 §10.12). */
  readonly state: string;
}

/** The beginning of an authorization code grant, always with PKCE (RFC 7636; RFC 9700 §2.1.1). */
export interface CodeRequest extends AuthorizationRequest {
  /** The secret whose S256 digest went along: 256 random bits, for `exchangeCode`. It never goes to the browser. */
  readonly codeVerifier: string;
  /** Where the server sends the browser back to, as this call or the client named it; undefined: as registered at the server. */
  readonly redirectURI: string | undefined;
}

/** 256 random bits, as a text that may stand in a URL: a state, or a code verifier (RFC 7636 §4.1: at least 43 characters). */
export function randomText(): string {
  return randomBytes(32).toString('base64url');
}

/** The S256 challenge of a verifier (RFC 7636 §4.2). `plain` is not offered: it proves nothing to who reads the URL. */
export function codeChallenge(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

/** Adds parameters to the authorization endpoint's address, which may have a query of its own (RFC 6749 §3.1). */
export function withParams(address: string, params: Readonly<Record<string, string | undefined>>): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

/** What a callback is compared with. */
export interface ExpectedCallback {
  /** The state that this browser's session kept; undefined when it kept none, which refuses every callback. */
  readonly state: string | undefined;
  /** The issuer that the callback has to name (`iss`, RFC 9207). Default: the client's; without one `iss` is not looked at. */
  readonly issuer?: string | undefined;
}

/**
 * Reads what an authorization server sent back, from a query (RFC 6749 §4.1.2) or a fragment (§4.2.2).
 * @throws AuthorizationError `state_mismatch`, `issuer_mismatch` (RFC 9207), `invalid_response`, or the server's own code (§4.1.2.1)
 */
export function readAnswer(encoded: string, expected: ExpectedCallback): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(encoded)) {
    // Two values for one name (forbidden by RFC 6749 §3.1): whichever we took, somebody may have put it there.
    if (params.has(name)) throw invalid('It holds a parameter twice.');
    params.set(name, value);
  }
  // State first: what an unknown sender says of an error is not to be believed, or shown, either.
  if (!sameText(params.get('state'), expected.state)) {
    throw new AuthorizationError(
      'The answer belongs to no sign-in of this browser. Start again.',
      'state_mismatch',
      undefined,
      403,
    );
  }
  // One that names no issuer may come from any server, and this one is known to name itself (RFC 9207 §2.4).
  if (expected.issuer !== undefined && params.get('iss') !== expected.issuer) {
    const who = params.has('iss') ? 'comes from another server' : 'does not say which server it comes from';
    throw new AuthorizationError(`The answer ${who}.`, 'issuer_mismatch', undefined, 403);
  }
  const error = params.get('error');
  if (error !== undefined) {
    const description =
      printable(params.get('error_description')) ?? `The authorization server refused: ${printable(error)}.`;
    throw new AuthorizationError(description, printable(error) ?? '', params.get('error_uri'));
  }
  return params;
}

/** An answer that no authorization server would send. */
export function invalid(why: string): AuthorizationError {
  return new AuthorizationError(`The callback can not be read. ${why}`, 'invalid_response', undefined, 400);
}

/** Compares without telling by its time how much was right. An empty text is like nothing. */
function sameText(given: string | undefined, expected: string | undefined): boolean {
  if (!given || !expected) return false;
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer]; // two in, two out
  return timingSafeEqual(a, b);
}
