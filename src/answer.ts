import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Sends the head of an answer: a raw header list, in place of what earlier middleware has set under the same names, and
 * beside what else it has set.
 */
export function writeHead(res: ServerResponse, status: number, headers: readonly string[]): void {
  // One by one, because Node 20's writeHead(status, list) keeps only the last of repeated headers where earlier
  // middleware has set any, and older versions of what express-session hooks it with misread the list.
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string; // in range
    const value = headers[i + 1] as string;
    if (isRepeated(headers, i)) res.appendHeader(name, value);
    else res.setHeader(name, withEarlier(res, name, value));
  }
  res.writeHead(status);
}

/**
 * Ends an answer so that it does not look whole. To a client of HTTP/1.0, as nginx in front is by default, the end of
 * the connection is the end of the answer: only a reset tells that it is not whole. TLS and Unix sockets have none.
 */
export function breakOff(req: IncomingMessage, res: ServerResponse): void {
  const { socket } = res;
  const resettable = socket?.remoteAddress !== undefined && !('encrypted' in socket);
  if (req.httpVersion === '1.0' && resettable) socket.resetAndDestroy();
  else res.destroy();
}

/** Does an earlier header of the list have the name of this one? Lists are short: comparing is cheaper than a set. */
function isRepeated(list: readonly string[], at: number): boolean {
  const name = list[at] as string; // the caller's loop keeps in range
  for (let i = 0; i < at; i += 2) {
    const earlier = list[i] as string;
    if (earlier.length === name.length && earlier.toLowerCase() === name.toLowerCase()) return true;
  }
  return false;
}

/** What earlier middleware said of caching still holds: that answers vary by Origin (CORS), or must not be stored. */
function withEarlier(res: ServerResponse, name: string, value: string): string {
  if (name !== 'Vary' && name !== 'Cache-Control') return value;
  const earlier = res.getHeader(name);
  if (earlier === undefined) return value;
  if (name === 'Vary') return `${String(earlier)}, ${value}`;
  return /\bno-store\b/i.test(String(earlier)) ? String(earlier) : value;
}
