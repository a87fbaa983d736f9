import { call, rawCall, startProxy, startUpstream } from './support.js';

const FORM = 'application/x-www-form-urlencoded';

describe('methods', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s passes', async (method) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const { status } = await call(`${url}/spark/v1/x`, { method });

    expect(status).toBe(200);
    expect(upstream.seen.map((seen) => seen.method)).toEqual([method]);
  });

  // TRACE sends back what it got, the token with it.
  it.each(['TRACE', 'PROPFIND', 'PURGE', 'LINK'])('%s does not', async (method) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(
      url,
      `${method} /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: none\r\nConnection: close\r\n\r\n`,
    );

    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer).toMatch(/\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n/i);
    expect(upstream.seen).toEqual([]);
  });
});

describe('the method override', () => {
  it('passes as GET on a POST with a form, for queries too long for a URL', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = { 'X-HTTP-Method-Override': 'GET', 'Content-Type': `${FORM}; charset=utf-8` };

    const { status } = await call(`${url}/spark/v1/listings`, { method: 'POST', headers, body: '_filter=x' });

    expect(status).toBe(200);
    const [seen] = upstream.seen;
    expect(seen?.method).toBe('POST');
    expect(seen?.body.toString()).toBe('_filter=x');
    expect(seen?.rawHeaders.filter((name) => /override/i.test(name))).toHaveLength(1);
    expect(seen?.headers['x-http-method-override']).toBe('GET');
  });

  // Otherwise a list that allows POST alone, or a filter in front, could be led to anything.
  it.each([
    ['POST', { 'X-HTTP-Method-Override': 'DELETE', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': 'PUT', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': 'get', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': '', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': ['GET', 'DELETE'], 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': ['GET', 'GET'], 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': 'GET', 'Content-Type': 'application/json' }],
    ['POST', { 'X-HTTP-Method-Override': 'GET', 'Content-Type': `${FORM}x` }],
    ['POST', { 'X-HTTP-Method-Override': 'GET' }],
    ['POST', { 'X-HTTP-Method-Override': 'GET', 'Content-Type': [FORM, 'application/json'] }],
    ['GET', { 'X-HTTP-Method-Override': 'GET', 'Content-Type': FORM }],
    ['GET', { 'X-HTTP-Method-Override': 'DELETE' }],
    ['PUT', { 'X-HTTP-Method-Override': 'GET', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method': 'GET', 'Content-Type': FORM }],
    ['POST', { 'X-Method-Override': 'GET', 'Content-Type': FORM }],
    ['POST', { 'X-HTTP-Method-Override': 'GET', 'X-HTTP-Method': 'DELETE', 'Content-Type': FORM }],
  ])('is refused otherwise: %s with %j', async (method, headers) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const { status, json } = await call(`${url}/spark/v1/listings`, { method, headers });

    expect(status).toBe(400);
    expect(json.D.Error).toBe('method_override');
    expect(upstream.seen).toEqual([]);
  });

  // What may not stand in the query may not stand in the form that is taken for it.
  it.each([
    ['ApiUser=7', 'impersonation'],
    ['_filter=x&access_token=mine', 'query_credentials'],
    ['a=b;AuthToken[]=mine', 'query_credentials'],
    ['q=%00', 'encoded_control'],
  ])('is refused with a form that says what no query may say: %s', async (body, code) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = { 'X-HTTP-Method-Override': 'GET', 'Content-Type': FORM };

    const { status, json } = await call(`${url}/spark/v1/listings`, { method: 'POST', headers, body });

    expect(status).toBe(400);
    expect(json.D.Error).toBe(code);
    expect(upstream.seen).toEqual([]);
  });

  it('passes with a form that holds a long list', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = { 'X-HTTP-Method-Override': 'GET', 'Content-Type': FORM };
    const body = `_filter=${'x'.repeat(256 * 1024 - 8)}`;

    expect((await call(`${url}/spark/v1/listings`, { method: 'POST', headers, body })).status).toBe(200);
    expect(upstream.seen[0]?.body.toString()).toBe(body);
  });

  it('is refused with a form that is too long, or compressed', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = { 'X-HTTP-Method-Override': 'GET', 'Content-Type': FORM };
    const long = await call(`${url}/spark/v1/listings`, { method: 'POST', headers, body: 'x'.repeat(256 * 1024 + 1) });
    const packed = await call(`${url}/spark/v1/listings`, {
      method: 'POST',
      headers: { ...headers, 'Content-Encoding': 'gzip' },
      body: 'x',
    });

    expect([long.status, packed.status]).toEqual([413, 400]);
    expect(upstream.seen).toEqual([]);
  });

  it('never reaches the API under a name with underscores', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    await call(`${url}/spark/v1/listings`, { method: 'POST', headers: { X_HTTP_Method_Override: 'DELETE' } });

    expect(upstream.seen[0]?.rawHeaders.filter((name) => /override/i.test(name))).toEqual([]);
  });

  it('stays where Connection names it', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = {
      'X-HTTP-Method-Override': 'GET',
      'Content-Type': FORM,
      Connection: 'close, X-HTTP-Method-Override',
    };

    await call(`${url}/spark/v1/listings`, { method: 'POST', headers, body: 'a=b' });

    expect(upstream.seen[0]?.headers['x-http-method-override']).toBe('GET');
  });
});
