import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { keptBytes } from '../../src/upload.js';
import { call, dial, startProxy, startRawUpstream, until } from './support.js';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Answers the origin of a server that listens and takes no more connections: each attempt waits for ever. */
async function startFull(): Promise<string> {
  const program = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  const url = `http://127.0.0.1:${Number(port)}`;
  // A process that is stopped accepts nothing; the kernel takes as many connections for it as its backlog has room for.
  child.kill('SIGSTOP');
  await until(() => readFileSync(`/proc/${child.pid}/stat`, 'latin1').includes(') T '));
  let connected = 0;
  for (let i = 0; i < 10; i += 1) {
    dial(url).once('connect', () => {
      connected += 1;
    });
  }
  await until(() => connected >= 2);
  return url;
}

describe('an API that does not take the connection', () => {
  // In less time than the 10 s that are the HTTP client's own limit.
  it.each([
    ['GET', undefined],
    ['POST', 'body'],
  ])(
    'is a 504 after connectMs, and nothing is kept for it: %s',
    async (method, body) => {
      const { url, errors } = await startProxy({ target: await startFull(), proxy: { timeouts: { connectMs: 200 } } });

      const { status, json } = await call(`${url}/spark/v1/x`, { method, ...(body === undefined ? {} : { body }) });

      expect(status).toBe(504);
      expect(json.D).toMatchObject({ Success: false, Code: 504, Error: 'upstream_timeout' });
      expect(errors).toMatchObject([{ code: 'upstream_timeout' }]);
      expect(keptBytes()).toBe(0);
    },
    8_000,
  );

  it('does not hold a client who leaves, nor the next one', async () => {
    const { url, errors } = await startProxy({
      target: await startFull(),
      proxy: { timeouts: { connectMs: 400 }, connections: 1 },
    });
    const client = dial(url);
    client.write(
      'POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\nhalf',
    );
    await until(() => keptBytes() === 4);

    client.destroy();

    await until(() => keptBytes() === 0);
    expect([503, 504]).toContain((await call(`${url}/spark/v1/x`)).status); // no room, or too late
    expect(errors).toHaveLength(1);
  });
});

describe('an API that is slow', () => {
  // A limit for the whole answer would break off every long one; this one is for the silence between two pieces.
  it('may send its answer bit by bit for longer than idleMs', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n');
      let sent = 0;
      const drip = setInterval(() => {
        sent += 1;
        socket.write('x');
        if (sent === 12) clearInterval(drip);
      }, 200);
      ends.push(() => clearInterval(drip));
    });
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 1_000 } } });

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status: 200, broken: false });
    expect(reply.body.toString()).toBe('x'.repeat(12));
    expect(errors).toEqual([]);
  });

  // The answer for the one who left must not become the answer of whoever comes next over the same connection.
  it.each([
    ['just before its client leaves', (api: Socket, client: Socket) => [api.write(ANN), client.destroy()]],
    ['just when its client leaves', (api: Socket, client: Socket) => [client.destroy(), api.write(ANN)]],
    [
      'when the connection was cut already',
      (api: Socket, client: Socket) => {
        api.once('close', () => api.write(ANN));
        client.destroy();
      },
    ],
  ])('may answer %s: the next person gets an answer of their own', async (_when, act) => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request > 1) socket.write(BOB);
    });
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
    const client = dial(url);
    client.write('GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nX-Person: ann\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => upstream.requests() === 1);
    const [first] = upstream.connections;
    if (!first) throw new Error('no connection');

    act(first.socket, client);
    const replies = [];
    for (let i = 0; i < 3; i += 1) replies.push(await call(`${url}/spark/v1/x`, { headers: { 'X-Person': 'bob' } }));

    expect(replies.map(({ status, body }) => [status, body.toString()])).toEqual(Array(3).fill([200, 'for bob']));
    expect(errors).toEqual([]);
  });
});

const ANN = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nfor ann';
const BOB = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nfor bob';
