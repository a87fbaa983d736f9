import { createSparkCloudEmulator, type SparkCloudEmulatorHandle } from '../../src/emulator/index.js';

let cloud: SparkCloudEmulatorHandle;

beforeEach(async () => {
  cloud = await createSparkCloudEmulator().listen(0);
});

afterEach(async () => {
  await cloud.close();
});

const ACCOUNT = btoa('maker@example.com:spark');

async function listTokens(authorization: string): Promise<number> {
  return (await fetch(`${cloud.url}/v1/access_tokens`, { headers: { authorization } })).status;
}

async function signIn(): Promise<{ username: string; auth_token: { token: string; expires_at: string } }> {
  const response = await fetch(`${cloud.url}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'maker@example.com', password: 'spark' }),
  });
  return (await response.json()) as Awaited<ReturnType<typeof signIn>>;
}

async function accessToken(authToken: string): Promise<{ access_token: string; access_token_expires_at: string }> {
  const response = await fetch(`${cloud.url}/access-token`, { headers: { authorization: `Bearer ${authToken}` } });
  return (await response.json()) as Awaited<ReturnType<typeof accessToken>>;
}

describe('the emulator of the Spark Core cloud', () => {
  // The last question of vendor document 004 was why its request was refused.
  it.each([
    ['Basic', 200],
    ['BASIC', 401],
    ['basic', 401],
  ])('takes the scheme of HTTP Basic letter by letter: %s', async (scheme, status) => {
    expect(await listTokens(`${scheme} ${ACCOUNT}`)).toBe(status);
  });

  it("takes the account's name and password there, and not the client's", async () => {
    expect(await listTokens(`Basic ${btoa('particle-api:particle-api')}`)).toBe(401);
  });

  it.each([
    ['', 403, 'mfa_required'],
    ['?otp=000000', 403, 'invalid_otp'],
    ['?otp=123456', 200, undefined],
  ])('asks an account with a second factor for its one-time code there: %j', async (query, status, error) => {
    const headers = { authorization: `Basic ${btoa('careful@example.com:spark')}` };
    const answer = async (method: string, path: string) => {
      const response = await fetch(`${cloud.url}${path}${query}`, { method, headers });
      return [response.status, ((await response.json()) as { error?: string }).error];
    };

    expect(await answer('GET', '/v1/access_tokens')).toEqual([status, error]);
    expect(await answer('DELETE', '/v1/access_tokens/none')).toEqual(
      status === 200 ? [404, 'token_not_found'] : [status, error],
    );
  });

  it('answers a sign-in as the vendor document shows it', async () => {
    const { username, auth_token } = await signIn();
    const answer = await accessToken(auth_token.token);

    expect(username).toBe('maker@example.com');
    expect(auth_token.token).toMatch(/^[\w-]{20}$/);
    expect(auth_token.expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(answer.access_token_expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
  });

  it('gives the same access token while it lives', async () => {
    const { auth_token } = await signIn();
    const first = await accessToken(auth_token.token);
    expect(await accessToken(auth_token.token)).toEqual(first);
    cloud.expireAccessTokens('maker@example.com');

    expect((await accessToken(auth_token.token)).access_token).not.toBe(first.access_token);
    expect(cloud.grants('access-token')).toHaveLength(3);
  });

  it('ends tokens with its clock', async () => {
    const { auth_token } = await signIn();
    const { access_token } = await accessToken(auth_token.token);
    const devices = async () =>
      (await fetch(`${cloud.url}/v1/devices`, { headers: { authorization: `Bearer ${access_token}` } })).status;
    expect(await devices()).toBe(200);
    cloud.clock.advance(91 * 24 * 3_600_000);

    expect(await devices()).toBe(400);
  });

  it('says what is wrong with its options, all at once', () => {
    const options = { account: [], badTokenStatus: 403, expiresIn: 0, refreshTokens: 'false' } as object;

    expect(() => createSparkCloudEmulator(options)).toThrow(
      /"account".*\n.*"expiresIn".*\n.*"refreshTokens" must be true or false; it was "false".*\n.*"badTokenStatus"/,
    );
  });
});
