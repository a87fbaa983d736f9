import { keptBytes } from '../../src/upload.js';
import { freePort } from '../support/redis.js';
import { call, dial, pause, startProxy, startRawUpstream, until } from './support.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

afterEach(() => {
  expect(keptBytes()).toBe(0);
});

describe('an API that can not be reached', () => {
  it.each([
    ['GET', undefined],
    ['POST', 'body'],
  ])('is a 502: %s', async (method, body) => {
    const { url, errors } = await startProxy({ target: `http://127.0.0.1:${await freePort()}` });

    const { status, json } = await call(`${url}/spark/v1/x`, { method, ...(body === undefined ? {} : { body }) });

    expect(status).toBe(502);
    expect(json.D).toMatchObject({ Success: false, Code: 502, Error: 'upstream_failed' });
    expect(errors).toMatchObject([{ code: 'upstream_failed', cause: { code: 'ECONNREFUSED' } }]);
  });
});

describe('a connection that breaks before the answer', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])('is a 502, sent once: %s', async (method) => {
    const upstream = await startRawUpstream((socket) => socket.resetAndDestroy());
    const { url } = await startProxy({ target: upstream.url });

    expect((await call(`${url}/spark/v1/x`, { method })).status).toBe(502);
    await pause(50);
    expect(upstream.requests()).toBe(1);
  });

  it.each(['POST', 'PUT'])('is a 502, sent once, with a body: %s', async (method) => {
    const upstream = await startRawUpstream((socket) => socket.resetAndDestroy());
    const { url } = await startProxy({ target: upstream.url });

    expect((await call(`${url}/spark/v1/x`, { method, body: 'x'.repeat(200_000) })).status).toBe(502);
    await pause(50);
    expect(upstream.requests()).toBe(1);
  });
});

/** The API closes a kept connection just when the second request goes out on it. */
async function startClosing(reset: boolean) {
  return await startRawUpstream((socket, request) => {
    if (request !== 2) socket.write(OK);
    else if (reset) socket.resetAndDestroy();
    else socket.destroy();
  });
}

describe('a kept connection that closes under a request', () => {
  it.each(['GET', 'OPTIONS'])('has it sent once more, when it has no effects: %s', async (method) => {
    for (const reset of [true, false]) {
      const upstream = await startClosing(reset);
      const { url, errors } = await startProxy({ target: upstream.url });
      await call(`${url}/spark/v1/warm`);

      const { status } = await call(`${url}/spark/v1/x`, { method });

      expect(status).toBe(200);
      expect(upstream.connections).toHaveLength(2);
      expect(upstream.requests()).toBe(3);
      expect(errors).toEqual([]);
    }
  });

  // The API may have acted before it closed: a second POST would be a second contact, a second offer.
  it.each([
    ['POST', undefined],
    ['POST', 'body'],
    ['PUT', 'body'],
    ['PATCH', 'body'],
    ['DELETE', undefined],
    ['GET', 'body'],
  ])('does not have it sent again, when it may have effects: %s %s', async (method, body) => {
    const upstream = await startClosing(true);
    const { url } = await startProxy({ target: upstream.url });
    await call(`${url}/spark/v1/warm`);

    const { status } = await call(`${url}/spark/v1/x`, {
      method,
      ...(body === undefined ? {} : { body, headers: { 'Content-Length': '4' } }),
    });

    expect(status).toBe(502);
    await pause(50);
    expect(upstream.requests()).toBe(2);
  });

  it('has it sent once more and not twice', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request <= 2) setTimeout(() => socket.write(OK), 50);
      else socket.resetAndDestroy();
    });
    const { url } = await startProxy({ target: upstream.url });
    await Promise.all([call(`${url}/spark/v1/warm`), call(`${url}/spark/v1/warm`)]); // two kept connections

    expect((await call(`${url}/spark/v1/x`)).status).toBe(502);
    expect(upstream.connections).toHaveLength(2);
    expect(upstream.requests()).toBe(4);
  });

  // An API that resets new connections is down, and a second try would only double its load.
  it('is not one that was opened anew', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request === 1) socket.write(OK, () => setTimeout(() => socket.end(), 20));
      else socket.resetAndDestroy();
    });
    const { url } = await startProxy({ target: upstream.url });
    await call(`${url}/spark/v1/warm`);
    await until(() => upstream.connections[0]?.socket.destroyed ?? false);

    expect((await call(`${url}/spark/v1/x`)).status).toBe(502);
    expect(upstream.requests()).toBe(2);
  });

  it('does not have it sent again once an answer has begun', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request === 2) socket.end('HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nhalf');
      else socket.write(OK);
    });
    const { url } = await startProxy({ target: upstream.url });
    await call(`${url}/spark/v1/warm`);

    expect((await call(`${url}/spark/v1/x`)).status).toBe(502);
    expect(upstream.requests()).toBe(2);
  });
});

describe('an answer that breaks off', () => {
  // Ended properly it would look whole, and half of a list would be taken for all of it.
  it.each([
    ['sized', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'reset'],
    ['sized', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'end'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'reset'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'end'],
    ['chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nZZ\r\n', 'stay'],
  ])('breaks off for the client, too: %s, %s', async (_kind, answer, end) => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(answer);
      if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 30);
      if (end === 'end') socket.end();
    });
    const { url, errors } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/x`).catch(() => ({ broken: true }));

    expect(reply.broken).toBe(true);
    expect(errors).toMatchObject([{ code: 'upstream_failed' }]);
    expect(upstream.requests()).toBe(1);
  });

  // To HTTP/1.0, which nginx speaks with the application by default, the end of the connection is the end of the answer.
  it.each(['reset', 'end'])('is a reset to a client of HTTP/1.0: %s', async (end) => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
      if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 30);
      else socket.end();
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    const closed = new Promise((resolve) => client.once('close', resolve)); // with `true` after an error

    client.write('GET /spark/v1/x HTTP/1.0\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    client.resume();

    expect(await closed).toBe(true);
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ])('before it has begun is a 502: %s', async (_kind, answer) => {
    const upstream = await startRawUpstream((socket) => socket.write(answer));
    const { url } = await startProxy({ target: upstream.url });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(502);
  });
});
