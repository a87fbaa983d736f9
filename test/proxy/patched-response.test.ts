import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { MemoryTokenStore, REQUEST_CHANNEL, type RequestEvent, sparkProxy, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM, type UpstreamProfile } from '../../src/platform.js';
import { cookieOf, startWorld } from '../lane/roads.js';
import { serve } from '../support/server.js';
import { call, startRawUpstream, startUpstream, until } from './support.js';

const outcomes: string[] = [];
const listener = (event: unknown): unknown => outcomes.push((event as RequestEvent).outcome);
beforeEach(() => subscribe(REQUEST_CHANNEL, listener));
afterEach(() => {
  unsubscribe(REQUEST_CHANNEL, listener);
  outcomes.length = 0;
});

interface Application {
  readonly url: string;
  /** Answers, in the order of their requests. */
  readonly answers: ServerResponse[];
  /** What came to `next`. The application answers it while it can, and leaves the rest alone: Express would cut it. */
  readonly passedOn: unknown[];
}

/** An application that does something to each answer before the proxy. */
async function startApplication(
  target: string,
  { patch, upstream = SPARK_UPSTREAM }: { patch?: (res: ServerResponse) => void; upstream?: UpstreamProfile },
): Promise<Application> {
  const tokens = new TokenService({
    store: new MemoryTokenStore(),
    clientID: 'test-client',
    upstream,
    renew: async () => ({ accessToken: 'renewed' }),
  });
  await tokens.adopt('office', { accessToken: 'office-0' });
  const proxy = sparkProxy({
    tokens,
    target,
    tokenKey: () => 'office',
    public: true,
    allow: () => true,
    connections: 1,
    timeouts: { connectMs: 2_000 },
  });
  const answers: ServerResponse[] = [];
  const passedOn: unknown[] = [];
  const { url } = await serve((req, res) => {
    answers.push(res);
    patch?.(res);
    proxy(req, res, (error) => {
      passedOn.push(error);
      if (!res.headersSent) res.writeHead(500).end();
    });
  });
  return { url, answers, passedOn };
}

/** Puts something of the application's own in place of a method of all answers, of which one call throws. */
function throwsOnce(method: 'writeHead' | 'write' | 'end', at = 1): (res: ServerResponse) => void {
  let calls = 0;
  return (res) => {
    const original = res[method].bind(res) as (...args: unknown[]) => unknown;
    const patched = (...args: unknown[]): unknown => {
      calls += 1;
      if (calls === at) throw new Error(`thrown by ${method}`);
      return original(...args);
    };
    Object.assign(res, { [method]: patched });
  };
}

describe('an answer of which a method throws', () => {
  // Nobody was told: the request hung for as long as its client had patience.
  it.each([
    ['write', 2, ''],
    ['write', 2, 'Connection: close\r\n'],
    ['end', 1, ''],
    ['end', 1, 'Connection: close\r\n'],
  ] as const)('breaks off once it has begun, and the next is whole: %s, call %i, %j', async (method, at, header) => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${header}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n`);
      until(() => app.answers.at(-1)?.headersSent ?? false).then(
        () => socket.write('2\r\n{}\r\n0\r\n\r\n'),
        () => socket.destroy(),
      );
    });
    const app = await startApplication(upstream.url, { patch: throwsOnce(method, at) });

    const first = await call(`${app.url}/v1/x`);
    const second = await call(`${app.url}/v1/x`);

    expect(first).toMatchObject({ status: 200, broken: true });
    expect(second).toMatchObject({ status: 200, broken: false });
    expect(app.passedOn).toEqual([new Error(`thrown by ${method}`)]);
    expect(outcomes).toEqual(['failed', 'answered']);
  });

  it.each([
    ['a 304', 'HTTP/1.1 304 Not Modified\r\n\r\n'],
    ['a 304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 123\r\n\r\n'],
    ['a refusal that was held back', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}'],
  ])('breaks off although nothing else is to come: %s', async (_what, answer) => {
    const upstream = await startRawUpstream((socket) => socket.write(answer));
    const app = await startApplication(upstream.url, { patch: throwsOnce('end') });

    await expect(call(`${app.url}/v1/x`)).rejects.toThrow('socket hang up');

    expect(app.passedOn).toEqual([new Error('thrown by end')]);
    expect(outcomes).toEqual(['failed']);
    expect((await call(`${app.url}/v1/x`)).broken).toBe(false);
  });

  it('is left to the application while its head is not out', async () => {
    const upstream = await startUpstream();
    const app = await startApplication(upstream.url, { patch: throwsOnce('writeHead') });

    expect((await call(`${app.url}/v1/x`)).status).toBe(500);
    expect(app.passedOn).toEqual([new Error('thrown by writeHead')]);
    expect(outcomes).toEqual(['failed']);
  });

  // express-session calls the store within `end`.
  it('breaks off when the session store throws', async () => {
    const { url: upstream } = await startUpstream();
    const redis = undefined as never; // sessions are in memory
    const world = await startWorld({ road: 'slow', storeName: 'memory', redis, upstream });
    await world.signIn('ann');
    const touch = (): never => {
      throw new Error('thrown by touch');
    };
    Object.assign(world.store, { touch });

    await call(`${world.url}/spark/v1/x`, { headers: { cookie: cookieOf('ann') } }).catch(() => undefined);

    await until(() => outcomes.length > 0);
    expect(world.errors.map(({ message }) => message)).toEqual(['thrown by touch']);
    expect(outcomes).toEqual(['failed']);
  });
});

// Told as a failure of the API, it would send whoever looks for it to the wrong place.
it('leaves to the application what its own upstream profile throws', async () => {
  const api = await startUpstream((_seen, _req, res) => res.writeHead(401).end('{}'));
  const isExpired = (): never => {
    throw new Error('thrown by isExpired');
  };
  const app = await startApplication(api.url, { upstream: { ...SPARK_UPSTREAM, isExpired } });

  expect((await call(`${app.url}/v1/x`)).status).toBe(500);
  expect(app.passedOn).toEqual([new Error('thrown by isExpired')]);
});
