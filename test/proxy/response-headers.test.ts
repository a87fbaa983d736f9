import helmet from 'helmet';
import { call, startProxy, startRawUpstream, startUpstream } from './support.js';

async function answered(headers: Record<string, string | string[]>) {
  const upstream = await startUpstream((_seen, _req, res) => res.writeHead(200, headers).end('{}'));
  const { url } = await startProxy({ target: upstream.url, before: (app) => app.disable('x-powered-by') });
  return await call(`${url}/spark/v1/listings`);
}

describe('response headers', () => {
  it.each([
    // The API's cookies would become the application's own.
    ['Set-Cookie', 'a=b'],
    ['Set-Cookie2', 'a=b'],
    // These act on the whole origin of the application: sign everybody out, open it to others, pin it to another server.
    ['Clear-Site-Data', '"*"'],
    ['Service-Worker-Allowed', '/'],
    ['Strict-Transport-Security', 'max-age=0'],
    ['Alt-Svc', 'h3="evil.example:443"'],
    ['Report-To', '{"group":"x"}'],
    ['Reporting-Endpoints', 'x="https://evil.example"'],
    ['NEL', '{"report_to":"x"}'],
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Allow-Credentials', 'true'],
    ['Access-Control-Expose-Headers', 'x'],
    ['Proxy-Authenticate', 'Basic'],
    // These tell a cache in front more than Cache-Control does.
    ['CDN-Cache-Control', 'max-age=600'],
    ['Cloudflare-CDN-Cache-Control', 'max-age=600'],
    ['Surrogate-Control', 'max-age=600'],
    ['Edge-Control', 'cache-maxage=600'],
    ['X-Accel-Expires', '600'],
    // These have a server in front send a file of the site.
    ['X-Accel-Redirect', '/protected/file'],
    ['X-Sendfile', '/protected/file'],
    ['Content-Security-Policy-Report-Only', "default-src 'self'; report-uri https://evil.example"],
  ])('drop %s', async (name, value) => {
    const { status, headers } = await answered({ [name]: value });

    expect(status).toBe(200);
    expect(headers).not.toHaveProperty(name.toLowerCase());
  });

  it('drop what Connection names', async () => {
    const { headers } = await answered({ Connection: 'close, X-Hop', 'X-Hop': '1', 'X-End': '1' });

    expect(headers).not.toHaveProperty('x-hop');
    expect(headers).toMatchObject({ 'x-end': '1' });
  });

  it('pass everything else on, repeated ones too', async () => {
    const { headers, rawHeaders } = await answered({
      'Content-Type': 'application/json',
      ETag: '"x"',
      'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      Expires: '0',
      'X-Request-Id': 'abc',
      Link: ['<a>; rel=next', '<b>; rel=prev'],
    });

    expect(headers).toMatchObject({
      'content-type': 'application/json',
      etag: '"x"',
      expires: '0',
      'x-request-id': 'abc',
    });
    expect(rawHeaders.filter((_, i) => rawHeaders[i - 1] === 'Link')).toEqual(['<a>; rel=next', '<b>; rel=prev']);
  });

  // The API's HTML or SVG comes from the application's own origin: run there, a script in it could do all that the person can.
  it('keep documents of the API from running on the origin of the application', async () => {
    const { headers } = await answered({
      'Content-Type': 'text/html',
      'Content-Security-Policy': "script-src 'unsafe-inline'",
      'X-Content-Type-Options': 'sniff',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    });

    expect(headers).toMatchObject({
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
  });

  it("win over helmet's, and lose none of repeated headers to it", async () => {
    const upstream = await startUpstream((_seen, _req, res) =>
      res.writeHead(200, { 'Strict-Transport-Security': 'max-age=0', Link: ['<a>', '<b>'] }).end('{}'),
    );
    const { url } = await startProxy({
      target: upstream.url,
      before: (app) => app.use(helmet({ crossOriginResourcePolicy: { policy: 'cross-origin' } })),
    });

    const { headers, rawHeaders } = await call(`${url}/spark/v1/listings`);

    expect(headers).toMatchObject({
      'content-security-policy': "sandbox; default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['strict-transport-security']).toMatch(/max-age=[1-9]/);
    expect(rawHeaders.filter((name) => name === 'Link')).toHaveLength(2);
    expect(rawHeaders.filter((name) => /^content-security-policy$/i.test(name))).toHaveLength(1);
  });

  it('keep the bytes of the API above ASCII', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.end(Buffer.from('HTTP/1.1 200 OK\r\nX-Name: Jos\xe9\r\nContent-Length: 2\r\n\r\n{}', 'latin1')),
    );
    const { url } = await startProxy({ target: upstream.url });

    expect((await call(`${url}/spark/v1/x`)).headers['x-name']).toBe('Jos\xe9');
  });

  // A control character in a header splits it in two for somebody.
  it('with control characters make the answer invalid: 502, and nothing of it', async () => {
    const upstream = await startRawUpstream((socket) =>
      socket.end(
        'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX-A: 1\r\nX-Bad: a\u0001b\r\nContent-Length: 2\r\n\r\n{}',
      ),
    );
    const { url } = await startProxy({ target: upstream.url });

    const { status, headers, json } = await call(`${url}/spark/v1/x`);

    expect(status).toBe(502);
    expect(json.D).toMatchObject({ Error: 'upstream_failed' });
    expect(headers).not.toHaveProperty('x-a');
    expect(headers).not.toHaveProperty('content-encoding');
  });
});
