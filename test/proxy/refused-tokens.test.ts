import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { call, EXPIRED, startProxy, startUpstream } from './support.js';

const coded = (code: unknown) => JSON.stringify({ D: { Success: false, Message: 'No', Code: code } });

/** An API that answers the first token so, and every other with 200. */
async function startRefusing(headers: Record<string, string>, body: string | Buffer) {
  const upstream = await startUpstream((seen, _req, res) => {
    if (seen.headers.authorization?.endsWith('-0')) res.writeHead(401, headers).end(body);
    else res.end('{}');
  });
  return { upstream, ...(await startProxy({ target: upstream.url })) };
}

describe('a 401 of the API', () => {
  it.each([
    ['plain', {}, EXPIRED],
    ['code as text', {}, coded('1020')],
    ['gzip', { 'Content-Encoding': 'gzip' }, gzipSync(EXPIRED)],
    ['x-gzip', { 'Content-Encoding': 'X-Gzip' }, gzipSync(EXPIRED)],
    ['deflate', { 'Content-Encoding': 'deflate' }, deflateSync(EXPIRED)],
    ['br', { 'Content-Encoding': 'br' }, brotliCompressSync(EXPIRED)],
    ['header alone', { 'WWW-Authenticate': "OAuth realm='Flexmls API', error='expired_token'" }, ''],
    ['header, double quotes', { 'WWW-Authenticate': 'OAuth realm="x", error="expired_token"' }, '<html>'],
  ])('that says «expired» leads to one renewal: %s', async (_kind, headers, body) => {
    const { url, renewals } = await startRefusing(headers, body);

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(renewals()).toBe(1);
  });

  // An invalid or disabled key (1000, 1010) is no matter of time: to renew for it spends refresh tokens for nothing.
  it.each([
    ['1000', {}, coded(1000)],
    ['1010', {}, coded(1010)],
    ['1010 in gzip', { 'Content-Encoding': 'gzip' }, gzipSync(coded(1010))],
    ['no JSON', { 'Content-Type': 'text/html' }, '<html>1020</html>'],
    ['no envelope', {}, '{"Code":1020}'],
    ['null', {}, 'null'],
    ['empty', {}, ''],
    ['not gzip as it says', { 'Content-Encoding': 'gzip' }, EXPIRED],
    ['a bomb', { 'Content-Encoding': 'gzip' }, gzipSync(`${' '.repeat(2_000_000)}${EXPIRED}`)],
    ['another error', { 'WWW-Authenticate': "OAuth error='invalid_token'" }, '{}'],
    ['longer than any error of the API', {}, `${EXPIRED}${' '.repeat(200_000)}`],
  ])('that says anything else passes as it is: %s', async (_kind, headers, body) => {
    const { upstream, url, renewals } = await startRefusing(headers, body);

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply.status).toBe(401);
    expect(reply.broken).toBe(false);
    expect(reply.body.equals(Buffer.from(body))).toBe(true);
    for (const [name, value] of Object.entries(headers)) expect(reply.headers[name.toLowerCase()]).toBe(value);
    expect(renewals()).toBe(0);
    expect(upstream.seen).toHaveLength(1);
  });

  it('to HEAD passes without a body', async () => {
    const { url, renewals } = await startRefusing({ 'Content-Length': '90' }, '');

    const reply = await call(`${url}/spark/v1/x`, { method: 'HEAD' });

    expect(reply).toMatchObject({ status: 401, headers: { 'content-length': '90' } });
    expect(renewals()).toBe(0);
  });
});
