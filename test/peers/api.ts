import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Seen } from '../proxy/support.js';

type Answer = (seen: Seen, res: ServerResponse, req: IncomingMessage) => void;

/** The API behind one proxy. Takes what a lenient server would take, and notes every byte. */
export class Api {
  /** Requests whose body has arrived whole. */
  readonly seen: Seen[] = [];
  /** All that came, over all connections. */
  received = '';
  /** How many requests were given up by the other side before they were answered. */
  abandoned = 0;
  /** How many switched to another protocol. */
  upgraded = 0;
  private answer: Answer | undefined;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Api> {
    const server = createServer({ insecureHTTPParser: true });
    const api = new Api(server);
    server.on('connection', (socket) => {
      socket.on('data', (bytes) => {
        api.received += bytes.toString('latin1');
      });
    });
    server.on('request', (req, res) => api.take(req, res));
    // What a server does that knows WebSocket.
    server.on('upgrade', (req, socket) => {
      api.upgraded += 1;
      api.note(req, Buffer.alloc(0));
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Forgets what it saw, and answers like this from now on; without an argument, with `{}`. */
  reset(answer?: Answer): void {
    this.seen.length = 0;
    this.received = '';
    this.abandoned = 0;
    this.upgraded = 0;
    this.answer = answer;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private take(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    res.on('close', () => {
      if (!res.writableFinished) this.abandoned += 1;
    });
    req.on('error', () => undefined); // cut by the proxy
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const seen = this.note(req, Buffer.concat(chunks));
      if (this.answer) this.answer(seen, res, req);
      else res.setHeader('Content-Type', 'application/json').end('{}');
    });
  }

  private note(req: IncomingMessage, body: Buffer): Seen {
    const { method = '', url: target = '', rawHeaders, headers } = req;
    const seen: Seen = { method, target, rawHeaders, headers, body };
    this.seen.push(seen);
    return seen;
  }
}
