import type { Express } from 'express';
import { CloudGrants } from '../../src/cloud/grants.js';
import { CloudError, SparkCloudStrategy } from '../../src/cloud/index.js';
import { parseCloudOptions } from '../../src/cloud/options.js';
import { errorOf } from '../oauth2/start.js';
import { serve } from '../support/server.js';
import { addressesOf, CAREFUL, type CloudVisitor, MAKER, startCloud, startCloudApp } from './support.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

async function callMany(person: CloudVisitor, times: number): Promise<number[]> {
  const replies = await Promise.all(Array.from({ length: times }, () => person.call('/v1/devices')));
  return replies.map(({ status }) => status);
}

describe.each([400, 401] as const)('a cloud that answers a bad token with %i', (badTokenStatus) => {
  it.each([
    ['oauth', 'refresh_token'],
    ['session', 'access-token'],
  ] as const)('is asked again with a renewed token, unseen, way %s', async (way, renewal) => {
    const { cloud, visitor } = await startCloudApp({ way, cloud: { badTokenStatus } });
    const person = visitor();
    await person.signIn();
    cloud.clear();
    cloud.expireAccessTokens();

    expect(await callMany(person, 20)).toEqual(Array(20).fill(200));
    expect((await person.agent.get('/devices')).body).toHaveLength(2);
    expect(cloud.grants().map(({ type }) => type)).toEqual([renewal]);
    const good = cloud.requests().filter(({ status }) => status === 200);
    expect(new Set(good.map(({ authorization }) => authorization)).size).toBe(1);
  });

  it('lists the devices with a renewed token', async () => {
    const { cloud, visitor } = await startCloudApp({ cloud: { badTokenStatus } });
    const person = visitor();
    await person.signIn();
    cloud.expireAccessTokens();

    expect((await person.agent.get('/devices')).body).toHaveLength(2);
    expect(cloud.grants('refresh_token')).toHaveLength(1);
  });
});

// It was «The name or the password is not right», of a password that nobody had sent.
describe('a list of devices that the cloud refuses', () => {
  const told = (app: Express, strategy: SparkCloudStrategy): void => {
    app.get('/told', (req, res) => {
      strategy.listDevices(req).then(
        (devices) => res.json(devices),
        ({ name, status, code, message }) => res.status(status).json({ name, code, message }),
      );
    });
  };

  it.each([
    ['as the standard has it', { status: 401, error: 'invalid_token' }],
    ['in a word of its own', { status: 401, error: 'unauthorized' }],
    ['without a word', { status: 401 }],
  ])('with 401, %s: is asked for with a renewed token, and then for a new sign-in', async (_how, fault) => {
    const { cloud, visitor } = await startCloudApp({ routes: told });
    const person = visitor();
    await person.signIn();

    cloud.failNextCall(fault);
    expect((await person.agent.get('/told')).body).toHaveLength(2);
    expect(cloud.grants('refresh_token')).toHaveLength(1);

    const other = visitor();
    await other.signIn();
    cloud.failNextCall(fault, 2);
    const { status, body } = await other.agent.get('/told');
    expect([status, body.name, body.code]).toEqual([401, 'SignInRequiredError', 'sign_in_required']);
    expect(body.message).not.toMatch(/password/i);
  });

  it.each([
    [403, 'access_denied', 'forbidden', 403],
    [403, undefined, 'forbidden', 403],
    [429, undefined, 'rate_limited', 429],
    [400, 'unauthorized', 'cloud_failed', 502],
    [404, undefined, 'cloud_failed', 502],
  ])('with %i %s: is %s', async (status, error, code, answered) => {
    const { cloud, visitor } = await startCloudApp({ routes: told });
    const person = visitor();
    await person.signIn();
    cloud.failNextCall({ status, error });

    const reply = await person.agent.get('/told');

    expect([reply.status, reply.body.code]).toEqual([answered, code]);
    expect(reply.body.message).not.toMatch(/password/i);
    expect(cloud.grants('refresh_token')).toEqual([]);
  });
});

describe("calls through the proxy with the session's token", () => {
  it('are answered as the cloud answers them', async () => {
    const { visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();

    const devices = await person.call('/v1/devices');
    const missing = await person.call('/v1/devices/nothing');

    expect(devices.body[0]).toEqual({
      id: '0123456789abcdef01234567',
      name: 'greenhouse',
      last_app: null,
      last_heard: '2026-01-15T08:30:00.000Z',
      connected: true,
    });
    expect(missing).toMatchObject({ status: 404, body: { error: 'device_not_found' } });
  });

  it("renew nothing for a 400 that is the caller's own mistake", async () => {
    const { cloud, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();
    cloud.failNextCall({ status: 400, error: 'invalid_name' });

    expect(await person.call('/v1/devices')).toMatchObject({ status: 400, body: { error: 'invalid_name' } });
    expect(cloud.grants('refresh_token')).toEqual([]);
  });

  it.each(['/v1/access_tokens', '/oauth/token', '/V1/Access_Tokens/x', '/sign-in', '/access-token'])(
    'never reach what deals in tokens: %s',
    async (path) => {
      const { cloud, visitor } = await startCloudApp();
      const person = visitor();
      await person.signIn();
      cloud.clear();

      expect((await person.call(path)).status).toBe(403);
      expect([cloud.requests(), cloud.grants()]).toEqual([[], []]);
    },
  );

  it('end with the sign-out', async () => {
    const { visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();
    await person.agent.post('/logout');

    expect((await person.call('/v1/devices')).status).toBe(401);
  });

  it('go on for each of two people with their own token', async () => {
    const accounts = ['a', 'b'].map((name) => ({
      username: `${name}@example.com`,
      password: name,
      devices: [{ id: '0'.repeat(24), name, last_app: null, last_heard: null, connected: false }],
    }));
    const { cloud, visitor } = await startCloudApp({ cloud: { accounts } });
    const people = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const person = visitor();
        await person.signIn({ username: `${name}@example.com`, password: name });
        return { name, person };
      }),
    );
    cloud.expireAccessTokens();

    for (const { name, person } of people) expect((await person.call('/v1/devices')).body).toMatchObject([{ name }]);
  });
});

describe('when a sign-in ends', () => {
  it('the auth token has to live for a renewal, way session', async () => {
    const { cloud, visitor } = await startCloudApp({ way: 'session' });
    const person = visitor();
    await person.signIn();
    cloud.expireAuthTokens();
    expect(await callMany(person, 1)).toEqual([200]);
    cloud.expireAccessTokens();

    expect(await person.call('/v1/devices')).toMatchObject({ status: 401, body: { error: 'sign_in_required' } });
    await person.signIn();
    expect(await callMany(person, 1)).toEqual([200]);
  });

  it('a refresh token that the cloud ended asks for a new sign-in', async () => {
    const { cloud, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();
    cloud.expireRefreshTokens();
    cloud.expireAccessTokens();

    expect(await person.call('/v1/devices')).toMatchObject({ status: 401, body: { error: 'sign_in_required' } });
  });

  it('so does an access token without anything to renew it, as in 2014', async () => {
    const { cloud, visitor } = await startCloudApp({ cloud: { refreshTokens: false } });
    const person = visitor();
    await person.signIn();
    expect(await callMany(person, 1)).toEqual([200]);
    cloud.expireAccessTokens();

    expect(await callMany(person, 1)).toEqual([401]);
    expect((await person.agent.get('/devices')).status).toBe(401);
  });

  it('a cloud that is away for a while ends nothing', async () => {
    const { cloud, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();
    cloud.expireAccessTokens();
    cloud.failNextGrant({ status: 503 });

    const away = await person.call('/v1/devices');
    expect(away).toMatchObject({ status: 503, body: { error: 'renewal_failed' } });
    await new Promise((resolve) => setTimeout(resolve, (Number(away.headers['retry-after']) + 1) * 1_000));

    expect(await callMany(person, 1)).toEqual([200]);
  });
});

describe('the lifetime of an access token', () => {
  it.each([
    ['oauth', { expiresIn: 3600 }, 3_600_000],
    ['session', { expiresIn: 3600 }, 3_600_000],
    ['oauth', {}, 90 * DAY_MS],
    ['session', {}, 90 * DAY_MS],
  ] as const)('is read from what the cloud says, way %s', async (way, options, lifetimeMs) => {
    const { grants } = await startGrants(way, options);
    const { tokens } = await grants.signIn(MAKER.username, MAKER.password);

    expect(Math.abs((tokens.lifetimeMs ?? 0) - lifetimeMs)).toBeLessThanOrEqual(1_000);
  });

  // Dates count by the clock of who wrote them: ours may be wrong by hours.
  it('does not depend on our clock, way session', async () => {
    const { cloud, grants } = await startGrants('session', { expiresIn: 3600 });
    cloud.clock.advance(7 * DAY_MS);

    const { tokens } = await grants.signIn(MAKER.username, MAKER.password);

    expect(Math.abs((tokens.lifetimeMs ?? 0) - 3_600_000)).toBeLessThanOrEqual(1_000);
  });

  it('an auth token that has expired is a typed error', async () => {
    const { cloud, grants } = await startGrants('session', {});
    const { tokens } = await grants.signIn(MAKER.username, MAKER.password);
    cloud.expireAuthTokens();

    const error = await errorOf(grants.accessToken(tokens.refreshToken ?? ''));

    expect(error).toBeInstanceOf(CloudError);
    expect(error).toMatchObject({ code: 'auth_token_expired', status: 401 });
  });

  async function startGrants(way: 'oauth' | 'session', options: object) {
    const cloud = await startCloud(options);
    return { cloud, grants: new CloudGrants(parseCloudOptions(addressesOf(cloud, way), undefined)) };
  }
});

describe("an account's tokens", () => {
  it('are listed with the e-mail address and password of the account, and revoked one by one', async () => {
    const { cloud, strategy, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn();
    await visitor().signIn();

    const tokens = await strategy.listTokens(MAKER);
    expect(tokens).toEqual(
      Array(2).fill({
        token: expect.stringMatching(/^[0-9a-f]{40}$/),
        expires_at: expect.any(String),
        client: 'particle-api',
      }),
    );
    expect(cloud.requests().at(-1)?.authorization).toBe(`Basic ${btoa(`${MAKER.username}:${MAKER.password}`)}`);

    await strategy.revokeToken(tokens[0]?.token ?? '', MAKER);
    expect(await strategy.listTokens(MAKER)).toEqual([tokens[1]]);
    expect(await errorOf(strategy.revokeToken(tokens[0]?.token ?? '', MAKER))).toMatchObject({
      code: 'token_not_found',
    });
  });

  it('are revoked when the cloud says so, and not because it answers', async () => {
    const { url } = await serve((_req, res) => res.end('{"ok":false}'));
    const strategy = new SparkCloudStrategy({ apiURL: url });
    expect(await errorOf(strategy.revokeToken('token', MAKER))).toMatchObject({ code: 'cloud_failed' });
  });

  it.each([
    ['wrong_password', { ...MAKER, password: 'wrong' }, 0],
    ['unknown_account', { username: 'x@example.com', password: 'x' }, 0],
    ['rate_limited', MAKER, 429],
    ['cloud_failed', MAKER, 500],
  ])('are not told: %s', async (code, credentials, status) => {
    const cloud = await startCloud({ revealsAccounts: true });
    const strategy = new SparkCloudStrategy(addressesOf(cloud, 'oauth'));
    if (status) cloud.failNextCall({ status });

    expect(await errorOf(strategy.listTokens(credentials))).toMatchObject({ code });
  });

  it('are told of an account with a second factor with its one-time code, and revoked with it', async () => {
    const { cloud, strategy, visitor } = await startCloudApp();
    const person = visitor();
    await person.signIn(CAREFUL);
    await person.signIn({ otp: '123456' });

    for (const otp of [undefined, '']) {
      const error = await errorOf(strategy.listTokens({ ...CAREFUL, otp }));
      expect(error).toBeInstanceOf(CloudError);
      expect(error).toMatchObject({ code: 'otp_required', status: 401 });
    }
    expect(await errorOf(strategy.listTokens({ ...CAREFUL, otp: '000 & 000' }))).toMatchObject({ code: 'wrong_otp' });

    const account = { ...CAREFUL, otp: '123456' };
    const [token = { token: '' }] = await strategy.listTokens(account);
    expect(cloud.requests().at(-1)).toMatchObject({ method: 'GET', url: '/v1/access_tokens?otp=123456' });
    expect(await errorOf(strategy.revokeToken(token.token, CAREFUL))).toMatchObject({ code: 'otp_required' });
    expect(await errorOf(strategy.revokeToken(token.token, { ...CAREFUL, otp: '1' }))).toMatchObject({
      code: 'wrong_otp',
    });
    await strategy.revokeToken(token.token, account);
    expect(await strategy.listTokens(account)).toEqual([]);
  });

  it('are asked for with no one-time code where none is given', async () => {
    const { cloud, strategy } = await startCloudApp();
    await strategy.listTokens({ ...MAKER, otp: '' });

    expect(cloud.requests().map(({ url }) => url)).toEqual(['/v1/access_tokens']);
  });

  it('may belong to an account with any characters in its password', async () => {
    const account = { username: 'jörg@example.com', password: 'pä:ss wörd/+%' };
    const cloud = await startCloud({ accounts: [account] });

    expect(await new SparkCloudStrategy(addressesOf(cloud, 'oauth')).listTokens(account)).toEqual([]);
  });
});

it('an account with a second factor is renewed as any other', async () => {
  const { cloud, visitor } = await startCloudApp();
  const person = visitor();
  await person.signIn(CAREFUL);
  await person.signIn({ otp: '123456' });
  cloud.expireAccessTokens();

  expect(await callMany(person, 5)).toEqual(Array(5).fill(200));
  expect(cloud.grants().map(({ type }) => type)).toEqual(['password', 'urn:custom:mfa-otp', 'refresh_token']);
});

it('tells when a cloud that is asked too often may be asked again, though it says so with a date', async () => {
  const { url } = await serve((_req, res) => {
    res.writeHead(429, { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() }).end('{}');
  });

  const error = await errorOf(new SparkCloudStrategy({ apiURL: url }).listTokens(MAKER));

  expect(error).toMatchObject({ code: 'rate_limited', status: 429 });
  const { retryAfterMs = 0 } = error as CloudError;
  expect(retryAfterMs).toBeGreaterThan(30_000);
  expect(retryAfterMs).toBeLessThanOrEqual(60_000);
});
