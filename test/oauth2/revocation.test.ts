import { clientBasic } from '../../src/http-authorization.js';
import { MemoryTokenStore, SparkError } from '../../src/index.js';
import { errorOf } from './start.js';
import { startStub } from './stub.js';

const TOKENS = { accessToken: 'the-access-token', refreshToken: 'the-refresh-token' };

describe('a revocation', () => {
  it('sends the refresh token, with which the access tokens end, and says which kind it is', async () => {
    const { url, asked, clientOf } = await startStub(() => ({ body: '' }));

    await clientOf({ revocationURL: `${url}/revoke?tenant=one` }).tokens.revoke(TOKENS);

    expect(asked).toMatchObject([{ path: '/revoke?tenant=one', method: 'POST', authorization: undefined }]);
    expect(asked[0]?.form).toEqual({
      token: 'the-refresh-token',
      token_type_hint: 'refresh_token',
      client_id: 'app',
      client_secret: 'app-secret',
    });
  });

  it('sends the access token where there is no other, and the client where its token requests have it', async () => {
    const { url, asked, clientOf } = await startStub(() => ({ body: '' }));
    const client = clientOf({ revocationURL: `${url}/revoke`, clientAuthentication: 'basic' });

    await client.tokens.revoke({ accessToken: 'the-access-token' });

    expect(asked).toMatchObject([{ authorization: clientBasic('app', 'app-secret') }]);
    expect(asked[0]?.form).toEqual({ token: 'the-access-token', token_type_hint: 'access_token' });
  });

  it('of a public client says who it is', async () => {
    const { url, asked, clientOf } = await startStub(() => ({ body: '' }));

    await clientOf({ revocationURL: `${url}/revoke`, clientSecret: undefined }).tokens.revoke(TOKENS);

    expect(asked[0]?.form).toMatchObject({ token: 'the-refresh-token', client_id: 'app' });
  });

  it.each([
    [503, { 'retry-after': '7' }],
    [400, {}],
    [401, {}],
    [404, {}],
    [307, { location: '/elsewhere' }],
  ])('has failed where the server answers %i', async (status, headers) => {
    const { url, asked, clientOf } = await startStub(() => ({
      status,
      headers,
      body: '{"error":"the-refresh-token"}',
    }));

    const error = await errorOf(clientOf({ revocationURL: `${url}/revoke` }).tokens.revoke(TOKENS));

    expect(error).toBeInstanceOf(SparkError);
    expect(error).toMatchObject({ code: 'revocation_failed', status: 502 });
    expect(String((error as Error).cause)).not.toContain('the-refresh-token');
    expect(asked).toHaveLength(1);
  });

  it('asks nothing of a server whose address for it is not known', async () => {
    const { asked, clientOf } = await startStub();

    await clientOf().tokens.revoke(TOKENS);

    expect(asked).toEqual([]);
  });
});

// Whoever signs a person out while their tokens are renewed has removed the old ones: the new ones are nobody's.
it('ends the tokens of a renewal during which they were removed', async () => {
  const tokenStore = new MemoryTokenStore();
  let removed: Promise<unknown> | undefined;
  const stub = await startStub(async ({ path }) => {
    if (path !== '/token') return { body: '' };
    removed = client.tokens.removeAdopted('ada');
    await removed;
    return { body: '{"access_token":"new access","refresh_token":"new refresh"}' };
  });
  const client = stub.clientOf({ revocationURL: `${stub.url}/revoke`, tokenStore });
  await client.tokens.adopt('ada', { ...TOKENS, lifetimeMs: 0 });

  expect(await errorOf(client.accessToken('ada'))).toMatchObject({ code: 'sign_in_required' });

  expect(await removed).toMatchObject(TOKENS);
  expect(stub.asked.map(({ path, form }) => [path, form.token])).toEqual([
    ['/token', undefined],
    ['/revoke', 'new refresh'],
  ]);
});
