import { call, ORIGIN, startProxy, startUpstream } from './support.js';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];
const UNSAFE = ['POST', 'PUT', 'PATCH', 'DELETE'];

describe('cross-site requests', () => {
  // Another site's page can make the browser send the person's cookie. Reads count: their size and time tell things.
  it.each([
    [SAFE, { 'Sec-Fetch-Site': 'same-origin' }, 200],
    [SAFE, { 'Sec-Fetch-Site': 'none' }, 200],
    [SAFE, { 'Sec-Fetch-Site': 'same-site' }, 403],
    [SAFE, { 'Sec-Fetch-Site': 'cross-site' }, 403],
    [SAFE, { 'Sec-Fetch-Site': 'something-new' }, 403],
    [SAFE, { 'Sec-Fetch-Site': '' }, 403],
    [SAFE, { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }, 403],
    // Sec-Fetch-Site is the browser's own word, and goes before Origin.
    [SAFE, { 'Sec-Fetch-Site': 'cross-site', Origin: ORIGIN }, 403],
    [SAFE, { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://evil.example' }, 200],
    [SAFE, { Origin: ORIGIN }, 200],
    [SAFE, { Origin: 'https://evil.example' }, 403],
    [SAFE, { Origin: `${ORIGIN}.evil.example` }, 403],
    [SAFE, { Origin: `${ORIGIN}:8443` }, 403],
    [SAFE, { Origin: ORIGIN.replace('https', 'http') }, 403],
    [SAFE, { Origin: 'null' }, 403],
    // A rebound DNS name sends a Host of its own that equals its Origin.
    [SAFE, { Origin: 'http://rebound.example', Host: 'rebound.example' }, 403],
    [SAFE, {}, 200],
    [UNSAFE, { 'Sec-Fetch-Site': 'same-origin' }, 200],
    [UNSAFE, { 'Sec-Fetch-Site': 'none' }, 200],
    [UNSAFE, { 'Sec-Fetch-Site': 'same-site' }, 403],
    [UNSAFE, { 'Sec-Fetch-Site': 'cross-site' }, 403],
    [UNSAFE, { Origin: ORIGIN }, 200],
    [UNSAFE, { Origin: 'https://evil.example' }, 403],
    [UNSAFE, { Origin: 'null' }, 403],
    [UNSAFE, { Origin: 'http://rebound.example', Host: 'rebound.example' }, 403],
    [UNSAFE, {}, 403],
    [UNSAFE, { Referer: `${ORIGIN}/page` }, 403],
  ] as const)('%j with %j: %i', async (methods, headers, status) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const given = headers as Record<string, string | string[]>;

    const replies = await Promise.all(
      methods.map((method) => call(`${url}/spark/v1/x`, { method, headers: given, bare: true })),
    );

    expect(replies.map((reply) => reply.status)).toEqual(methods.map(() => status));
    expect(upstream.seen).toHaveLength(status === 200 ? methods.length : 0);
  });

  it('says so in JSON', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const { json } = await call(`${url}/spark/v1/x`, { headers: { Origin: 'https://evil.example' }, bare: true });

    expect(json.D).toMatchObject({ Success: false, Code: 403, Error: 'cross_site' });
  });

  it('pass from the origins that the application names, and then from no other', async () => {
    const upstream = await startUpstream();
    const origins = ['https://Other.example.com/'];
    const { url } = await startProxy({ target: upstream.url, proxy: { origins } });
    const from = (Origin: string) => call(`${url}/spark/v1/x`, { headers: { Origin }, bare: true });

    expect((await from('https://other.example.com')).status).toBe(200);
    expect((await from(ORIGIN)).status).toBe(403);
  });

  describe('from programs, which say neither', () => {
    // A browser asks first before it sends such a header to another site, and nobody answers it.
    it.each([
      ['GET', {}, 200],
      ['POST', {}, 403],
      ['POST', { 'X-Requested-With': 'program' }, 200],
      ['DELETE', { 'x-requested-with': 'program' }, 200],
      ['POST', { 'X-Requested-With': 'program', Origin: 'https://evil.example' }, 403],
      ['POST', { 'X-Requested-With': 'program', 'Sec-Fetch-Site': 'cross-site' }, 403],
    ])('need the required header for unsafe methods: %s with %j', async (method, headers, status) => {
      const upstream = await startUpstream();
      const { url } = await startProxy({ target: upstream.url, proxy: { requireHeader: 'X-Requested-With' } });

      expect((await call(`${url}/spark/v1/x`, { method, headers, bare: true })).status).toBe(status);
    });
  });

  it.each([
    [{}, 'Set requireHeader for programs'],
    [{ requireHeader: 'X-Requested-With' }, 'must send the header x-requested-with'],
  ])('tell a program what to send, with %j', async (proxy, advice) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy });

    const { json } = await call(`${url}/spark/v1/x`, { method: 'POST', bare: true });

    expect(json.D.Message).toContain(advice);
    expect(json.D.Message).toContain('Sec-Fetch-Site');
  });

  // Form posts need no permission: an overridden GET must not count as a read.
  it('count as unsafe when the method is overridden', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const headers = {
      'X-HTTP-Method-Override': 'GET',
      'Content-Type': 'application/x-www-form-urlencoded',
    };

    const reply = await call(`${url}/spark/v1/x`, { method: 'POST', headers, body: 'a=b', bare: true });

    expect(reply.status).toBe(403);
  });
});
