import { gzipSync } from 'node:zlib';
import express, { type Request } from 'express';
import { call, startProxy, startUpstream } from './support.js';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const keepRawBody = (req: unknown, _res: unknown, bytes: Buffer) => {
  (req as Request & { rawBody?: Buffer }).rawBody = bytes;
};

describe('a body that a parser has consumed', () => {
  // A proxy that pipes such a request waits for bytes that never come; one that builds the body anew sends another one.
  it.each([
    ['sized', { 'Content-Length': '9' }],
    ['chunked', { 'Transfer-Encoding': 'chunked' }],
  ])('is answered at once, with the way to mend it: %s', async (_kind, headers) => {
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({ target: upstream.url, before: (app) => app.use(express.json()) });

    const { status, json } = await call(`${url}/spark/v1/contacts`, {
      method: 'POST',
      headers: { ...JSON_TYPE, ...headers },
      body: '{"a": 1 }',
    });

    expect(status).toBe(500);
    expect(json.D).toMatchObject({ Error: 'body_consumed', Message: expect.stringContaining('before the parser') });
    expect(errors).toMatchObject([{ code: 'body_consumed' }]);
    expect(upstream.seen).toEqual([]);
  });

  it('goes up byte for byte where the parser kept the bytes as rawBody', async () => {
    const upstream = await startUpstream();
    const before = (app: express.Express) => app.use(express.json({ verify: keepRawBody }));
    const { url } = await startProxy({ target: upstream.url, before });

    const body = '{"price": 1.00, "name": "x" }';
    const sized = await call(`${url}/spark/v1/contacts`, { method: 'POST', headers: JSON_TYPE, body });
    const chunked = await call(`${url}/spark/v1/contacts`, {
      method: 'POST',
      headers: { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' },
      body,
    });

    expect([sized.status, chunked.status]).toEqual([200, 200]);
    expect(upstream.seen.map((seen) => seen.body.toString())).toEqual([body, body]);
    expect(upstream.seen[0]?.headers['content-length']).toBe(String(body.length));
  });

  // What the parser kept is the unpacked body, while the header still says that it is packed.
  it('is refused where it came compressed', async () => {
    const upstream = await startUpstream();
    const before = (app: express.Express) => app.use(express.json({ verify: keepRawBody }));
    const { url } = await startProxy({ target: upstream.url, before });

    const { status, json } = await call(`${url}/spark/v1/contacts`, {
      method: 'POST',
      headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
      body: gzipSync('{"a":1}'),
    });

    expect(status).toBe(500);
    expect(json.D.Error).toBe('body_consumed');
    expect(upstream.seen).toEqual([]);
  });

  it('is no matter where there was none, or the parser left it alone', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, before: (app) => app.use(express.json()) });

    const get = await call(`${url}/spark/v1/listings`);
    const empty = await call(`${url}/spark/v1/contacts`, { method: 'POST', headers: JSON_TYPE });
    const photo = await call(`${url}/spark/v1/photos`, { method: 'POST', body: 'bytes' });

    expect([get.status, empty.status, photo.status]).toEqual([200, 200, 200]);
    expect(upstream.seen.map((seen) => seen.body.toString())).toEqual(['', '', 'bytes']);
  });
});
