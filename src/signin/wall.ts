import type { IncomingMessage, ServerResponse } from 'node:http';
import { escapeHTML } from '../html.js';
import { SPARK_UPSTREAM } from '../platform.js';

/** Is this a browser going to a page (which a redirect to Spark serves), and not a script's or an image's request? */
export function isNavigation(req: IncomingMessage): boolean {
  if (isPrefetch(req) || req.headers['x-requested-with'] !== undefined) return false; // the latter: scripts, by an old custom
  const mode = req.headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate' && isSafe(req);
  // Browsers without fetch metadata, and programs: those that ask for HTML want a page.
  return isSafe(req) && (req.headers.accept ?? '').includes('text/html');
}

/** A page that the browser loads in advance: a redirect would begin an attempt that nobody asked for. */
function isPrefetch({ headers }: IncomingMessage): boolean {
  return [headers['sec-purpose'], headers.purpose, headers['x-moz'], headers['x-purpose']].some((purpose) =>
    /\b(?:prefetch|prerender|preview)\b/i.test(String(purpose ?? '')),
  );
}

/** A page inside another page. Spark's sign-in does not belong there: who asks for the password must be seen. */
export function isFramed({ headers }: IncomingMessage): boolean {
  return FRAMES.has(String(headers['sec-fetch-dest'] ?? ''));
}

const FRAMES = new Set(['iframe', 'frame', 'fencedframe', 'embed', 'object']);

export function isSafe(req: IncomingMessage): boolean {
  return req.method === 'GET' || req.method === 'HEAD';
}

/** A message that a person can act on. */
export interface WallMessage {
  readonly status: number;
  /** Stable, for programs: also the `Error` field of the JSON answer. */
  readonly code: string;
  readonly title: string;
  readonly text: string;
  /** Where the link leads; `true`: to where the application says that people begin. Absent: no link. */
  readonly retry?: string | true;
  /** What the link says. Default `Try again`. */
  readonly link?: string;
  /** The page stands in a frame, which it may, and its link leads out of it. */
  readonly framed?: boolean;
  readonly retryAfterS?: number;
}

/**
 * Answers with a page for browsers and with Spark's JSON envelope for everything else. Never a redirect, never cached.
 * `start`: where people begin.
 */
export function answerWall(req: IncomingMessage, res: ServerResponse, message: WallMessage, start: string): void {
  const page = isNavigation(req);
  const body = page
    ? renderPage(message, start)
    : JSON.stringify(SPARK_UPSTREAM.errorBody(message.status, message.code, message.text));
  res.statusCode = message.status;
  res.setHeader('Content-Type', page ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  if (page) {
    res.setHeader(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors ${message.framed ? "'self'" : "'none'"}`,
    );
    res.setHeader('Referrer-Policy', 'no-referrer'); // the address of this page holds a code or an error
  }
  if (message.retryAfterS !== undefined) res.setHeader('Retry-After', String(message.retryAfterS));
  res.end(req.method === 'HEAD' ? undefined : body);
}

function renderPage({ title, text, retry, link: label = 'Try again', framed }: WallMessage, start: string): string {
  const target = framed ? ' target="_top"' : '';
  const page = retry === true ? start : retry;
  const link = page === undefined ? '' : `<p><a href="${escapeHTML(page)}"${target}>${escapeHTML(label)}</a></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHTML(title)}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem }
h1 { font-size: 1.4rem }
</style>
</head>
<body>
<main>
<h1>${escapeHTML(title)}</h1>
<p>${escapeHTML(text)}</p>
${link}
</main>
</body>
</html>
`;
}
