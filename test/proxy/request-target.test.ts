import { rawCall, startProxy, startUpstream } from './support.js';

/** Raw bytes in, because client libraries tidy targets up. */
async function send(url: string, target: string): Promise<string> {
  return await rawCall(
    url,
    `GET ${target} HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n`,
  );
}

describe('the request target', () => {
  it.each([
    "/Reso/OData/Property('123')",
    "/Version/3/Reso/OData/Property('123')/Media?$filter=ListPrice%20gt%201&$select=A,B&$top=5",
    "/v1/listings?_filter=City%20Eq%20'Fargo'%20And%20(BedsTotal%20Ge%203)",
    '/v1/listings?_filter=City%20Eq%20%27Fargo%27',
    '/v1/listings?_orderby=%2BListPrice,-BedsTotal',
    '/v1/listings?a="b"&c={d}|e^f`g[h]<i>',
    '/v1/listings?q=a+b%20c%2bd',
    '/v1/listings?',
    '/v1/listings?&&a&=b&&',
    '/v1/%C3%A9t%c3%a9',
    "/v1/a,b;c=d(e)$f*g!h~i@j:k'l",
  ])('goes up byte for byte: %s', async (target) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await send(url, `/spark${target}`);

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen.map((seen) => seen.target)).toEqual([target]);
  });

  // Each of these has made some server leave the path that a proxy in front of it had checked.
  it.each([
    ['/spark/v1/../oauth2/grant', 400],
    ['/spark/v1/%2e%2e/oauth2/grant', 400],
    ['/spark/v1/%2E./oauth2/grant', 400],
    ['/spark/v1/..%2foauth2/grant', 400],
    ['/spark/v1/..;/oauth2/grant', 400],
    ['/spark/v1/..;x/oauth2/grant', 400],
    ['/spark/v1/;/session', 400],
    ['/spark/v1/%252e%252e/oauth2', 400],
    ['/spark/v1/%c0%ae%c0%ae/oauth2', 400],
    ['/spark//v1/oauth2/grant', 400],
    ['/spark//evil.example/v1/listings', 400],
    ['/spark/v1//oauth2/grant', 400],
    ['/spark/v1\\..\\oauth2', 400],
    ['/spark/v1%5coauth2', 400],
    ['/spark/v1%2foauth2', 400],
    ['/spark/v1/x%00', 400],
    ['/spark/v1/x#/../oauth2', 400],
    ['/spark/v1/x\u0001', 400],
    ['/spark/V1/OAuth2/grant', 403],
    ['/spark/v1/Session', 403],
    ['/spark/v1/listings?AuthToken=x', 400],
    ['/spark/v1/listings?ApiUser=x', 400],
  ])('never goes up: %j', async (target, status) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await send(url, target);

    expect(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])).toBe(status);
    expect(upstream.seen).toEqual([]);
  });

  // Decoded on the way, it would end the request line, and go on with headers of the attacker's.
  it.each([
    ['/v1/listings?q=%0d%0aX-Evil:%201', 200],
    ['/v1/listings?q=%0aX-Evil:%201', 200],
    ['/v1/listings?q=%0D%0A%0D%0AGET%20/v1/hidden%20HTTP/1.1', 200],
    ['/v1/listings%0d%0aX-Evil:%201', 400],
    ['/v1/listings%0aX-Evil:%201', 400],
  ])('never makes a header of what is encoded in it: %s', async (target, status) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await send(url, `/spark${target}`);

    expect(answer.startsWith(`HTTP/1.1 ${status} `)).toBe(true);
    expect(upstream.seen.map((seen) => seen.target)).toEqual(status === 200 ? [target] : []);
    expect(upstream.seen[0]?.headers ?? {}).not.toHaveProperty('x-evil');
  });

  // A proxy that believes absolute-form calls whatever server the client names, with a token.
  it('never names another server', async () => {
    const upstream = await startUpstream();
    const elsewhere = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await send(url, `${elsewhere.url}/spark/v1/listings`);

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect([...upstream.seen, ...elsewhere.seen]).toEqual([]);
  });

  it('may act for another person only where the application says so', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy: { impersonation: true } });

    const answer = await send(url, '/spark/v1/listings?ApiUser=20');

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen[0]?.target).toBe('/v1/listings?ApiUser=20');
  });
});
