import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Pauses, receive, type Sum, send } from './bytes.js';

/**
 * The API at the other end, a program of its own: `GET /v1/down?mebibytes=…` sends, `POST /v1/up?pauses=…` reads, and
 * `GET /sum` tells what it sent or read last.
 */
let last: Promise<Sum> | undefined;

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(req.url ?? '', 'http://api.example.com');
  if (pathname === '/v1/down') {
    last = send(res, Number(searchParams.get('mebibytes')));
    await last;
  } else if (pathname === '/v1/up') {
    last = receive(req, JSON.parse(searchParams.get('pauses') ?? 'null') as Pauses | undefined);
    await last;
    res.end('{}');
  } else if (pathname === '/sum') {
    res.end(JSON.stringify(await last));
  } else {
    res.end('{}');
  }
}

const server = createServer((req, res) => {
  answer(req, res).catch(() => res.destroy());
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
