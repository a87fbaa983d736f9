import type { UpstreamProfile } from './platform.js';

/**
 * `Authorization` of a client at a token endpoint: id and secret are form-encoded before they are joined, so that a
 * colon in either can't move the border between them (RFC 6749 §2.3.1, appendix B).
 */
export function clientBasic(clientID: string, clientSecret: string): string {
  return accountBasic(formEncoded(clientID), formEncoded(clientSecret));
}

/** `Authorization` with a person's name and password, as UTF-8 (RFC 7617). The scheme is spelled `Basic`, which some servers insist on. */
export function accountBasic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** What of an `Authorization` is secret, in the forms in which a server may repeat it. */
export function secretsIn(authorization: string): string[] {
  const [scheme = '', credentials = ''] = authorization.split(' ', 2);
  if (scheme !== 'Basic') return [credentials];
  const decoded = Buffer.from(credentials, 'base64').toString('utf8');
  const secret = decoded.slice(decoded.indexOf(':') + 1);
  return [credentials, secret, new URLSearchParams(`=${secret}`).get('') ?? ''];
}

/** As a form has it (`application/x-www-form-urlencoded`). */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** Any API that takes bearer tokens: a 401 with the challenge `error="invalid_token"` means an expired one (RFC 6750 §3.1). */
export const BEARER_UPSTREAM: UpstreamProfile = {
  scheme: 'Bearer',
  isExpired: (wwwAuthenticate) => saysInvalidToken(wwwAuthenticate),
  refusedPaths: [],
  errorBody: (_status, code, message) => ({ error: code, error_description: message }),
};

/**
 * Does a challenge of the Bearer scheme carry `error="invalid_token"`? `WWW-Authenticate` may hold challenges of other
 * schemes beside it, and texts that quote anything, so texts are emptied before the scheme's own part is looked at.
 */
export function saysInvalidToken(wwwAuthenticate: string): boolean {
  const values: string[] = [];
  const bare = wwwAuthenticate.replaceAll(
    /"((?:[^"\\]|\\.)*)"/g,
    (_quoted, value: string) => `"${values.push(value) - 1}"`,
  );
  // A scheme is a word that something other than "=" follows; its parameters reach to the next such word.
  const [, params = ''] = /(?:^|[\s,])bearer((?:[\s,]+[\w-]+\s*=\s*(?:"\d+"|[^\s,"]+))*)/i.exec(bare) ?? [];
  const [, index, token] = /[\s,]error\s*=\s*(?:"(\d+)"|([^\s,"]+))/i.exec(params) ?? [];
  return (index === undefined ? token : values[Number(index)]) === 'invalid_token';
}
