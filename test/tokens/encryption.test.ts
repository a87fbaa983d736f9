import { RedisTokenStore, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { startApp } from '../support/app.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { Visitor } from '../support/visitor.js';

const OLD = 'the older secret, of at least thirty-two characters';
const NEW = 'the newer secret, of at least thirty-two characters';
const TOKENS = {
  accessToken: 'access-secret',
  refreshToken: 'refresh-secret',
  lifetimeMs: 3_600_000,
  clientID: 'client',
  commitId: 'first',
};
const PREFIX = 'spark:token:';

describe('encryption at rest', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });
  beforeEach(async () => {
    await redis.connect().flushall();
  });

  const store = (encryptionKeys?: string[], more: object = {}): RedisTokenStore =>
    new RedisTokenStore(redis.connect(), { cacheMs: 0, ...(encryptionKeys ? { encryptionKeys } : {}), ...more });

  it('leaves no token in Redis to read', async () => {
    await store([NEW]).create('one', TOKENS);
    expect(JSON.stringify(await redis.connect().hgetall(`${PREFIX}one`))).not.toContain('secret');
    expect(await store([NEW]).read('one')).toMatchObject({
      accessToken: 'access-secret',
      refreshToken: 'refresh-secret',
    });
  });

  it('opens with every key that is given, and seals with the first', async () => {
    await store([OLD]).create('one', TOKENS);
    await store([NEW, OLD]).commit('one', 0, 'attempt', 'second', {
      ...TOKENS,
      accessToken: 'renewed',
      afterRefusal: false,
    });
    expect(await store([NEW]).read('one')).toMatchObject({ accessToken: 'renewed' });
    await expect(store([OLD]).read('one')).rejects.toMatchObject({ code: 'store_corrupt', status: 503 });
  });

  // Whoever can write to Redis could give one person another person's tokens.
  it('detects a record that was copied to another key', async () => {
    const client = redis.connect();
    await store([NEW]).create('one', TOKENS);
    await store([NEW]).create('two', { ...TOKENS, accessToken: 'of two' });
    await client.copy(`${PREFIX}one`, `${PREFIX}two`, 'REPLACE');
    await expect(store([NEW]).read('two')).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it('detects tokens of an earlier generation that were put back', async () => {
    const client = redis.connect();
    await store([NEW]).create('one', TOKENS);
    const first = (await client.hget(`${PREFIX}one`, 'bl')) ?? '';
    await store([NEW]).commit('one', 0, 'attempt', 'second', { ...TOKENS, afterRefusal: false });
    await client.hset(`${PREFIX}one`, 'bl', first);
    await expect(store([NEW]).read('one')).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it('detects a blob that was changed', async () => {
    const client = redis.connect();
    await store([NEW]).create('one', TOKENS);
    const blob = (await client.hget(`${PREFIX}one`, 'bl')) ?? '';
    const [header = '', iv = '', text = '', tag = ''] = blob.split('.');
    const changed = (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    await client.hset(`${PREFIX}one`, 'bl', [header, iv, changed, tag].join('.'));
    await expect(store([NEW]).read('one')).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it('takes records from before there were keys only where told so', async () => {
    await store().create('one', TOKENS);
    await expect(store([NEW]).read('one')).rejects.toMatchObject({ code: 'store_corrupt' });
    expect(await store([NEW], { allowUnencrypted: true }).read('one')).toMatchObject({ accessToken: 'access-secret' });
    await store([NEW], { allowUnencrypted: true }).commit('one', 0, 'attempt', 'second', {
      ...TOKENS,
      afterRefusal: false,
    });
    expect(JSON.stringify(await redis.connect().hgetall(`${PREFIX}one`))).not.toContain('secret');
  });

  it('keeps nobody from signing out of a record that can not be read, and in again', async () => {
    const client = redis.connect();
    const { url } = await startApp({
      strategy: { tokenStore: store([NEW]) },
      routes: (app, passport, strategy) => {
        app.post('/sign-out', (req, res, next) => {
          strategy.signOut(req, { revoke: true }).then(() => res.json({}), next);
        });
        app.use(passport.authenticate('spark'));
        app.get('/page', (_req, res) => {
          res.json({});
        });
      },
    });
    const person = new Visitor(url);
    await person.signIn('/page');
    const keys = (await client.keys(`${PREFIX}*`)).filter((key) => !key.startsWith(`${PREFIX}once:`));
    await client.hset(keys[0] ?? '', 'bl', 'no blob');
    expect((await person.page('/page')).status).toBe(503); // nobody is signed out for an error of ours

    expect((await person.agent.post('/sign-out')).status).toBe(200);

    expect(await client.exists(...keys)).toBe(0);
    expect((await person.signIn('/page')).headers.location).toBe('/page');
    expect((await person.page('/page')).status).toBe(200);
  });

  it.each([
    ['the keys were dropped', [NEW], undefined],
    ['keys were introduced', undefined, [NEW]],
    ['the key that sealed it was dropped', [OLD], [NEW]],
  ])('lets a record be removed after %s', async (_what, before, after) => {
    await store(before).create('one', TOKENS);
    const service = new TokenService({
      store: store(after),
      clientID: 'client',
      upstream: SPARK_UPSTREAM,
      renew: async () => ({ accessToken: 'never asked for' }),
    });
    await expect(service.peek('one')).rejects.toMatchObject({ code: 'store_corrupt' });

    expect(await service.remove('one')).toBeUndefined();

    expect(await redis.connect().exists(`${PREFIX}one`)).toBe(0);
  });

  it('refuses secrets that are too short', () => {
    expect(() => store(['short'])).toThrow('at least one secret of at least 32 characters');
    expect(() => store([])).toThrow('at least one secret of at least 32 characters');
  });
});
