import { CALLBACK, startEmulator } from './start.js';

/** The whole way of an application, from the sign-in to a call with renewed tokens; run on Express 4 and on 5. */
export function tour(): void {
  const query = `response_type=code&client_id=emulator-client&redirect_uri=${encodeURIComponent(CALLBACK)}&state=s%201`;

  it.each([
    ['an agent', '/oauth2', 'agent', '/v1/my/account'],
    ['a consumer of a portal', '/auth/vow/myportal', 'consumer', '/v1/my/contact'],
    ['a consumer who picks the portal', '/auth/vow', 'consumer', '/v1/my/contact'],
  ])('signs in %s, calls the API, expires, renews and calls again', async (_who, endpoint, username, path) => {
    const spark = await startEmulator();

    const callback = await spark.signIn(`${endpoint}?${query}`, username);
    expect(callback.origin + callback.pathname).toBe(CALLBACK);
    expect(callback.searchParams.get('state')).toBe('s 1');
    const code = callback.searchParams.get('code') ?? '';
    const first = await spark.tokens({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK });
    expect((await spark.call(path, first.access_token)).status).toBe(200);

    spark.clock.advance(86_400_000);
    expect((await spark.call(path, first.access_token)).status).toBe(401);
    const second = await spark.tokens({ grant_type: 'refresh_token', refresh_token: first.refresh_token });
    expect((await spark.call(path, second.access_token)).status).toBe(200);

    expect(spark.grants().map((grant) => [grant.type, grant.person, grant.status])).toEqual([
      ['authorization_code', username, 200],
      ['refresh_token', username, 200],
    ]);
    expect(spark.requests().map((request) => request.status)).toEqual([200, 401, 200]);
  });

  it('signs in an agent by the hybrid flow', async () => {
    const spark = await startEmulator();
    const hybrid = new URLSearchParams({
      'openid.mode': 'checkid_setup',
      'openid.return_to': CALLBACK,
      'openid.spark.client_id': 'emulator-client',
      'openid.spark.combined_flow': 'true',
      'openid.spark.state': 's 1',
    });

    const callback = await spark.signIn(`/openid?${hybrid}`, 'agent');
    expect(callback.searchParams.get('openid.mode')).toBe('id_res');
    expect(callback.searchParams.get('openid.spark.state')).toBe('s 1');
    const code = callback.searchParams.get('openid.spark.code') ?? '';
    const tokens = await spark.tokens({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK });
    expect((await spark.call('/v1/my/account', tokens.access_token)).status).toBe(200);
  });

  it.each([
    ['/v1/listings/20240101000000000000000000', 404],
    ["/Reso/OData/Property('20240101000000000000000000')", 404],
    ['/v1/nothing', 404],
    ['/v1/listings/%E0%A4%A', 400],
    ['/v1/echo/%E0%A4%A?x=%', 200],
    ['/v1/listings?_limit=2', 200],
    ['/Reso/OData/Property', 200],
    ['/v1/standardfields/City', 200],
  ])('answers %s with %i', async (path, status) => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');

    expect((await spark.call(path, access_token)).status).toBe(status);
  });

  it('opens the controls when it is told to', async () => {
    const spark = await startEmulator({ controls: true });

    const answer = await spark.get('/_emulator/clock', {
      method: 'POST',
      body: '{"advanceMs":-1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(400);
    expect((await spark.get('/_emulator/grants')).status).toBe(200);
  });
}
