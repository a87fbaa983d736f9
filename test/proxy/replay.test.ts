import { createHash, randomBytes } from 'node:crypto';
import { keptBytes } from '../../src/upload.js';
import {
  call,
  dial,
  EXPIRED,
  pause,
  type Seen,
  startProxy,
  startRawUpstream,
  startUpstream,
  type Upstream,
  until,
} from './support.js';

afterEach(() => {
  expect(keptBytes()).toBe(0);
});

const tokens = (upstream: Upstream) => upstream.seen.map((seen) => seen.headers.authorization);

/** An API where every first token (`…-0`) has expired. */
async function startExpired(): Promise<Upstream> {
  return await startUpstream((seen, _req, res) => {
    if (seen.headers.authorization?.endsWith('-0'))
      res.writeHead(401, { 'Content-Type': 'application/json' }).end(EXPIRED);
    else res.end(createHash('sha256').update(seen.body).digest('hex'));
  });
}

describe('a request that meets an expired token', () => {
  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])('is sent once more with a new token: %s', async (method) => {
    const upstream = await startUpstream((seen, _req, res) => {
      // An answer to HEAD has no body: the header alone tells.
      const expired = seen.headers.authorization?.endsWith('-0');
      if (expired) res.writeHead(401, { 'WWW-Authenticate': "OAuth realm='Flexmls API', error='expired_token'" }).end();
      else res.end();
    });
    const { url, renewals } = await startProxy({ target: upstream.url });

    const { status, headers } = await call(`${url}/spark/v1/listings?a=%27b%27`, { method });

    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('www-authenticate');
    expect(tokens(upstream)).toEqual(['OAuth agent-0', 'OAuth agent-1']);
    expect(upstream.seen.map((seen) => seen.target)).toEqual(Array(2).fill('/v1/listings?a=%27b%27'));
    expect(renewals()).toBe(1);
  });

  it.each(['sized', 'chunked'])('is sent once more with the same bytes, when it is small: %s', async (kind) => {
    const upstream = await startExpired();
    const { url, renewals } = await startProxy({ target: upstream.url });
    const body = randomBytes(64 * 1024);
    const headers = kind === 'sized' ? { 'Content-Length': String(body.length) } : { 'Transfer-Encoding': 'chunked' };

    const reply = await call(`${url}/spark/v1/photos`, { method: 'POST', headers, body });

    expect(reply.status).toBe(200);
    expect(reply.body.toString()).toBe(createHash('sha256').update(body).digest('hex'));
    expect(tokens(upstream)).toEqual(['OAuth agent-0', 'OAuth agent-1']);
    expect(upstream.seen.every((seen: Seen) => seen.body.equals(body))).toBe(true);
    expect(renewals()).toBe(1);
  });

  it('is not sent again when its body is too long to keep: its 401 passes, and the next request has the new token', async () => {
    const upstream = await startExpired();
    const { url, renewals } = await startProxy({ target: upstream.url, proxy: { replayLimit: 1_000 } });

    const first = await call(`${url}/spark/v1/photos`, { method: 'POST', body: randomBytes(1_001) });
    const second = await call(`${url}/spark/v1/photos`, { method: 'POST', body: randomBytes(1_001) });

    expect(first.status).toBe(401);
    expect(first.json.D.Code).toBe(1020);
    expect(second.status).toBe(200);
    expect(tokens(upstream)).toEqual(['OAuth agent-0', 'OAuth agent-1']);
    expect(renewals()).toBe(1);
  });

  // A replay of what had come so far would store half of a contact as if it were all.
  it('is not sent again when the API refused it before its body was whole', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.write(`HTTP/1.1 401 No\r\nContent-Length: ${EXPIRED.length}\r\n\r\n${EXPIRED}`),
    );
    const { url, renewals } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString();
    });

    client.write(
      'POST /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 8\r\n\r\nhalf',
    );
    await until(() => answer.includes('1020'));
    client.write('half');
    await pause(50);

    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(upstream.requests()).toBe(1);
    expect(renewals()).toBe(1);
  });

  it('keeps nothing when the limit is 0', async () => {
    const upstream = await startExpired();
    const { url } = await startProxy({ target: upstream.url, proxy: { replayLimit: 0 } });

    expect((await call(`${url}/spark/v1/x`, { method: 'POST', body: 'x' })).status).toBe(401);
    expect((await call(`${url}/spark/v1/x`, { method: 'POST', body: 'x' })).status).toBe(200);
  });

  // Otherwise an API that says so of every token makes each request spend a refresh token, for ever.
  it('gets the 401 when the new token is refused too, and there is no second renewal for a while', async () => {
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(401).end(EXPIRED));
    const { url, renewals } = await startProxy({ target: upstream.url });

    const replies = [];
    for (let i = 0; i < 3; i += 1) replies.push(await call(`${url}/spark/v1/x`, { method: 'POST', body: 'x' }));

    expect(replies.map(({ status, json }) => [status, json.D.Code])).toEqual(Array(3).fill([401, 1020]));
    expect(renewals()).toBe(1);
    expect(upstream.seen).toHaveLength(4);
  });
});

describe('the memory for replays', () => {
  it('is freed as soon as the headers of the answer are there', async () => {
    let end = () => {};
    const upstream = await startUpstream((_seen, _req, res) => {
      res.flushHeaders();
      end = () => res.end();
    });
    const { url } = await startProxy({ target: upstream.url });

    const reply = call(`${url}/spark/v1/x`, { method: 'POST', body: randomBytes(10_000) });
    await until(() => upstream.seen.length === 1);
    await pause(50);

    expect(keptBytes()).toBe(0);
    end();
    await reply;
  });

  it('holds a body while its answer is awaited', async () => {
    let answer = () => {};
    const upstream = await startUpstream((_seen, _req, res) => {
      answer = () => res.end();
    });
    const { url } = await startProxy({ target: upstream.url });

    const reply = call(`${url}/spark/v1/x`, { method: 'POST', body: randomBytes(10_000) });
    await until(() => upstream.seen.length === 1);

    expect(keptBytes()).toBe(10_000);
    answer();
    await reply;
  });
});
