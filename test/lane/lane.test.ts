import { RedisStore } from 'connect-redis';
import express from 'express';
import session, { MemoryStore, type SessionOptions } from 'express-session';
import { Redis } from 'ioredis';
import { Passport } from 'passport';
import { createSparkEmulator } from '../../src/emulator/index.js';
import { ConfigError, type ExpressLaneOptions, SparkStrategy, sparkProxy } from '../../src/index.js';
import { call, startUpstream } from '../proxy/support.js';
import { CLIENT } from '../support/app.js';
import { startRedis } from '../support/redis.js';
import { serve } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { cookieOf, SECRET, startWorld, type World, type WorldOptions } from './roads.js';

const NO_REDIS = new Redis({ lazyConnect: true });

async function laneWorld(options: Partial<WorldOptions> = {}): Promise<World> {
  const { url: upstream } = await startUpstream();
  return await startWorld({ road: 'lane', storeName: 'memory', redis: NO_REDIS, upstream, ...options });
}

interface Refused {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

describe('the express lane, while the session store is away', () => {
  it.each([
    ['says so', (_id: string, done: (error: Error) => void) => done(new Error('connection lost'))],
    [
      'throws',
      () => {
        throw new Error('connection lost');
      },
    ],
    ['rejects', async () => await Promise.reject(new Error('connection lost'))],
    ['never answers', () => undefined],
  ])('answers 503 and never 401 when it %s', async (_how, get) => {
    const world = await laneWorld();
    await world.signIn('ann');
    Object.assign(world.store, { get });

    const reply = await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } });

    expect(reply.status).toBe(503);
    expect(reply.headers['retry-after']).toBe('1');
    expect(reply.json.D.Error).toBe('session_store_unavailable');
    expect(reply.body.toString()).not.toContain('connection lost');
    expect(world.errors.map(({ message }) => message)).toEqual(['The session store did not answer.']);
  });

  it('answers 503 for a session that nobody can read', async () => {
    const world = await laneWorld();
    Object.assign(world.store, { get: (_id: string, done: (error: null, data: object) => void) => done(null, {}) });

    const reply = await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } });

    expect([reply.status, reply.json.D.Error]).toEqual([503, 'session_unreadable']);
  });

  it('answers 503 when Redis is lost, and 200 when it is back', async () => {
    const server = await startRedis();
    const redis = server.connect();
    const { url: upstream } = await startUpstream();
    const world = await startWorld({ road: 'lane', storeName: 'redis', redis, upstream });
    await world.signIn('ann');
    const status = async (): Promise<number> =>
      (await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } })).status;

    const before = await status();
    redis.disconnect();
    const lost = await status();
    await redis.connect();
    const back = await status();
    await server.stop();

    expect([before, lost, back]).toEqual([200, 503, 200]);
  });

  it.each([
    ['by its callback', (_id: string, _session: object, done: (error: Error) => void): void => done(new Error('away'))],
    ['by a promise', async (): Promise<void> => Promise.reject(new Error('away'))],
    [
      'at once',
      (): void => {
        throw new Error('away');
      },
    ],
  ])('tells onError of a touch that failed %s, and answers all the same', async (_how, touch) => {
    const world = await laneWorld();
    await world.signIn('ann');
    Object.assign(world.store, { touch });

    const reply = await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } });

    expect(reply.status).toBe(200);
    expect(world.errors.map(({ message }) => message)).toEqual(['The session store did not answer.']);
  });
});

describe('a request that a rule refuses', () => {
  it.each([
    ['another site', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
    ['a path that is none', { path: '/spark/v1/../x' }, 400],
    ['a method that does not pass', { method: 'PURGE' }, 405],
  ])(
    'asks the store nothing: %s',
    async (_what, { path = '/spark/v1/listings', method = 'GET', headers }: Refused, status) => {
      const world = await laneWorld();
      await world.signIn('ann');

      const reply = await call(`${world.url}${path}`, { method, headers: { cookie: cookieOf('ann'), ...headers } });

      expect(reply.status).toBe(status);
      expect(world.calls).toEqual([]);
    },
  );
});

describe('authorize in the express lane', () => {
  it.each([
    [true, 200, undefined],
    [false, 403, 'not_authorized'],
    [Promise.resolve(true), 200, undefined],
    [Promise.resolve(false), 403, 'not_authorized'],
    ['yes' as never, 403, 'not_authorized'],
  ])('that answers %p makes it %i', async (answer, status, code) => {
    const seen: unknown[] = [];
    const authorize: WorldOptions['authorize'] = (found) => {
      seen.push((found as unknown as { passport: unknown }).passport);
      return answer;
    };
    const world = await laneWorld({ authorize });
    await world.signIn('ann');

    const reply = await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } });

    expect([reply.status, reply.json.D?.Error]).toEqual([status, code]);
    expect(seen).toEqual([{ user: 'ann' }]);
  });

  it('is asked about nobody who is not signed in', async () => {
    const authorize = jest.fn(() => true);
    const world = await laneWorld({ authorize });

    expect((await call(`${world.url}/spark/v1/listings`, { headers: { cookie: cookieOf('ann') } })).status).toBe(401);
    expect(authorize).not.toHaveBeenCalled();
  });
});

describe('the options of the express lane', () => {
  const strategy = new SparkStrategy(
    { ...CLIENT, callbackURL: 'https://app.example.com/auth/spark/callback' },
    (_accessToken, _refreshToken, profile, done) => done(null, profile),
  );
  const good: SessionOptions = { store: new MemoryStore(), secret: SECRET, resave: false, saveUninitialized: false };
  const problemsOf = (options: object, more: object = {}): readonly string[] => {
    try {
      sparkProxy({ strategy, session: { ...good, ...options }, ...more } as unknown as ExpressLaneOptions);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  };

  it.each([
    [{ rolling: true }, 'session.rolling'],
    [{ resave: true }, 'session.resave'],
    [{ resave: undefined }, 'session.resave'],
    [{ saveUninitialized: true }, 'session.saveUninitialized'],
    [{ saveUninitialized: undefined }, 'session.saveUninitialized'],
    [{ store: undefined }, 'session.store'],
    [{ store: {} }, 'session.store'],
    [{ secret: undefined }, 'session.secret'],
    [{ secret: '' }, 'session.secret'],
    [{ secret: [] }, 'session.secret'],
    [{ secret: ['good', ''] }, 'session.secret'],
    [{ genid: 'uuid' }, 'session.genid'],
    [{ cookie: { path: 'spark' } }, 'session.cookie.path'],
    [{ cookie: { path: '' } }, 'session.cookie.path'],
  ])('refuse %j', (options, name) => {
    expect(problemsOf(options)).toEqual([expect.stringContaining(`"${name}"`)]);
  });

  it.each([
    [{}],
    [{ genid: () => 'id' }],
    [{ rolling: false, unset: 'destroy', proxy: true, name: 'sid' }],
    [{ secret: [SECRET, Buffer.from('old')] }],
    [{ cookie: { path: '/', secure: 'auto', sameSite: 'lax', maxAge: 1 } }],
  ])('take %j', (options) => {
    expect(problemsOf(options)).toEqual([]);
  });

  it('go with a strategy, and not with keys of an office', () => {
    expect(problemsOf({}, { strategy: undefined, tokens: strategy.tokens, target: 'https://sparkapi.com' })).toEqual([
      expect.stringContaining('"session" needs "strategy"'),
    ]);
    expect(problemsOf({}, { tokenKey: () => 'office' })).toEqual([expect.stringContaining('leave one of them out')]);
    expect(problemsOf({}, { public: true })).toEqual([expect.stringContaining('leave one of them out')]);
    expect(problemsOf({}, { authorize: 'everybody' })).toEqual([expect.stringContaining('"authorize"')]);
    expect(() => sparkProxy({ strategy, session: 'secret' } as never)).toThrow('"session" is not an object');
  });
});

describe('the express lane in an application', () => {
  it.each([
    ['before session()', 'lane first'],
    ['after session(), which it then leaves to it', 'session first'],
  ])('serves people who sign in, mounted %s', async (_where, order) => {
    const redis = await startRedis();
    const spark = await createSparkEmulator().listen(0);
    try {
      const passport = new Passport();
      passport.serializeUser((user, done) => done(null, user));
      passport.deserializeUser((user: Express.User, done) => done(null, user));
      const app = express();
      const { url } = await serve(app);
      const strategy = new SparkStrategy(
        { ...CLIENT, callbackURL: `${url}/auth/spark/callback`, platformURL: spark.url, apiURL: spark.url },
        (_accessToken, _refreshToken, profile, done) => done(null, { id: profile.id }),
      );
      passport.use(strategy);
      const options = {
        store: new RedisStore({ client: redis.connect() }),
        secret: SECRET,
        resave: false,
        saveUninitialized: false,
        cookie: { maxAge: 60_000 },
      };
      if (order === 'session first') app.use(session(options));
      app.use('/spark', sparkProxy({ strategy, session: options, authorize: ({ spark: link }) => link !== undefined }));
      if (order === 'lane first') app.use(session(options));
      app.use(passport.session());
      app.get('/sign-out', (req, res, next) => {
        strategy.signOut(req).then(() => res.json({}), next);
      });
      app.use(passport.authenticate('spark'));
      app.use((_req, res) => {
        res.json({});
      });
      const person = new Visitor(url);
      expect((await person.call('/spark/v1/my/account')).status).toBe(401);

      await person.signIn();
      expect((await person.call('/spark/v1/my/account')).body.D.Success).toBe(true);
      spark.expireAllAccessTokens();
      expect((await person.call('/spark/v1/my/account')).body.D.Success).toBe(true);
      expect(spark.grants('refresh_token')).toHaveLength(1);

      await person.page('/sign-out');
      expect((await person.call('/spark/v1/my/account')).status).toBe(401);
    } finally {
      await spark.close();
      await redis.stop();
    }
  });
});
