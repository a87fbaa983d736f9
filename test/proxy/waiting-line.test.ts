import type { Socket } from 'node:net';
import { Pool } from 'undici';
import { call, dial, startProxy, startRawUpstream, until } from './support.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';
const GET = 'GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n';

const pools = new Set<Pool>();
const { dispatch } = Pool.prototype;
Pool.prototype.dispatch = function noted(this: Pool, ...args) {
  pools.add(this);
  return dispatch.apply(this, args);
};
const queued = (): number => [...pools].reduce((sum, { stats }) => sum + stats.pending, 0);
afterEach(() => pools.clear());

/** An API that is busy with its first request until it is told, and prompt with all others. */
async function startBusy() {
  const first: Socket[] = [];
  const upstream = await startRawUpstream((socket, request) => {
    if (request === 1) first.push(socket);
    else socket.write(OK);
  });
  return { upstream, finish: () => first[0]?.write(OK) };
}

describe('requests that nobody waits for any more', () => {
  // Each of them would cut the connection that it gets: after a busy time, one connection opened and cut for each.
  it('cost no connection when one gets free: clients that left', async () => {
    const { upstream, finish } = await startBusy();
    let asked = 0;
    const onRequest = (): void => {
      asked += 1;
    };
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1, onRequest } });
    const first = call(`${url}/spark/v1/x`);
    await until(() => upstream.requests() === 1);
    const clients = Array.from({ length: 50 }, () => dial(url));
    for (const client of clients) client.write(GET);
    await until(() => asked === 51);
    await Promise.all(clients.map((client) => new Promise((resolve) => client.once('close', resolve).destroy())));

    finish();
    await first;

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(upstream.requests()).toBe(2);
    expect(upstream.connections).toHaveLength(1);
  });

  it('cost no connection when one gets free: told that all are busy', async () => {
    const { upstream, finish } = await startBusy();
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1, timeouts: { connectMs: 100 } } });
    const first = call(`${url}/spark/v1/x`);
    await until(() => upstream.requests() === 1);
    const waiting = await Promise.all(Array.from({ length: 200 }, () => call(`${url}/spark/v1/x`)));
    expect(new Set(waiting.map(({ status }) => status))).toEqual(new Set([503]));

    finish();
    await first;

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(upstream.connections).toHaveLength(1);
  });

  // While an API takes no connections, for minutes, every request of that time would be kept in memory.
  it('are not kept', async () => {
    const { upstream } = await startBusy();
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1, timeouts: { connectMs: 100 } } });
    const first = call(`${url}/spark/v1/x`);
    await until(() => upstream.requests() === 1);

    await Promise.all(Array.from({ length: 200 }, () => call(`${url}/spark/v1/x`)));

    expect(queued()).toBe(0);
    upstream.connections[0]?.socket.write(OK);
    await first;
  });
});
