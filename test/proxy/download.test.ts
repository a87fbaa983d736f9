import { createHash, randomBytes } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { call, dial, pause, startProxy, startRawUpstream, startUpstream, until } from './support.js';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('answers', () => {
  it.each(['sized', 'chunked'])('come down byte for byte: %s', async (kind) => {
    const body = randomBytes(5 * 1024 * 1024);
    const upstream = await startUpstream((_seen, _req, res) => {
      if (kind === 'sized') res.setHeader('Content-Length', body.length);
      res.end(body);
    });
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/photos/1`);

    expect(reply.broken).toBe(false);
    expect(sha256(reply.body)).toBe(sha256(body));
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('stay compressed: %s', async (encoding, compress) => {
    const body = compress(JSON.stringify({ D: { Results: Array(500).fill('x') } }));
    const upstream = await startUpstream((_seen, _req, res) =>
      res.writeHead(200, { 'Content-Encoding': encoding, 'Content-Length': body.length }).end(body),
    );
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/listings`, { headers: { 'Accept-Encoding': encoding } });

    expect(reply.body.equals(body)).toBe(true);
    expect(reply.headers).toMatchObject({ 'content-encoding': encoding, 'content-length': String(body.length) });
    expect(upstream.seen[0]?.headers['accept-encoding']).toBe(encoding);
  });

  it('come as they are sent: the first piece is there before the API has sent the last', async () => {
    let finish = () => {};
    const upstream = await startUpstream((_seen, _req, res) => {
      res.write('first');
      finish = () => res.end('-last');
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });

    client.write('GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => answer.includes('first'));
    expect(answer).not.toContain('-last');
    finish();

    await until(() => answer.includes('-last'));
  });

  // A client that reads slowly must slow the API down, not fill the memory; and get all of it in the end.
  it('wait for a client that does not read', async () => {
    const piece = randomBytes(64 * 1024);
    const pieces = 512;
    let written = 0;
    const upstream = await startUpstream(async (_seen, _req, res) => {
      res.setHeader('Content-Length', piece.length * pieces);
      for (; written < pieces; written += 1) {
        if (!res.write(piece)) await new Promise((resolve) => res.once('drain', resolve));
      }
      res.end();
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    client.pause();

    client.write('GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => written > 0);
    let before = -1;
    while (before !== written) {
      before = written;
      await pause(200);
    }
    expect(written).toBeLessThan(pieces / 2);

    let received = 0;
    client.on('data', (chunk) => {
      received += chunk.length;
    });
    client.resume();
    await until(() => received > piece.length * pieces);
  });

  it('to HEAD have headers and no body', async () => {
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(200, { 'Content-Length': 123 }).end());
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/x`, { method: 'HEAD' });

    expect(reply).toMatchObject({ status: 200, broken: false, headers: { 'content-length': '123' } });
    expect(reply.body).toHaveLength(0);
  });

  it.each([
    [204, {}],
    [304, { ETag: '"x"' }],
    [304, { ETag: '"x"', 'Content-Length': '123' }],
  ])('may have no body: %i %j', async (status, headers) => {
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(status, headers).end());
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status, broken: false });
    expect(reply.body).toHaveLength(0);
  });

  it('may follow early hints, which are for this hop alone', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.write(
        'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n' +
          'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-End: 1\r\n\r\n{}',
      ),
    );
    const { url } = await startProxy({ target: upstream.url });

    const { status, headers, body } = await call(`${url}/spark/v1/x`);

    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'x-end': '1' });
    expect(headers).not.toHaveProperty('link');
    expect(body.toString()).toBe('{}');
  });

  it('may end with the connection', async () => {
    const upstream = await startRawUpstream((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status: 200, broken: false });
    expect(reply.body.toString()).toBe('all of it');
  });

  it.each([
    [429, '7'],
    [503, 'Wed, 01 Jan 2031 00:00:00 GMT'],
  ])('%i passes with its Retry-After', async (status, retryAfter) => {
    const upstream = await startUpstream((_seen, _req, res) =>
      res.writeHead(status, { 'Retry-After': retryAfter }).end('{"D":{"Code":1550}}'),
    );
    const { url, renewals } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status, headers: { 'retry-after': retryAfter }, json: { D: { Code: 1550 } } });
    expect(renewals()).toBe(0);
    expect(upstream.seen).toHaveLength(1); // an API that is busy is not asked again and again
  });
});
