import type { Socket } from 'node:net';
import { keptBytes } from '../../src/upload.js';
import { call, EXPIRED, pause, startProxy, startRawUpstream, startUpstream, until } from './support.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

describe('time limits', () => {
  it.each(['GET', 'POST'])('make an API that never answers a 504, sent once: %s', async (method) => {
    // On a kept connection, where a reset would be a reason to send a GET again.
    const upstream = await startRawUpstream((socket, request) => {
      if (request === 1) socket.write(OK);
    });
    const { url } = await startProxy({ target: upstream.url, proxy: { timeouts: { headersMs: 100 } } });
    await call(`${url}/spark/v1/warm`);

    const { status, json } = await call(`${url}/spark/v1/x`, { method, ...(method === 'POST' ? { body: 'x' } : {}) });

    expect(status).toBe(504);
    expect(json.D).toMatchObject({ Code: 504, Error: 'upstream_timeout' });
    await pause(50);
    expect(upstream.requests()).toBe(2);
    expect(keptBytes()).toBe(0);
  });

  it('break off an answer that stalls', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    );
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 100 } } });

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status: 200, broken: true });
    expect(errors).toMatchObject([{ code: 'upstream_timeout' }]);
  });

  it('for the whole exchange are off unless they are set', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n12');
      const drip = setInterval(() => socket.write('3'), 40);
      socket.once('close', () => clearInterval(drip));
    });
    const patient = await startProxy({ target: upstream.url });
    const strict = await startProxy({ target: upstream.url, proxy: { timeouts: { totalMs: 500 } } });

    expect(await call(`${patient.url}/spark/v1/x`)).toMatchObject({ status: 200, broken: false });
    expect(await call(`${strict.url}/spark/v1/x`)).toMatchObject({ status: 200, broken: true });
  });

  it('for the whole exchange hold before the answer, too, and while it waits for a connection', async () => {
    const upstream = await startRawUpstream(() => undefined);
    const { url } = await startProxy({ target: upstream.url, proxy: { timeouts: { totalMs: 100 }, connections: 1 } });

    const replies = await Promise.all([call(`${url}/spark/v1/x`), call(`${url}/spark/v1/x`)]);

    expect(replies.map(({ status }) => status)).toEqual([504, 504]);
  });

  // A process that is stopped and goes on, as a machine that is moved, failed all requests that were on their way out.
  it('give a process that was asleep itself the time to look at what came meanwhile', async () => {
    const upstream = await startRawUpstream((socket) => socket.write(OK));
    const onRequest = (): void => {
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600));
    };
    const { url } = await startProxy({ target: upstream.url, proxy: { timeouts: { connectMs: 150 }, onRequest } });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
  });

  // Nobody answered it: the 401 was held back until the renewal ended, and then given up.
  it('for the whole exchange hold during a renewal whose request can not be sent again', async () => {
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(401).end(EXPIRED));
    const { url, errors } = await startProxy({
      target: upstream.url,
      proxy: { timeouts: { totalMs: 300 }, replayLimit: 0 },
      tokens: {
        renew: async () => {
          await pause(900);
          return { accessToken: 'agent-1', refreshToken: 'agent-r2', lifetimeMs: 86_400_000 };
        },
      },
    });

    const { status, json } = await call(`${url}/spark/v1/x`, { method: 'POST', body: 'body' });

    expect([status, json.D.Error]).toEqual([504, 'upstream_timeout']);
    expect(errors).toMatchObject([{ code: 'upstream_timeout' }]);
    expect(upstream.seen).toHaveLength(1);
  });

  // A slow API would otherwise hold every request of every person, and one after the other.
  it('tell those who wait for a connection that all are busy, and leave the one that is under way alone', async () => {
    let busy: Socket | undefined;
    const upstream = await startRawUpstream((socket) => {
      if (!busy) busy = socket;
      else socket.write(OK);
    });
    const { url } = await startProxy({
      target: upstream.url,
      proxy: { timeouts: { connectMs: 100 }, connections: 1 },
    });
    const first = call(`${url}/spark/v1/x`);
    await until(() => upstream.requests() === 1);

    const waiting = await Promise.all([
      call(`${url}/spark/v1/x`),
      call(`${url}/spark/v1/x`, { method: 'POST', body: 'x' }),
    ]);
    busy?.write(OK);

    expect(waiting.map(({ status, json }) => [status, json.D.Error])).toEqual([
      [503, 'upstream_busy'],
      [503, 'upstream_busy'],
    ]);
    expect((await first).status).toBe(200);
    // What nobody waits for any more is never sent.
    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(upstream.requests()).toBe(2);
    expect(keptBytes()).toBe(0);
  });
});
