import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { MemoryTokenStore } from '../../src/index.js';
import { keptBytes } from '../../src/upload.js';
import { cookieOf, startWorld } from '../lane/roads.js';
import {
  call,
  dial,
  EXPIRED,
  type RawUpstream,
  startProxy,
  startRawUpstream,
  startUpstream,
  until,
} from './support.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';
const EXPIRED_401 = `HTTP/1.1 401 No\r\nContent-Length: ${EXPIRED.length}\r\n\r\n${EXPIRED}`;
const DAY_MS = 86_400_000;

const HEAD = (method: string, length?: number): string =>
  `${method} /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n${
    length === undefined ? '' : `Content-Length: ${length}\r\n`
  }\r\n`;

afterEach(async () => {
  await until(() => keptBytes() === 0);
});

/** The access tokens that the API got, in order. */
function tokensAt(upstream: RawUpstream): string[] {
  return upstream.connections.flatMap(({ received }) =>
    [...received.matchAll(/^authorization: OAuth (.*)\r$/gim)].map(([, token = '']) => token),
  );
}

describe('a client that leaves', () => {
  // A request that waits for its body has a connection to itself.
  it('before the first byte of its body: its connection to the API is free for others', async () => {
    const upstream = await startRawUpstream((socket) => socket.write(OK));
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
    const client = dial(url);
    client.write(HEAD('POST', 100));
    const other = dial(url);
    await new Promise((resolve) => other.write(HEAD('GET'), resolve));

    client.destroy();

    await new Promise((resolve) => other.once('data', resolve));
    expect(upstream.connections.map(({ received }) => received).join('')).not.toContain('POST');
    expect(errors).toEqual([]);
  });

  it('while its session is read in the express lane: nothing goes up', async () => {
    const upstream = await startUpstream();
    const world = await startWorld({
      road: 'lane',
      storeName: 'memory',
      redis: new Redis({ lazyConnect: true }),
      upstream: upstream.url,
    });
    await world.signIn('ann');
    const get = world.store.get.bind(world.store);
    let proceed: (() => void) | undefined;
    world.store.get = (id, done) => {
      proceed ??= () => get(id, done);
      if (world.calls.length > 0) get(id, done);
    };
    const client = dial(world.url);
    client.write(HEAD('POST', 4).replace('\r\n\r\n', `\r\nCookie: ${cookieOf('ann')}\r\n\r\nbody`));
    await until(() => proceed !== undefined);
    const closed = new Promise((resolve) => client.once('close', resolve));

    client.destroy();
    await closed;
    proceed?.();

    const next = await call(`${world.url}/spark/v1/next`, { headers: { Cookie: cookieOf('ann') } });
    expect(next.status).toBe(200);
    expect(upstream.seen.map(({ target }) => target)).toEqual(['/v1/next']);
    expect(world.errors).toEqual([]);
  });

  // The other renewal, that of a token which the API refused, has its test in client-leaves.test.ts.
  it('while a token is renewed before its request: the renewal is stored, and the request never sent', async () => {
    const upstream = await startRawUpstream((socket) => socket.write(OK));
    let renewed = (): void => undefined;
    let began = 0;
    const renew = async () => {
      began += 1;
      await new Promise<void>((resolve) => {
        renewed = resolve;
      });
      return { accessToken: 'agent-1', refreshToken: 'r1', lifetimeMs: DAY_MS };
    };
    let now = Date.now();
    const store = new MemoryTokenStore({ now: () => now });
    const { url, tokens, errors } = await startProxy({ target: upstream.url, tokens: { renew, store } });
    await call(`${url}/spark/v1/x`);
    now += DAY_MS; // as long as the token lives
    const client = dial(url);
    client.write(`${HEAD('POST', 4)}body`);
    await until(() => began === 1);
    const closed = new Promise((resolve) => client.once('close', resolve));

    client.destroy();
    await closed;
    renewed();
    await tokens.drain();

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(tokensAt(upstream)).toEqual(['agent-0', 'agent-1']);
    expect(began).toBe(1);
    expect(errors).toEqual([]);
  });

  it('while its request is sent once more with the new token: that is cut, too, and the token stays', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request === 1) socket.write(EXPIRED_401);
      if (request === 3) socket.write(OK);
    });
    const { url, errors, renewals } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
    const client = dial(url);
    client.write(`${HEAD('POST', 4)}body`);
    await until(() => upstream.requests() === 2);

    client.destroy();

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(tokensAt(upstream)).toEqual(['agent-0', 'agent-1', 'agent-1']);
    expect(renewals()).toBe(1);
    expect(errors).toEqual([]);
  });
});

describe('an API that breaks off', () => {
  it.each([
    ['within the status line', 'HTTP/1.1 20'],
    ['within the headers', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Ha'],
    ['after an interim answer', 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'],
  ])('%s is a 502, asked once', async (_where, begun) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const upstream = await startRawUpstream((socket) => socket.write(begun, () => setImmediate(() => socket[end]())));
      const { url, errors } = await startProxy({ target: upstream.url });

      const { status, headers, json } = await call(`${url}/spark/v1/x`);

      expect([status, json.D.Error]).toEqual([502, 'upstream_failed']);
      expect(headers).not.toHaveProperty('link');
      expect(errors).toHaveLength(1);
      expect(upstream.requests()).toBe(1);
    }
  });

  it.each([
    ['sized', 'Content-Length: 1000000', ''],
    ['chunked', 'Transfer-Encoding: chunked', '100000\r\n'],
  ])('within an upload is a 502 at once, and the client may finish: %s', async (_kind, framing, size) => {
    let read = 0;
    const upstream = await startRawUpstream((socket) => {
      socket.on('data', (chunk) => {
        read += chunk.length;
        if (read > 100_000) socket.resetAndDestroy();
      });
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString();
    });

    client.write(`POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n${framing}\r\n\r\n${size}`);
    client.write(Buffer.alloc(500_000, 'x'));
    await until(() => answer.includes('upstream_failed'));

    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(upstream.requests()).toBe(1);
    // What is left of the body is read and dropped, and the connection serves the next request.
    client.write(Buffer.alloc(size ? 0x100000 - 500_000 : 500_000, 'x'));
    if (size) client.write('\r\n0\r\n\r\n');
    answer = '';
    client.write('GET /spark/v1//x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => answer.startsWith('HTTP/1.1 400 '));
  });

  // The connection over which the API refused the old token is a kept one by then.
  it.each([
    ['GET', undefined, 200, ['agent-0', 'agent-1', 'agent-1']],
    ['POST', 'body', 502, ['agent-0', 'agent-1']],
  ])('when the request comes again with a new token: %s', async (method, body, status, tokens) => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request === 1) socket.write(EXPIRED_401);
      else if (request === 2) socket.resetAndDestroy();
      else socket.write(OK);
    });
    const { url, renewals } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });

    const reply = await call(`${url}/spark/v1/x`, { method, ...(body === undefined ? {} : { body }) });

    expect(reply.status).toBe(status);
    expect(tokensAt(upstream)).toEqual(tokens);
    expect(renewals()).toBe(1);
  });
});

describe('POST over kept connections that the API closes when it likes', () => {
  // The API may have acted on what it read: a contact that is sent twice is stored twice.
  it('arrives once when it is answered, and never twice', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request % 5 === 0)
        socket.resetAndDestroy(); // it has read the request, and may have acted on it
      else if (request % 5 === 1) socket.write(OK, () => setImmediate(() => socket.end()));
      else if (request % 5 === 2) socket.write(OK, () => setImmediate(() => socket.resetAndDestroy()));
      else socket.write(OK);
    });
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 4 } });
    const outcomes: { readonly id: string; readonly status: number }[] = [];

    const worker = async (): Promise<void> => {
      for (let i = 0; i < 50; i += 1) {
        const id = randomUUID();
        const headers = { 'Content-Length': '4' };
        const { status } = await call(`${url}/spark/v1/contacts?id=${id}`, { method: 'POST', headers, body: 'body' });
        outcomes.push({ id, status });
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));

    const received = upstream.connections.map((connection) => connection.received).join('');
    const times = (id: string): number => received.split(`POST /v1/contacts?id=${id} `).length - 1;
    const answered = outcomes.filter(({ status }) => status === 200);
    expect(outcomes.filter(({ status }) => status !== 200 && status !== 502)).toEqual([]);
    expect(answered.filter(({ id }) => times(id) !== 1)).toEqual([]);
    expect(outcomes.filter(({ id }) => times(id) > 1)).toEqual([]);
    expect(answered.length).toBeGreaterThan(outcomes.length / 2);
  });
});
