import { MemoryTokenStore, RedisTokenStore } from '../../src/index.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { errorOf } from './start.js';
import { startStub } from './stub.js';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
});

const PARAMS = { audience: 'https://api.example.com/', resource: 'a b&c=d' };

/** Gets a token, and has it renewed once. */
async function renewOnce(client: { accessToken(name: string, options?: { refused: string }): Promise<string> }) {
  const refused = await client.accessToken('reports');
  await client.accessToken('reports', { refused });
}

describe('the tokens of the application', () => {
  // A process that renews is any of those that share the store: what it asks for must not depend on what it was told itself.
  it.each([
    ['in memory', () => new MemoryTokenStore()],
    ['in Redis', () => new RedisTokenStore(redis.connect())],
  ])('are asked for with the same scope and parameters each time, whoever renews them: %s', async (_where, storeOf) => {
    const { asked, clientOf } = await startStub();
    const tokenStore = storeOf();
    await clientOf({ tokenStore }).useMachineTokens('reports', { scope: ['read'], params: PARAMS });

    await renewOnce(clientOf({ tokenStore, scope: ['all', 'of', 'it'] }));

    const client = { client_id: 'app', client_secret: 'app-secret' };
    const request = { grant_type: 'client_credentials', scope: 'read', ...PARAMS, ...client };
    expect(asked.map(({ form }) => form)).toEqual([request, request]);
  });

  it.each([
    ['none by name', { scope: [] }],
    ['the default of the client, which had none', {}],
  ])('are never asked for with a wider scope than the one they were stored for: %s', async (_what, options) => {
    const { asked, clientOf } = await startStub();
    const tokenStore = new MemoryTokenStore();
    await clientOf({ tokenStore }).useMachineTokens('reports', options);

    await renewOnce(clientOf({ tokenStore, scope: ['all', 'of', 'it'] }));

    expect(asked.map(({ form }) => form.scope)).toEqual([undefined, undefined]);
  });

  it('are asked for with the scope of the client where the call names none', async () => {
    const { asked, clientOf } = await startStub();
    const client = clientOf({ scope: ['read', 'write'] });
    await client.useMachineTokens('reports');

    await client.accessToken('reports');

    expect(asked.map(({ form }) => form.scope)).toEqual(['read write']);
  });
});

it.each([['audience=x'], [{ audience: 5 }], [['audience']]])(
  'parameters that are adopted are texts: %j',
  async (params) => {
    const { clientOf } = await startStub();

    const adopted = clientOf().tokens.adopt('ada', { accessToken: 'a' }, { params: params as never });

    expect(await errorOf(adopted)).toMatchObject({ name: 'ConfigError', message: expect.stringContaining('"params"') });
  },
);

it("a person's tokens are refreshed with the parameters that they were adopted with", async () => {
  const { asked, clientOf } = await startStub();
  const client = clientOf();
  const tokens = { accessToken: 'a', refreshToken: 'r', lifetimeMs: 0 };
  await client.tokens.adopt('ada', tokens, { params: { resource: 'https://api.example.com/' } });

  await client.accessToken('ada');

  expect(asked.map(({ form }) => form)).toMatchObject([
    { grant_type: 'refresh_token', refresh_token: 'r', resource: 'https://api.example.com/' },
  ]);
});
