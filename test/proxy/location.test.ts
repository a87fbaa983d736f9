import { headerValue, responseHeadersDown } from '../../src/headers.js';
import { call, startProxy, startUpstream } from './support.js';

const MOUNT = { target: 'https://sparkapi.com', baseUrl: '/spark' };

describe('Location', () => {
  it.each([
    ['/v1/contacts/1?a=b', '/spark/v1/contacts/1?a=b'],
    ['https://sparkapi.com/v1/contacts/1?a=b#c', '/spark/v1/contacts/1?a=b#c'],
    ['https://sparkapi.com:443/v1', '/spark/v1'],
    ['HTTPS://SPARKAPI.COM/v1', '/spark/v1'],
    ['https://sparkapi.com', '/spark/'],
    // Another origin is the browser's to follow: without a token, because the proxy never goes there.
    ['https://cdn.example.com/photo.jpg', 'https://cdn.example.com/photo.jpg'],
    ['http://sparkapi.com/v1', 'http://sparkapi.com/v1'],
    ['https://sparkapi.com.evil.example/v1', 'https://sparkapi.com.evil.example/v1'],
    ['//sparkapi.com/v1/contacts/1?a=b', '/spark/v1/contacts/1?a=b'], // scheme-relative (RFC 3986 §4.2)
    ['//sparkapi.com:8443/v1', '//sparkapi.com:8443/v1'],
    ['/\\sparkapi.com/v1', '/spark/v1'], // browsers read a backslash as a slash
    ['//', '//'],
    ['//cdn.example.com/photo.jpg', '//cdn.example.com/photo.jpg'],
    ['/\\cdn.example.com/photo.jpg', '/\\cdn.example.com/photo.jpg'],
    ['next', 'next'],
  ])('%s becomes %s', (location, wanted) => {
    expect(headerValue(responseHeadersDown(['Location', location], MOUNT, 200), 'location')).toBe(wanted);
  });

  it('is not followed by the proxy', async () => {
    const elsewhere = await startUpstream();
    const upstream = await startUpstream((_seen, _req, res) =>
      res.writeHead(302, { Location: `${elsewhere.url}/steal` }).end(),
    );
    const { url } = await startProxy({ target: upstream.url });

    const { status, headers } = await call(`${url}/spark/v1/photos/1`);

    expect(status).toBe(302);
    expect(headers.location).toBe(`${elsewhere.url}/steal`);
    expect(elsewhere.seen).toEqual([]);
  });

  it('leads back to where the proxy is mounted', async () => {
    const upstream = await startUpstream((_seen, _req, res) =>
      res.writeHead(201, { Location: `${upstream.url}/v1/contacts/1` }).end(),
    );
    const { url } = await startProxy({ target: upstream.url });

    const { headers } = await call(`${url}/spark/v1/contacts`, { method: 'POST' });

    expect(headers.location).toBe('/spark/v1/contacts/1');
  });
});
