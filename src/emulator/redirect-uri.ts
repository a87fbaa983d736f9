import type { Client } from './people.js';

/**
 * Is this the URI on record? Compared character by character, as the vendor's "must match the URI we have on record"
 * reads and as RFC 9700 §2.1 asks; a loopback client accepts every URI of the own machine.
 */
export function isRegistered(client: Client, uri: string): boolean {
  return client.redirectURIs === 'loopback' ? isLoopback(uri) : client.redirectURIs.includes(uri);
}

/** For a refresh the vendor asks only that "the domain must match that which is registered". */
export function isRegisteredDomain(client: Client, uri: string): boolean {
  if (client.redirectURIs === 'loopback') return isLoopback(uri);
  return URL.canParse(uri) && client.redirectURIs.some((known) => new URL(known).hostname === new URL(uri).hostname);
}

/** Where error callbacks of a mismatch go; `null` when the client has no URI on record and the person stays on the page. */
export function fallbackURI(client: Client): string | null {
  return client.redirectURIs === 'loopback' ? null : (client.redirectURIs[0] ?? null);
}

/** Adds parameters to a URI and leaves what it has, byte for byte; its own query and fragment stay in place. */
export function appendQuery(uri: string, parameters: Iterable<readonly [string, string]>): string {
  const [base = '', fragment] = splitOnce(uri, '#');
  const query = new URLSearchParams([...parameters].map(([name, value]): [string, string] => [name, value])).toString();
  let glue = '?';
  if (base.includes('?')) glue = base.endsWith('?') || base.endsWith('&') ? '' : '&';
  return `${base}${glue}${query}${fragment === undefined ? '' : `#${fragment}`}`;
}

function isLoopback(uri: string): boolean {
  // Control characters and spaces: `new URL` drops them silently, a header does not take them.
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(uri) || !URL.canParse(uri)) return false;
  const { hostname } = new URL(uri);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
