import { CALLBACK, startEmulator } from './start.js';

describe('grants()', () => {
  it('tells what each grant request said and got, in order, and filters by type', async () => {
    const spark = await startEmulator();
    const before = spark.clock.now();
    const first = await spark.tokensOf('agent');
    const second = await spark.tokens({
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      redirect_uri: CALLBACK,
    });
    await spark.grant({ grant_type: 'refresh_token', refresh_token: first.refresh_token });
    await spark.grant({ grant_type: 'authorization_code', code: 'c', redirect_uri: CALLBACK });

    expect(spark.grants().map((grant) => grant.type)).toEqual([
      'password',
      'refresh_token',
      'refresh_token',
      'authorization_code',
    ]);
    expect(spark.grants('refresh_token')).toMatchObject([
      {
        type: 'refresh_token',
        clientId: 'emulator-client',
        redirectURI: CALLBACK,
        refreshToken: first.refresh_token,
        code: null,
        person: 'agent',
        issued: { accessToken: second.access_token, refreshToken: second.refresh_token },
        status: 200,
        error: null,
        fault: null,
      },
      { redirectURI: null, person: null, issued: null, status: 400, error: 'invalid_grant' },
    ]);
    expect(spark.grants('authorization_code')).toMatchObject([{ code: 'c', error: 'invalid_grant' }]);
    expect(spark.grants()[0]?.at).toBeGreaterThanOrEqual(before);
    expect(spark.grants()[0]?.headers['content-type']).toBe('application/json');
  });

  it('never tells a client secret or a password', async () => {
    const spark = await startEmulator({
      people: [{ username: 'agent', password: 'pass-phrase', roles: ['private'] }],
    });
    await spark.grant({ grant_type: 'password', username: 'agent', password: 'pass-phrase' });

    const text = JSON.stringify(spark.grants());

    expect(text).not.toContain('emulator-secret');
    expect(text).not.toContain('pass-phrase');
  });

  it('hands out copies', async () => {
    const spark = await startEmulator();
    spark.delayNextGrant(40);
    const answer = spark.tokensOf('agent');
    while (spark.grants().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

    const meanwhile = spark.grants();
    await answer;

    expect(meanwhile).toMatchObject([{ status: null, answeredAt: null }]);
    meanwhile.pop();
    expect(spark.grants()).toMatchObject([{ status: 200 }]);
    expect(spark.grants()[0]?.answeredAt).toBeGreaterThanOrEqual((meanwhile[0]?.at ?? 0) + 30);
  });
});

describe('requests()', () => {
  it('tells each API request as it arrived, refused ones too, and nothing else', async () => {
    const spark = await startEmulator();
    const { access_token } = await spark.tokensOf('agent');
    await spark.get('/oauth2?client_id=emulator-client');

    await spark.call('/v1/echo?a=%27%2B&b', access_token, {
      method: 'POST',
      headers: { 'X-Example': 'One' },
      body: 'abc',
    });
    await spark.get('/Reso/OData/Property');
    await spark.get(`/v1/oauth2/token/${access_token}`, { method: 'DELETE' });

    expect(spark.requests()).toMatchObject([
      { method: 'POST', url: '/v1/echo?a=%27%2B&b', status: 200, bodyLength: 3, headers: { 'x-example': 'One' } },
      { method: 'GET', url: '/Reso/OData/Property', status: 401, bodyLength: 0 },
      { method: 'DELETE', url: `/v1/oauth2/token/${access_token}`, status: 200 },
    ]);
    expect(spark.requests()[0]?.rawHeaders).toEqual(expect.arrayContaining(['X-Example', 'One']));
  });

  it('goes by the emulator’s time', async () => {
    const spark = await startEmulator();
    spark.clock.advance(3_600_000);

    await spark.get('/v1/system');

    expect(spark.requests()[0]?.at).toBeGreaterThanOrEqual(Date.now() + 3_590_000);
  });
});

it('clear() forgets the log and nothing else', async () => {
  const spark = await startEmulator();
  const { access_token } = await spark.tokensOf('agent');
  await spark.get('/v1/system');

  spark.clear();

  expect([spark.grants(), spark.requests()]).toEqual([[], []]);
  expect((await spark.call('/v1/system', access_token)).status).toBe(200);
});
