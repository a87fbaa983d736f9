import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { serialize } from 'cookie';

/** A cookie of the sign-in's own, for the whole application. Those of an https application are named and sent as such. */
export function setCookie(res: ServerResponse, name: string, value: string, secure: boolean, maxAge: number): void {
  res.appendHeader('Set-Cookie', serialize(name, value, { ...attributes(secure), maxAge }));
}

export function clearCookie(res: ServerResponse, name: string, secure: boolean): void {
  res.appendHeader('Set-Cookie', serialize(name, '', { ...attributes(secure), expires: new Date(0) }));
}

function attributes(secure: boolean): { httpOnly: true; sameSite: 'lax'; secure: boolean; path: string } {
  return { httpOnly: true, sameSite: 'lax', secure, path: '/' };
}

/** Names something in a cookie, so that what it is stays unsaid. */
export function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
