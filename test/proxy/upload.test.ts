import { createHash, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Pieces, Upload } from '../../src/upload.js';
import { call, dial, pause, rawCall, startProxy, startRawUpstream, startUpstream, until } from './support.js';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('uploads', () => {
  it.each(['sized', 'chunked'])('reach the API byte for byte: %s', async (kind) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const body = randomBytes(5 * 1024 * 1024);
    const headers = kind === 'sized' ? { 'Content-Length': String(body.length) } : { 'Transfer-Encoding': 'chunked' };

    const { status } = await call(`${url}/spark/v1/photos`, { method: 'POST', headers, body });

    expect(status).toBe(200);
    const [seen] = upstream.seen;
    expect(sha256(seen?.body ?? Buffer.alloc(0))).toBe(sha256(body));
    expect(seen?.headers['content-length']).toBe(kind === 'sized' ? String(body.length) : undefined);
    expect(seen?.headers['transfer-encoding']).toBe(kind === 'sized' ? undefined : 'chunked');
  });

  it('go up as they come: the API sees the first piece before the client has sent the last', async () => {
    const upstream = await startRawUpstream(() => undefined);
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);

    client.write(
      'POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 10\r\n\r\nfirst',
    );
    await until(() => upstream.connections[0]?.received.endsWith('first') ?? false);
    client.write('-last');

    await until(() => upstream.connections[0]?.received.endsWith('first-last') ?? false);
  });

  // An API that reads slowly must slow the client down, not fill the memory.
  it('wait for an API that does not read', async () => {
    const upstream = await startRawUpstream((socket) => socket.pause());
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    const total = 64 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    let stalledAt = -1;

    client.write(
      `POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: ${total}\r\n\r\n`,
    );
    while (sent < total && stalledAt < 0) {
      sent += piece.length;
      if (client.write(piece)) continue;
      const drained = await Promise.race([
        new Promise((resolve) => client.once('drain', () => resolve(true))),
        new Promise((resolve) => setTimeout(() => resolve(false), 300)),
      ]);
      if (!drained) stalledAt = sent;
    }

    expect(stalledAt).toBeGreaterThan(0);
    expect(stalledAt).toBeLessThan(total / 2); // what the kernel buffers on two connections, and no more
  });

  it.each(['POST', 'PUT', 'PATCH'])('may be empty: %s', async (method) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    for (const headers of [{}, { 'Content-Length': '0' }, { 'Transfer-Encoding': 'chunked' }]) {
      expect((await call(`${url}/spark/v1/x`, { method, headers })).status).toBe(200);
    }

    expect(upstream.seen.map(({ body, headers }) => [body.length, headers['content-length']])).toEqual(
      Array(3).fill([0, '0']),
    );
  });

  it.each(['GET', 'DELETE', 'OPTIONS'])('may come with %s', async (method) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const sized = await call(`${url}/spark/v1/x`, { method, headers: { 'Content-Length': '5' }, body: 'hello' });
    const chunked = await call(`${url}/spark/v1/x`, {
      method,
      headers: { 'Transfer-Encoding': 'chunked' },
      body: 'hello',
    });

    expect([sized.status, chunked.status]).toEqual([200, 200]);
    expect(upstream.seen.map(({ body }) => body.toString())).toEqual(['hello', 'hello']);
  });

  // Two lengths for one body let a second request hide behind the first.
  it('with a length and chunks are refused', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(
      url,
      'POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 5\r\n' +
        'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n',
    );

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.seen).toEqual([]);
  });

  // The HTTP client destroys a body with an error. An `error` event that nobody hears ends the process.
  it('may be given up with an error', async () => {
    const upload = new Upload(new IncomingMessage(new Socket()), 1_000);

    upload.destroy(new Error('given up'));
    await pause(10);

    expect(upload.errored).toMatchObject({ message: 'given up' });
  });
});

describe('what is kept of a body', () => {
  // 64 KiB in chunks of one byte, as anybody may send them, took 14 MB to keep.
  it('takes the room of its bytes, in however many pieces they come', () => {
    const bodies = Array.from({ length: 20 }, () => new Pieces());
    const before = roomTaken();

    for (const body of bodies) for (let i = 0; i < 65_536; i += 1) body.add(Buffer.alloc(1, i % 251));

    expect(roomTaken() - before).toBeLessThan(20 * 65_536 * 4);
    expect(bodies[0]?.together()).toEqual(Buffer.from(Array.from({ length: 65_536 }, (_, i) => i % 251)));
  });
});

/** Bytes in use after a full garbage collection. */
function roomTaken(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
