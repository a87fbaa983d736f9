import { rawCall, type Seen, startProxy, startUpstream } from './support.js';

/** Sends these header lines, and answers what arrived at the API. */
async function sent(lines: readonly string[], requestLine = 'GET /spark/v1/listings'): Promise<Seen | undefined> {
  const upstream = await startUpstream();
  const { url } = await startProxy({ target: upstream.url });
  const head = [`${requestLine} HTTP/1.1`, 'Host: app.example.com', 'Sec-Fetch-Site: same-origin', ...lines];
  if (!lines.some((line) => /^connection:/i.test(line))) head.push('Connection: close');
  await rawCall(url, `${head.join('\r\n')}\r\n\r\n`);
  return upstream.seen[0];
}

describe('request headers', () => {
  it.each([
    // The session's cookie is the application's secret.
    'Cookie: connect.sid=secret',
    'Cookie2: secret',
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Trailer: X-Sum',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQAAP__',
    'Proxy-Authorization: Basic c2VjcmV0',
    'Proxy-Connection: keep-alive',
    'Proxy-Anything: x',
    // Where the browser is, or claims to be, is not the API's business, and some servers believe it.
    'Forwarded: for=10.0.0.1',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: http',
    'X-Forwarded-Whatever: x',
    'X-Real-IP: 127.0.0.1',
    'X-Forwarded: for=127.0.0.1',
    'Client-IP: 127.0.0.1',
    'True-Client-IP: 127.0.0.1',
    'X-Client-IP: 127.0.0.1',
    'Via: 1.1 proxy',
    'Origin: https://app.example.com',
    'Referer: https://app.example.com/secret/page?code=x',
    // CGI-like servers fold these into the names with dashes.
    'X_Forwarded_For: 127.0.0.1',
    'X_SparkApi_User_Agent: Evil/1.0',
    'Content_Length: 5',
    '_: x',
    // With these some servers take another path than that of the request line.
    'X-Original-URL: /v1/oauth2/grant',
    'X-Rewrite-URL: /v1/oauth2/grant',
    // With these Rack takes the client for its front server.
    'X-Sendfile-Type: X-Accel-Redirect',
    'X-Accel-Mapping: /=/protected/',
  ])('never sends up %s', async (line) => {
    const seen = await sent([line]);

    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    expect(seen?.target).toBe('/v1/listings');
    expect(Object.keys(seen?.headers ?? {})).not.toContain(name);
  });

  it.each([
    'Accept: application/json',
    'Accept-Encoding: gzip, br',
    'Accept-Language: en',
    'If-None-Match: "x"',
    'Range: bytes=0-1',
    'User-Agent: Browser/1.0',
    'X-Request-Id-Chain: abc',
  ])('sends up %s', async (line) => {
    const seen = await sent([line]);

    expect(seen?.rawHeaders.join('\n')).toContain(line.replace(': ', '\n'));
  });

  // What a refusal says decides whether the token is renewed, and browsers accept what Node 20 can't read.
  it.each([
    ['gzip, deflate, br, zstd', 'gzip, deflate, br'],
    ['zstd;q=1.0, BR;q=0.8 , x-gzip', 'BR;q=0.8 , x-gzip'],
    ['zstd', 'identity'],
    ['*', 'identity'],
  ])('sends up codings that it can read itself: of %s %s', async (accepted, expected) => {
    const seen = await sent([`Accept-Encoding: ${accepted}`]);

    expect(seen?.headers['accept-encoding']).toBe(expected);
  });

  it("brings the session's token and the application's user agent, whatever the client brings", async () => {
    const seen = await sent([
      'Authorization: OAuth mine',
      'AUTHORIZATION: Bearer mine-too',
      'X-SparkApi-User-Agent: Evil/1.0',
    ]);

    const values = (name: string) =>
      seen?.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === name);
    expect(values('authorization')).toEqual(['OAuth agent-0']);
    expect(values('x-sparkapi-user-agent')).toEqual(['TestApp/1.0']);
  });

  // A proxy that applies `Connection` to the headers it adds itself lets a client strip the credentials, or the limits.
  it('keeps the token where Connection names it', async () => {
    const seen = await sent(['Connection: close, Authorization, x-sparkapi-user-agent, Host']);

    expect(seen?.headers).toMatchObject({ authorization: 'OAuth agent-0', 'x-sparkapi-user-agent': 'TestApp/1.0' });
  });

  it('drops every header that Connection names', async () => {
    const seen = await sent(['Connection: close, X-Foo', 'X-Foo: 1', 'Connection: x-bar', 'X-Bar: 1', 'X-Baz: 1']);

    expect(seen?.headers).not.toHaveProperty('x-foo');
    expect(seen?.headers).not.toHaveProperty('x-bar');
    expect(seen?.headers).toMatchObject({ 'x-baz': '1' });
  });

  it("names the API as the host, never the client's Host", async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    await rawCall(url, 'GET /spark/v1/x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');

    expect(upstream.seen[0]?.headers.host).toBe(new URL(upstream.url).host);
  });

  it.each([
    ['two', ['Host: app.example.com', 'Host: evil.example']],
    ['one with a port and a path', ['Host: evil.example:99999/x?y#z']],
    ['one with two names', ['Host: app.example.com, evil.example']],
    ['an empty one', ['Host:']],
    ['one that is named by Connection', ['Host: evil.example', 'Connection: close, Host']],
  ])('names the API as the host, once, whatever Host there is: %s', async (_kind, lines) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    await rawCall(url, `GET /spark/v1/x HTTP/1.1\r\n${['Connection: close', ...lines].join('\r\n')}\r\n\r\n`);

    const { rawHeaders = [] } = upstream.seen[0] ?? {};
    expect(rawHeaders.filter((_, i) => rawHeaders[i - 1]?.toLowerCase() === 'host')).toEqual([
      new URL(upstream.url).host,
    ]);
  });

  it('must have a Host', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(url, 'GET /spark/v1/x HTTP/1.1\r\nConnection: close\r\n\r\n');

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.seen).toEqual([]);
  });

  it('keeps bytes above ASCII in a header as they are', async () => {
    const seen = await sent(['X-Name: Jos\xe9']);

    expect(seen?.headers['x-name']).toBe('Jos\xe9');
  });
});
