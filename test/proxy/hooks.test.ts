import type { HeaderEditor, SparkProxyOptions } from '../../src/index.js';
import { call, startProxy, startUpstream, type TestProxyOptions } from './support.js';

async function proxyWith(proxy: Partial<SparkProxyOptions>, more: Partial<TestProxyOptions> = {}) {
  const upstream = await startUpstream((_seen, _req, res) =>
    res
      .writeHead(200, {
        'Content-Type': 'application/json',
        'X-Two': ['a', 'b'],
        'Cache-Control': 'max-age=60',
        'Set-Cookie': 'a=b',
      })
      .end('{}'),
  );
  return { upstream, ...(await startProxy({ target: upstream.url, proxy, ...more })) };
}

describe('onRequest', () => {
  it('edits the headers that go up', async () => {
    const { url, upstream } = await proxyWith({
      onRequest: (headers, req) => {
        headers.set('X-Added', `${req.method} ${headers.get('x-asked')}`);
        headers.append('x-asked', 'twice');
        headers.delete('X-Unwanted');
      },
    });

    await call(`${url}/spark/v1/listings`, { headers: { 'X-Asked': 'once', 'X-Unwanted': '1' } });

    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-added': 'GET once', 'x-asked': 'once, twice' });
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-unwanted');
  });

  it('is waited for', async () => {
    const { url, upstream } = await proxyWith({
      onRequest: async (headers) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        headers.set('X-Late', 'yes');
      },
    });

    await call(`${url}/spark/v1/listings`, { method: 'POST', body: 'body' });

    expect(upstream.seen[0]).toMatchObject({ headers: { 'x-late': 'yes' }, body: Buffer.from('body') });
  });

  // A hook that a request's data can steer must not become a way to the token, or around the rules.
  it('never sees the access token, and takes nothing of the proxy away', async () => {
    let seen: (string | undefined)[] = [];
    const { url, upstream } = await proxyWith({
      onRequest: (headers, req) => {
        seen = [...headers.names(), ...headers.names().map((name) => headers.get(name)), ...req.rawHeaders];
        expect(headers.delete('Authorization')).toBe(false);
        expect(headers.delete('X-SparkApi-User-Agent')).toBe(false);
        expect(headers.has('Cookie')).toBe(false);
      },
    });

    await call(`${url}/spark/v1/listings`, { headers: { Authorization: 'Basic of-the-browser', Cookie: 'a=b' } });

    expect(seen.join('\n')).not.toContain('agent-0');
    expect(upstream.seen[0]?.headers).toMatchObject({
      authorization: 'OAuth agent-0',
      'x-sparkapi-user-agent': 'TestApp/1.0',
    });
  });

  it.each([
    ['Authorization', 'OAuth other'],
    ['cookie', 'a=b'],
    ['Host', 'evil.example'],
    ['Content-Length', '30303'],
    ['Transfer-Encoding', 'chunked'],
    ['Connection', 'smuggled'],
    ['X-Forwarded-For', '203.0.113.7'],
    ['X_Any', 'smuggled'],
    ['X-HTTP-Method-Override', 'GET'],
    ['X-SparkApi-User-Agent', 'other'],
    ['X-Fine', 'a\r\nInjected: b'],
    ['X Bad', 'smuggled'],
  ])('can not set %s: %j', async (name, value) => {
    const thrown: unknown[] = [];
    const attempt = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        thrown.push((error as Error).name);
      }
    };
    const { url, upstream } = await proxyWith({
      onRequest: (headers) => {
        attempt(() => headers.set(name, value));
        attempt(() => headers.append(name, value));
      },
    });

    const reply = await call(`${url}/spark/v1/listings`);

    expect(thrown).toEqual(['TypeError', 'TypeError']);
    expect(reply.status).toBe(200);
    expect(upstream.seen[0]?.rawHeaders.join('\n')).not.toContain(value);
  });

  it('that throws keeps the request from going up, and leaves the answer to the application', async () => {
    const { url, upstream, errors } = await proxyWith({
      onRequest: () => {
        throw new Error('hook');
      },
    });

    expect((await call(`${url}/spark/v1/listings`)).status).toBe(500);
    expect(upstream.seen).toEqual([]);
    expect(errors.map(({ message }) => message)).toEqual(['hook']);
  });
});

describe('onResponse', () => {
  it('edits the headers that come back', async () => {
    const { url } = await proxyWith({
      onResponse: (headers, req, status) => {
        headers.set('X-Added', `${req.method} ${status} ${headers.get('X-Two')}`);
        headers.delete('x-two');
        headers.set('Cache-Control', 'no-store');
      },
    });

    const { headers } = await call(`${url}/spark/v1/listings`);

    expect(headers).toMatchObject({ 'x-added': 'GET 200 a, b', 'cache-control': 'no-store' });
    expect(headers).not.toHaveProperty('x-two');
  });

  it('takes nothing of the proxy away, and makes nothing public', async () => {
    const { url } = await proxyWith({
      onResponse: (headers) => {
        for (const name of headers.names()) headers.delete(name);
        headers.set('Cache-Control', 'public, max-age=9');
      },
    });

    const { headers } = await call(`${url}/spark/v1/listings`);

    expect(headers).toMatchObject({
      'cache-control': 'private, max-age=9',
      vary: 'Cookie',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
    });
  });

  it.each([
    'Set-Cookie',
    'Access-Control-Allow-Origin',
    'content-security-policy',
    'Content-Length',
    'Connection',
    'Alt-Svc',
  ])('can not set %s', async (name) => {
    let thrown: unknown;
    const { url } = await proxyWith({
      onResponse: (headers) => {
        try {
          headers.set(name, '1');
        } catch (error) {
          thrown = error;
        }
      },
    });

    const reply = await call(`${url}/spark/v1/listings`);

    expect(thrown).toEqual(new TypeError(`The header ${name} is set, or kept out, by sparkProxy.`));
    expect(reply.headers[name.toLowerCase()]).not.toBe('1');
    expect(reply.body.toString()).toBe('{}');
  });

  it('is told of an answer of 401 that stands', async () => {
    const statuses: number[] = [];
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(401).end('{"D":{"Code":1000}}'));
    const onResponse = (_headers: HeaderEditor, _req: unknown, status: number): unknown => statuses.push(status);
    const { url } = await startProxy({ target: upstream.url, proxy: { onResponse: onResponse as never } });

    expect((await call(`${url}/spark/v1/listings`)).status).toBe(401);
    expect(statuses).toEqual([401]);
  });

  it('that throws leaves the answer to the application, and the connection in order', async () => {
    let fail = true;
    const { url, errors } = await proxyWith({
      onResponse: () => {
        if (fail) throw new Error('hook');
      },
    });

    const first = await call(`${url}/spark/v1/listings`);
    fail = false;
    const second = await call(`${url}/spark/v1/listings`);

    expect([first.status, second.status]).toEqual([500, 200]);
    expect(errors.map(({ message }) => message)).toEqual(['hook']);
  });

  it('has no effect when it comes too late', async () => {
    let kept: HeaderEditor | undefined;
    const { url } = await proxyWith({
      onResponse: (headers) => {
        kept = headers;
      },
    });

    await call(`${url}/spark/v1/listings`);

    expect(() => kept?.set('X-Late', 'yes')).toThrow('edit them before the hook is done');
  });
});

describe('onResponse that is async', () => {
  it.each([
    ['ends well', async () => undefined],
    ['rejects', async () => Promise.reject(new Error('no'))],
  ])('is refused, and ends no process where it %s', async (_what, answer) => {
    const { url } = await proxyWith({ onResponse: answer as () => void });

    const { status, json } = await call(`${url}/spark/v1/listings`);

    expect(status).toBe(500);
    expect(json.D).toMatchObject({ Error: 'config', Message: expect.stringContaining('leave out async') });
  });
});

// A reporter that is away itself.
it('an onError that rejects ends no process, and what it says is warned of', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
  const { url } = await proxyWith({ onError: async () => Promise.reject(new Error('the reporter is away')) });

  const { status } = await call(`${url}/spark/v1/oauth2`);

  expect(status).toBe(403);
  expect(warn.mock.calls).toEqual([
    [expect.stringContaining('the reporter is away'), expect.objectContaining({ code: 'SPARK_ON_ERROR' })],
  ]);
  warn.mockRestore();
});
