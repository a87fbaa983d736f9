import { envelopeOf, startEmulator } from './start.js';

const CHALLENGE = "OAuth realm='Flexmls API'";

describe('access to the API', () => {
  it.each(['OAuth', 'oauth', 'OAUTH', 'Bearer', 'bearer'])('is given with the scheme %s', async (scheme) => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');

    const answer = await spark.get('/v1/system', { headers: { authorization: `${scheme} ${access_token}` } });

    expect(answer.status).toBe(200);
  });

  it.each([
    ['no header', undefined],
    ['another scheme', 'Basic YTpi'],
    ['a scheme without a token', 'OAuth '],
    ['an unknown token', 'OAuth 0000000000000000000000000'],
  ])('is refused with code 1000 and no word of expiry for %s', async (_case, authorization) => {
    const spark = await startEmulator();

    const answer = await spark.get('/v1/system', { headers: authorization === undefined ? {} : { authorization } });

    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(CHALLENGE);
    expect(await envelopeOf(answer)).toMatchObject({ Success: false, Code: 1000 });
  });

  it('is refused before it is told whether the resource exists', async () => {
    const spark = await startEmulator();

    expect((await spark.get('/v1/nothing')).status).toBe(401);
  });

  it.each([
    ['agent', '/v1/my/account', 200],
    ['agent', '/v1/contacts', 200],
    ['agent', '/v1/my/contact', 1100],
    ['consumer', '/v1/my/contact', 200],
    ['consumer', '/v1/my/account', 1500],
    ['consumer', '/v1/contacts', 1500],
    ['agent', '/v1/listings', 200],
    ['consumer', '/v1/listings', 200],
  ])('depends on the role: %s at %s gets %i', async (username, path, expected) => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf(username);

    const answer = await spark.call(path, access_token);

    expect(answer.status).toBe(expected === 200 ? 200 : 403);
    expect((await envelopeOf(answer)).Code ?? 200).toBe(expected);
  });

  it('gives an IDX key the account but not the address book', async () => {
    const spark = await startEmulator({
      clients: [{ id: 'emulator-client', secret: 'emulator-secret', redirectURIs: [], roles: ['idx'] }],
    });
    const { access_token } = await spark.tokensOf('agent');

    expect((await spark.call('/v1/my/account', access_token)).status).toBe(200);
    expect((await spark.call('/v1/contacts', access_token)).status).toBe(403);
  });

  it('needs X-SparkApi-User-Agent when that is asked of the emulator', async () => {
    const spark = await startEmulator({ requireUserAgent: true });
    const { access_token } = await spark.tokensOf('agent');

    const without = await spark.call('/v1/system', access_token);
    const empty = await spark.call('/v1/system', access_token, { headers: { 'x-sparkapi-user-agent': ' ' } });
    const named = await spark.call('/v1/system', access_token, { headers: { 'x-sparkapi-user-agent': 'Test/1.0' } });

    expect([without.status, empty.status, named.status]).toEqual([400, 400, 200]);
    expect((await envelopeOf(without)).Code).toBe(1016);
  });
});

describe('every API answer', () => {
  it('has its own x-request-id and says nothing of Express', async () => {
    const spark = await startEmulator();

    const [first, second] = [await spark.get('/v1/system'), await spark.get('/v1/system')];

    expect(first.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(first.headers.get('x-request-id')).not.toBe(second.headers.get('x-request-id'));
    expect(first.headers.has('x-powered-by')).toBe(false);
    expect(first.headers.has('etag')).toBe(false);
  });

  it('is code 404 for a resource that does not exist', async () => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');

    const answer = await spark.call('/v1/nothing', access_token);

    expect(answer.status).toBe(404);
    expect(await envelopeOf(answer)).toMatchObject({ Success: false, Code: 404 });
  });

  it('is code 405 for a method that the resource does not have', async () => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');

    const answer = await spark.call('/v1/contacts', access_token, { method: 'PUT' });

    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, POST');
    expect((await envelopeOf(answer)).Code).toBe(405);
  });

  it('has no body for HEAD', async () => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');

    const answer = await spark.call('/v1/system', access_token, { method: 'HEAD' });

    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
  });

  it('is a page of HTML outside the API', async () => {
    const spark = await startEmulator();

    const answer = await spark.get('/nothing');

    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toContain('text/html');
  });
});
