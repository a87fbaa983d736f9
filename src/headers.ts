/**
 * Which headers go up to the API and which come back. Pure: raw header lists (name, value, name, value …) in and out,
 * because header objects lose order, case and repetition, and cost time to build.
 */

import { readableCodings } from './unpack.js';

/** Hop-by-hop (RFC 9110 §7.6.1), and what only this application may say or know. */
const REQUEST_DROPPED = new Set([
  'authorization',
  'cf-connecting-ip',
  'client-ip',
  'connection',
  'content-length', // set anew from the body that is sent
  'cookie',
  'cookie2',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'origin',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'true-client-ip',
  'upgrade',
  'via',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-forwarded',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url', // some servers take the path from these two, past every rule for paths
  'x-real-ip',
  'x-rewrite-url',
  'x-sendfile-type', // with this and X-Accel-Mapping, Rack takes the client for its front server
  'x-sparkapi-user-agent',
]);

/**
 * The headers to send up: the client's, less everything that is the browser's or the hop's own business. What the proxy
 * sets is added to them, so that nothing the client names (`Connection: authorization`) can take it away.
 */
export function requestHeadersUp(raw: readonly string[]): string[] {
  const up: string[] = [];
  let named = NO_NAMES;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string; // in range: the list has an even length
    const value = raw[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'connection') named = withNames(named, value);
    if (!staysHere(lower)) up.push(name, lower === 'accept-encoding' ? readableCodings(value) : value);
  }
  if (named.size > 0) dropNamed(up, named); // every header that `Connection` names is for this hop alone
  return up;
}

/** Is a request header of this name (in lower case) none of the API's business, or the proxy's own to set? */
export function staysHere(lower: string): boolean {
  if (REQUEST_DROPPED.has(lower)) return true;
  // CGI-like servers read `X_Forwarded_For` and `X-Forwarded-For` as one name.
  return (
    lower.includes('_') ||
    lower.startsWith('proxy-') ||
    lower.startsWith('x-forwarded-') ||
    lower.startsWith('x-accel-')
  );
}

const RESPONSE_DROPPED = new Set([
  'alt-svc',
  'clear-site-data',
  'connection',
  'cdn-cache-control', // RFC 9213 and its like tell caches in front more than Cache-Control does
  'content-security-policy',
  'content-security-policy-report-only',
  'cross-origin-resource-policy',
  'edge-control',
  'keep-alive',
  'nel',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'surrogate-control',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-content-type-options',
  'x-lighttpd-send-file',
  'x-reproxy-url',
  'x-sendfile', // this, and X-Accel-Redirect, have the server in front send a file of its own
]);

/**
 * An upstream's HTML or SVG is served from the application's own origin: it must not run there, be sniffed into
 * something that runs, or be embedded elsewhere.
 */
const RESPONSE_SET: readonly string[] = [
  'X-Content-Type-Options',
  'nosniff',
  'Content-Security-Policy',
  "sandbox; default-src 'none'",
  'Cross-Origin-Resource-Policy',
  'same-origin',
];

/** Is an answer's header of this name (in lower case) for the proxy alone to set, or one that never comes back? */
function neverComesBack(lower: string): boolean {
  return (
    RESPONSE_DROPPED.has(lower) ||
    lower.startsWith('access-control-') ||
    lower.startsWith('x-accel-') ||
    lower.endsWith('-cdn-cache-control')
  );
}

/** What the hooks may not set in an answer: with another length it would end at the wrong place. */
export function isOursInAnswer(lower: string): boolean {
  return lower === 'content-length' || neverComesBack(lower);
}

/** How an answer gets to the browser. */
export interface WayDown {
  /** Origin of the API, e.g. `https://sparkapi.com`. */
  readonly target: string;
  /** Where the proxy is mounted, e.g. `/spark`. */
  readonly baseUrl: string;
  /** Edits the answer's headers, before the proxy's own are added. */
  readonly edit?: (headers: string[], status: number) => void;
}

/**
 * The headers to answer the browser with. `raw` comes as the HTTP client read it: bytes, one per character.
 */
export function responseHeadersDown(raw: readonly (string | Buffer)[], way: WayDown, status: number): string[] {
  const kept: string[] = [];
  let named = NO_NAMES;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]);
    const lower = name.toLowerCase();
    if (lower === 'connection') named = withNames(named, text(raw[i + 1]));
    if (neverComesBack(lower)) continue;
    const value = text(raw[i + 1]);
    kept.push(name, lower === 'location' ? mountedLocation(value, way) : value);
  }
  if (named.size > 0) dropNamed(kept, named);
  way.edit?.(kept, status);
  return withOurs(kept);
}

function withOurs(kept: readonly string[]): string[] {
  const down: string[] = [];
  let cacheControl = '';
  let vary = '';
  for (let i = 0; i + 1 < kept.length; i += 2) {
    const name = kept[i] as string; // in range
    const value = kept[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'cache-control') cacheControl += cacheControl ? `, ${value}` : value;
    else if (lower === 'vary') vary += vary ? `, ${value}` : value;
    else down.push(name, value);
  }
  down.push('Cache-Control', privateOrStricter(cacheControl), 'Vary', withCookie(vary), ...RESPONSE_SET);
  return down;
}

/** The answer belongs to one person: no shared cache may keep it, whatever the API says of it (RFC 9111 §5.2.2.7). */
function privateOrStricter(cacheControl: string): string {
  if (cacheControl === '') return 'private';
  const kept = (cacheControl.match(/(?:[^",]|"[^"]*"?)+/g) ?? [])
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !/^(?:public|s-maxage\b.*|private\b.*)$/i.test(directive));
  if (kept.some((directive) => /^no-store$/i.test(directive))) return kept.join(', ');
  return ['private', ...kept].join(', ');
}

function withCookie(vary: string): string {
  if (vary === '') return 'Cookie';
  const names = vary.split(',').map((name) => name.trim().toLowerCase());
  return names.includes('*') || names.includes('cookie') ? vary : `${vary}, Cookie`;
}

/** A redirect within the API stays behind the proxy; any other is the browser's to follow. */
function mountedLocation(location: string, { target, baseUrl }: WayDown): string {
  const isSchemeRelative = /^[/\\]{2}/.test(location); // as browsers read it: a host follows, and the API's own scheme was meant
  if (location.startsWith('/') && !isSchemeRelative) return baseUrl + location;
  const base = isSchemeRelative ? target : undefined;
  if (!URL.canParse(location, base)) return location;
  const url = new URL(location, base);
  return url.origin === target ? baseUrl + url.pathname + url.search + url.hash : location;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** The names so far, and those that a `Connection` header adds. What every server says of the connection is no name. */
function withNames(names: ReadonlySet<string>, connection: string): ReadonlySet<string> {
  if (connection === 'keep-alive' || connection === 'close') return names; // dropped in any case
  return new Set([...names, ...connection.split(',').map((name) => name.trim().toLowerCase())]);
}

function dropNamed(list: string[], named: ReadonlySet<string>): void {
  for (let i = list.length - 2; i >= 0; i -= 2) if (named.has((list[i] as string).toLowerCase())) list.splice(i, 2);
}

/** The value of a header in a raw list; repeated values are joined with a comma, '' where there is none. */
export function headerValue(raw: readonly (string | Buffer)[], wanted: string): string {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (text(raw[i]).toLowerCase() === wanted) values.push(text(raw[i + 1]));
  }
  return values.join(', ');
}

function text(item: string | Buffer | undefined): string {
  return typeof item === 'string' ? item : (item?.toString('latin1') ?? '');
}
