import { connect } from 'node:net';
import { cookieOf, type Mount, type Person, type Site } from './sites.js';

/** How long an answer is waited for: what has not come by then hangs. */
const PATIENCE_MS = 2_000;

export interface Ask {
  readonly method?: string;
  readonly mount?: Mount;
  /** What follows the mount, byte for byte. */
  readonly path?: string;
  /** Header lines. A `Connection` among them goes in place of `close`. */
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly person?: Person;
  /** What the browser says of where the request comes from. */
  readonly from?: readonly string[];
  readonly version?: '1.0' | '1.1';
}

export interface Reply {
  readonly status: number;
  /** The last answer's headers: lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** All that came. */
  readonly text: string;
  /** The connection was still open when patience ended. */
  readonly hangs: boolean;
  /** The server reset the connection. */
  readonly reset: boolean;
}

/** Raw bytes in, raw bytes out: client libraries tidy requests up. */
export async function ask(site: Site, request: Ask = {}): Promise<Reply> {
  return await send(site, write(request));
}

export function write({
  method = 'GET',
  mount = '/spark',
  path = '/v1/listings',
  headers = [],
  body = '',
  person = 'ann',
  from = ['Sec-Fetch-Site: same-origin'],
  version = '1.1',
}: Ask): string {
  const lines = [
    `${method} ${mount}${path} HTTP/${version}`,
    'Host: app.example.com',
    `Cookie: ${cookieOf(person)}`,
    ...from,
  ];
  if (!headers.some((line) => /^connection:/i.test(line))) lines.push('Connection: close');
  const framed = headers.some((line) => /^(?:content-length|transfer-encoding)/i.test(line));
  if (body !== '' && !framed) lines.push(`Content-Length: ${body.length}`);
  return `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`;
}

/** Sends these bytes, and waits for the answer to be whole, or the server to close. */
export async function send(site: Site, bytes: string): Promise<Reply> {
  const { hostname, port } = new URL(site.url);
  return await new Promise((resolve) => {
    let text = '';
    let hangs = false;
    let reset = false;
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(bytes, 'latin1')));
    const timer = setTimeout(() => {
      hangs = true;
      socket.destroy();
    }, PATIENCE_MS);
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (isWhole(text)) socket.destroy();
    });
    socket.on('error', () => {
      reset = true;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ ...read(text), hangs, reset });
    });
  });
}

/** Some keep the connection, whatever the client asked for. */
function isWhole(text: string): boolean {
  const { headers, body } = read(text);
  const length = headers.get('content-length');
  if (length !== undefined) return body.length >= Number(length);
  return headers.has('transfer-encoding') && body.endsWith('0\r\n\r\n');
}

function read(text: string): Omit<Reply, 'hangs' | 'reset'> {
  const [head = '', ...rest] = text.replace(/^(?:HTTP\/1\.1 1(?!01)\d\d .*\r\n(?:.+\r\n)*\r\n)+/, '').split('\r\n\r\n');
  const headers = new Map<string, string>();
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  return { status, headers, body: rest.join('\r\n\r\n'), text };
}

/** Does this come true while anybody would wait for it? */
export async function soon(condition: () => boolean): Promise<boolean> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}
