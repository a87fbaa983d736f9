const MAX_RETURN_TO = 512;

/**
 * The page to go to after sign-in, if it is one of this application's: checked when it is stored and when it is used.
 * Anything that a browser could read as another origin, and the callback itself, becomes `/`.
 */
export function safeReturnTo(wanted: unknown, callbackPath: string): string {
  if (typeof wanted !== 'string' || wanted.length > MAX_RETURN_TO || !/^\/(?![/\\])[\x21-\x7e]*$/.test(wanted))
    return '/';
  if (/\\|%(?:5c|0[0-9a-f]|1[0-9a-f]|7f)/i.test(wanted) || /^\/%2f/i.test(wanted)) return '/';
  const url = new URL(wanted, 'http://same-origin.invalid');
  if (url.host !== 'same-origin.invalid' || url.pathname.startsWith('//') || url.pathname === callbackPath) return '/';
  return wanted;
}
