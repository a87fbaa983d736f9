import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Express, RequestHandler, Response } from 'express';
import { REQUEST_CHANNEL, type RequestEvent } from '../../src/index.js';
import { keptBytes } from '../../src/upload.js';
import { call, dial, EXPIRED, pause, startProxy, startRawUpstream, startUpstream, until } from './support.js';

const HEAD = (method: string, length?: number) =>
  `${method} /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n${
    length === undefined ? '' : `Content-Length: ${length}\r\n`
  }\r\n`;

let after: (() => void) | undefined;
afterEach(async () => {
  after?.();
  await until(() => keptBytes() === 0);
});

/** The outcomes of the requests until the test ends. */
function noteOutcomes(): string[] {
  const outcomes: string[] = [];
  const listener = (event: unknown): unknown => outcomes.push((event as RequestEvent).outcome);
  subscribe(REQUEST_CHANNEL, listener);
  after = () => unsubscribe(REQUEST_CHANNEL, listener);
  return outcomes;
}

describe('a client that leaves', () => {
  it('before its session was looked up: nothing goes up', async () => {
    let proceed = () => {};
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({
      target: upstream.url,
      before: (app) =>
        app.use((_req, _res, next) => {
          proceed = () => next();
        }),
    });
    const held = proceed;
    const client = dial(url);
    client.write(HEAD('POST', 5));
    await until(() => proceed !== held);
    client.destroy();
    await pause(50);

    proceed();
    await pause(50);

    expect(upstream.seen).toEqual([]);
    expect(errors).toEqual([]);
  });

  // Node never tells the answer of a request that waits for its turn on its connection.
  it('with a request that it sent behind another: the API is told of both', async () => {
    const open = new Set<Socket>();
    const upstream = await startRawUpstream((socket) => {
      open.add(socket.once('close', () => open.delete(socket)));
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.write(HEAD('GET') + HEAD('GET') + HEAD('GET'));
    await until(() => open.size === 3);

    client.destroy();

    await until(() => open.size === 0);
  });

  it('amid a form that stands for the query: nothing goes up, and nobody is told', async () => {
    const upstream = await startUpstream();
    let came = false;
    const before = (app: Express): unknown =>
      app.use((_req, _res, next) => {
        came = true;
        next();
      });
    const outcomes = noteOutcomes();
    const { url, errors } = await startProxy({ target: upstream.url, before });
    const client = dial(url);
    const form = 'X-HTTP-Method-Override: GET\r\nContent-Type: application/x-www-form-urlencoded\r\n';
    client.write(`${HEAD('POST', 50).slice(0, -2)}${form}\r\n_filter=half`);
    await until(() => came);
    client.destroy();
    await until(() => outcomes.length > 0);

    expect(outcomes).toEqual(['client-gone']);
    expect(upstream.seen).toEqual([]);
    expect(errors).toEqual([]);
  });

  // A renewal that is cut off may have spent the refresh token without anybody knowing the new one.
  it('during a renewal: the renewal goes on, and its request is not sent again', async () => {
    let renewed = () => {};
    const upstream = await startUpstream((seen, _req, res) =>
      seen.headers.authorization === 'OAuth agent-0' ? res.writeHead(401).end(EXPIRED) : res.end('{}'),
    );
    let began = 0;
    const renew = async () => {
      began += 1;
      await new Promise<void>((resolve) => {
        renewed = resolve;
      });
      return { accessToken: 'agent-1', refreshToken: 'r1', lifetimeMs: 86_400_000 };
    };
    const { url, errors } = await startProxy({ target: upstream.url, tokens: { renew } });
    const client = dial(url);
    client.write(`${HEAD('POST', 4)}body`);
    await until(() => began === 1);
    client.destroy();
    await until(() => keptBytes() === 0);

    renewed();
    await pause(50);

    expect(upstream.seen).toHaveLength(1);
    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(began).toBe(1);
    expect(errors).toEqual([]);
  });

  it('before the API has answered: the request to the API is cut', async () => {
    const upstream = await startRawUpstream(() => undefined);
    const { url, errors } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.write(HEAD('GET'));
    await until(() => upstream.requests() === 1);

    client.destroy();

    await until(() => upstream.connections[0]?.socket.destroyed ?? false);
    expect(errors).toEqual([]);
  });

  it('in the middle of the answer: the answer is cut', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome'),
    );
    const { url, errors } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.write(HEAD('GET'));
    await new Promise((resolve) => client.once('data', resolve));

    client.destroy();

    await until(() => upstream.connections[0]?.socket.destroyed ?? false);
    expect(errors).toEqual([]);
  });

  it('in the middle of an answer that it did not read: the answer is cut', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      };
      socket.on('drain', more);
      more();
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.pause();
    client.write(HEAD('GET'));
    await until(() => upstream.requests() === 1);
    await pause(150);

    client.destroy();

    await until(() => upstream.connections[0]?.socket.destroyed ?? false);
  });

  // An API that takes half of a body for all of it would store half of a document.
  it.each([
    ['sized', HEAD('POST', 100)],
    ['chunked', HEAD('POST').replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n')],
  ])('in the middle of its upload: the API never sees it as whole: %s', async (kind, head) => {
    const upstream = await startRawUpstream(() => undefined);
    const { url, errors } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.write(`${head}half${kind === 'chunked' ? '\r\n' : ''}`);
    await until(() => upstream.connections[0]?.received.includes('half') ?? false);

    client.destroy();

    await until(() => upstream.connections[0]?.socket.destroyed ?? false);
    expect(upstream.connections[0]?.received).not.toContain('\r\n0\r\n\r\n');
    expect(errors).toEqual([]);
  });

  it('while it waits for a free connection: it is never sent', async () => {
    const answers: (() => void)[] = [];
    const upstream = await startUpstream((_seen, _req, res) => answers.push(() => res.end('{}')));
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
    const first = call(`${url}/spark/v1/first`);
    await until(() => answers.length === 1);
    const client = dial(url);
    client.write(HEAD('POST', 0));
    await pause(50);
    client.destroy();
    await pause(20);
    const third = call(`${url}/spark/v1/third`);
    await pause(20);

    answers[0]?.();
    await first;
    await until(() => answers.length === 2);
    answers[1]?.();

    expect((await third).status).toBe(200);
    expect(upstream.seen.map((seen) => seen.target)).toEqual(['/v1/first', '/v1/third']);
    expect(errors).toEqual([]);
  });
});

describe('an application that answers by itself meanwhile', () => {
  // A time-out middleware, say: what the API does after that must not break what was said already.
  it.each([
    ['answers', '', (api: Socket) => api.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'), 'client-gone'],
    ['resets', '', (api: Socket) => api.resetAndDestroy(), 'upstream-failed'],
    ['ends a refusal', 'HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{', (api: Socket) => api.write('}'), 'answered'],
  ])('keeps its answer when the API %s', async (_what, before, act, outcome) => {
    const upstream = await startRawUpstream((socket) => socket.write(before));
    const outcomes = noteOutcomes();
    let answer: Response | undefined;
    const note: RequestHandler = (_req, res, next) => {
      answer = res;
      next();
    };
    const { url } = await startProxy({ target: upstream.url, before: (app) => app.use(note) });

    const reply = call(`${url}/spark/v1/x`);
    await until(() => upstream.requests() === 1);
    await pause(50); // so that the head of a refusal has come, and is held back
    answer?.status(503).write('half a ');
    for (const { socket } of upstream.connections) act(socket);
    await until(() => outcomes.length > 0);
    answer?.end('page');

    expect(await reply).toMatchObject({ status: 503, broken: false });
    expect((await reply).body.toString()).toBe('half a page');
    expect(outcomes).toEqual([outcome]);
    expect(upstream.requests()).toBe(1);
  });
});
