import type { IncomingMessage } from 'node:http';

/**
 * Does this request come from a page of this very site? For everything that changes something: another site's form would
 * sign people out. `Sec-Fetch-Site` counts first: with `Referrer-Policy: no-referrer`, which helmet sets, browsers send
 * `Origin: null` with a form's own post. A request with neither header comes from no browser of these years.
 */
export function isFromOwnPage(req: IncomingMessage, origin: string): boolean {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  return req.headers.origin === origin;
}
