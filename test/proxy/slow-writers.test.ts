import type { Socket } from 'node:net';
import { keptBytes } from '../../src/upload.js';
import { call, dial, pause, startProxy, startRawUpstream, startUpstream, until } from './support.js';

const HEAD =
  'POST /spark/v1/x HTTP/1.1\r\nHost: app.example.com\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n';
const FORM_HEAD = HEAD.replace('json', 'x-www-form-urlencoded\r\nX-HTTP-Method-Override: GET');

/** A raw connection, and what came back over it so far. */
function open(url: string): { socket: Socket; answer(): string } {
  const socket = dial(url);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  return { socket, answer: () => answer };
}

/** A proxy whose only connection to the API waits for an answer. */
async function startBusyProxy() {
  const upstream = await startRawUpstream((socket, request) => {
    if (request > 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
  });
  const { url, errors } = await startProxy({
    target: upstream.url,
    proxy: { connections: 1, timeouts: { idleMs: 200, connectMs: 5_000 } },
  });
  const first = call(`${url}/spark/v1/x`);
  await until(() => upstream.requests() === 1);
  const free = async (): Promise<void> => {
    for (const { socket } of upstream.connections) socket.destroy();
    await first;
  };
  return { url, errors, free };
}

// As many clients as the proxy has connections, each with half a body, and nobody else gets through: for the five
// minutes that Node gives a request.
describe('a client that stops sending', () => {
  it('keeps its connection to the API for idleMs, and is told so', async () => {
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({
      target: upstream.url,
      proxy: { connections: 1, timeouts: { idleMs: 300, connectMs: 5_000 } },
    });
    const { socket, answer } = open(url);
    socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`);
    await pause(50);

    const next = await call(`${url}/spark/v1/y`);

    expect(next.status).toBe(200);
    await until(() => answer().endsWith('}'));
    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer()).toMatch(/^Connection: close\r$/m);
    expect(answer()).toContain('"Error":"request_timeout"');
    expect(errors).toMatchObject([{ code: 'request_timeout' }]);
    expect(upstream.seen).toMatchObject([{ method: 'GET' }]);
    expect(keptBytes()).toBe(0);
  });

  it('is told so while it waits for a connection, too', async () => {
    const { url, errors, free } = await startBusyProxy();
    const { socket, answer } = open(url);
    socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`);
    await until(() => answer() !== '');

    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
    expect(errors).toMatchObject([{ code: 'request_timeout' }]);
    await free();
  });

  // A form that stands for the query is read before there is an exchange, and kept the connection open for as long.
  it('is told so amid a form that stands for the query, too', async () => {
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 200 } } });
    const { socket, answer } = open(url);
    socket.write(`${FORM_HEAD}Content-Length: 100\r\n\r\n_filter=half`);
    await until(() => answer().endsWith('}'));

    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer()).toMatch(/^Connection: close\r$/m);
    expect(answer()).toContain('"Error":"request_timeout"');
    expect(errors).toMatchObject([{ code: 'request_timeout' }]);
    expect(upstream.seen).toEqual([]);
    await until(() => socket.destroyed);
  });

  it.each([
    ['body', HEAD],
    ['form that stands for the query', FORM_HEAD],
  ])('may send its %s bit by bit for longer than idleMs', async (_what, head) => {
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 1_000 } } });
    const { socket, answer } = open(url);
    socket.write(`${head}Content-Length: 8\r\n\r\n`);
    for (const letter of 'bits-ok.') {
      await pause(200);
      socket.write(letter);
    }
    await until(() => answer() !== '');

    expect(answer()).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen.map(({ body }) => body.toString())).toEqual(['bits-ok.']);
    expect(errors).toEqual([]);
  });

  it('gets an answer whole that has begun before', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n');
      const drip = setInterval(() => socket.write('.'), 250);
      socket.once('close', () => clearInterval(drip));
    });
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 1_000 } } });
    const { socket, answer } = open(url);
    socket.write(`${HEAD}Content-Length: 100\r\n\r\nhalf`);
    await until(() => answer() !== '');
    await pause(2_500);

    expect(answer()).toMatch(/\r\n\r\n\.{8}$/);
    expect(errors).toEqual([]);
  });

  it('is not to blame for an API that does not read', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request > 1) return;
      socket.pause();
      setTimeout(() => {
        socket.resume();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
      }, 2_500);
    });
    const { url, errors } = await startProxy({
      target: upstream.url,
      proxy: { timeouts: { idleMs: 1_000, headersMs: 10_000 } },
    });

    const reply = await call(`${url}/spark/v1/x`, { method: 'POST', body: Buffer.alloc(8 * 1024 * 1024) });

    expect(reply.status).toBe(200);
    expect(errors).toEqual([]);
  });

  // Its last bytes lie in front of a full buffer: the stream has been ended, and asks for nothing.
  it.each([24_000, 90_000])('is not to blame when all %i bytes have come, and wait for a connection', async (bytes) => {
    const { url, errors, free } = await startBusyProxy();
    const { socket, answer } = open(url);
    socket.write(`${HEAD}Content-Length: ${bytes}\r\n\r\n`);
    for (let i = 0; i < 3; i += 1) {
      socket.write(Buffer.alloc(bytes / 3, 'x'));
      await pause(20);
    }
    await pause(700);
    expect(answer()).toBe('');

    await free();
    await until(() => answer() !== '');
    expect(answer()).toMatch(/^HTTP\/1\.1 200 /);
    expect(errors).toMatchObject([{ code: 'upstream_failed' }]);
  });

  it('has as long as Node gives it when idleMs is 0', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 0 } } });
    const { socket, answer } = open(url);
    socket.write(`${HEAD}Content-Length: 8\r\n\r\nhalf`);
    await pause(400);
    expect(answer()).toBe('');

    socket.write('half');
    await until(() => answer() !== '');
    expect(answer()).toMatch(/^HTTP\/1\.1 200 /);
  });
});
