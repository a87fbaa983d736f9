import { BEARER_UPSTREAM } from '../../src/http-authorization.js';
import type { UpstreamProfile } from '../../src/platform.js';
import { call, startProxy, startUpstream } from './support.js';

/** An API that answers the first token so, and every other with 200. */
async function startRefusing(profile: UpstreamProfile, status: number, headers: Record<string, string>, body = '') {
  const upstream = await startUpstream((seen, _req, res) => {
    if (seen.headers.authorization === 'Bearer agent-0') res.writeHead(status, headers).end(body);
    else res.end('{}');
  });
  return { upstream, ...(await startProxy({ target: upstream.url, tokens: { upstream: profile } })) };
}

describe('an API that takes bearer tokens', () => {
  it.each([
    'Bearer error="invalid_token"',
    'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
    'bearer error=invalid_token',
    'Basic realm="x", Bearer realm="say \\"no\\", please", error="invalid_token"',
    'Bearer scope="a,b",error = "invalid_token"',
  ])('says that the token has expired with %s', async (challenge) => {
    const { upstream, url, renewals } = await startRefusing(BEARER_UPSTREAM, 401, { 'WWW-Authenticate': challenge });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(renewals()).toBe(1);
    expect(upstream.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer agent-0', 'Bearer agent-1']);
  });

  it.each([
    'Bearer',
    'Bearer error="insufficient_scope"',
    'Bearer error="invalid_token_type"',
    'Bearer realm="error=invalid_token"',
    'Bearer realm="x, error=\\"invalid_token\\""',
    'Bearer realm="x", Digest error="invalid_token"',
    'NotBearer error="invalid_token"',
    'Digest realm="Bearer error=invalid_token"',
  ])('says something else with %s', async (challenge) => {
    const { url, renewals } = await startRefusing(BEARER_UPSTREAM, 401, { 'WWW-Authenticate': challenge });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(401);
    expect(renewals()).toBe(0);
  });

  it('gets errors of the proxy in the form of the standard', async () => {
    const { url } = await startRefusing(BEARER_UPSTREAM, 401, {});

    const reply = await call(`${url}/spark/../v1/x`);

    expect(reply.json).toEqual({ error: expect.any(String), error_description: expect.any(String) });
  });
});

describe('an API that says so with another status', () => {
  const profile: UpstreamProfile = {
    ...BEARER_UPSTREAM,
    expiredStatuses: [400, 401],
    isExpired: (_challenge, body) => body.includes('invalid_grant'),
  };

  it('is asked again with a renewed token', async () => {
    const { url, renewals } = await startRefusing(profile, 400, {}, '{"error":"invalid_grant"}');

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(renewals()).toBe(1);
  });

  it('has its other answers of that status passed on whole', async () => {
    const { url, renewals } = await startRefusing(profile, 400, { 'X-Why': 'name' }, '{"error":"bad name"}');

    const reply = await call(`${url}/spark/v1/x`);

    expect(reply).toMatchObject({ status: 400, json: { error: 'bad name' }, headers: { 'x-why': 'name' } });
    expect(renewals()).toBe(0);
  });
});
