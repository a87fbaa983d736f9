import { call, startUpstream } from '../proxy/support.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import {
  cookieOf,
  disconnect,
  MAX_AGE_MS,
  OLD_SECRET,
  type Road,
  SECRET,
  type StoreName,
  startWorld,
  type World,
  type WorldOptions,
} from './roads.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

interface Case {
  readonly name: string;
  readonly stores?: readonly StoreName[];
  readonly session?: WorldOptions['session'];
  /** Of the request, beside its `Cookie`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Prepares the world; answers the request's `Cookie`, if it has one. */
  readonly arrange: (world: World) => Promise<string | undefined> | string | undefined;
  readonly status: number;
  readonly code?: string;
  /** Calls of the session store. */
  readonly calls?: readonly string[];
  readonly setCookie?: RegExp;
  /** Looks at what was left behind. */
  readonly after?: (world: World) => Promise<unknown>;
  readonly left?: unknown;
}

/** Ann is signed in, and the request brings this cookie. */
function signedIn(cookie: string): Case['arrange'] {
  return async (world) => {
    await world.signIn('ann');
    return cookie;
  };
}

/** The link in Ann's session is of somebody else, and its cookie is for https. */
async function foreignInSecureCookie(world: World): Promise<string> {
  const foreign = (session: { cookie: object }): unknown =>
    Object.assign(session, { passport: { user: 'bob' }, kept: 1, cookie: { ...session.cookie, secure: true } });
  keys.set(world, await world.signIn('ann', foreign));
  return cookieOf('ann');
}

const SIGN_IN = 'sign_in_required';

const CASES: readonly Case[] = [
  {
    name: 'a person who is signed in',
    arrange: signedIn(cookieOf('ann')),
    status: 200,
    calls: ['get ann', 'touch ann 60'],
  },
  { name: 'no cookie', arrange: () => undefined, status: 401, code: SIGN_IN, calls: [] },
  { name: 'only a foreign cookie', arrange: () => 'other=connect.sid', status: 401, code: SIGN_IN, calls: [] },
  {
    name: 'a forged signature',
    arrange: signedIn(cookieOf('ann', 'guessed')),
    status: 401,
    code: SIGN_IN,
    calls: [],
  },
  {
    name: 'the signature of another id',
    arrange: async (world) => {
      await world.signIn('ann');
      return cookieOf('bob').replace('bob', 'ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: [],
  },
  {
    name: 'an id without a signature',
    arrange: signedIn('connect.sid=ann'),
    status: 401,
    code: SIGN_IN,
    calls: [],
  },
  {
    name: 'an id that is marked as signed, and is not',
    arrange: signedIn('connect.sid=s%3Aann'),
    status: 401,
    code: SIGN_IN,
    calls: [],
  },
  {
    name: 'a signature under an empty id',
    arrange: () => cookieOf(''),
    status: 401,
    code: SIGN_IN,
    calls: [],
  },
  {
    name: 'the second secret',
    arrange: signedIn(cookieOf('ann', OLD_SECRET)),
    status: 200,
    calls: ['get ann', 'touch ann 60'],
  },
  {
    name: 'one secret alone',
    session: { secret: SECRET },
    arrange: signedIn(cookieOf('ann')),
    status: 200,
  },
  {
    name: 'a cookie of another name',
    session: { name: 'sid' },
    arrange: signedIn(`${cookieOf('bob')}; ${cookieOf('ann', SECRET, 'sid')}`),
    status: 200,
    calls: ['get ann', 'touch ann 60'],
  },
  {
    name: 'a cookie name under its old option',
    session: { key: 'sid' },
    arrange: signedIn(cookieOf('ann', SECRET, 'sid')),
    status: 200,
  },
  {
    name: 'a cookie in quotes',
    arrange: signedIn(cookieOf('ann').replace(/=(.*)$/, '="$1"')),
    status: 200,
  },
  {
    name: 'two session cookies, of which the first counts',
    arrange: async (world) => {
      await world.signIn('ann');
      await world.signIn('bob');
      return `a=b; ${cookieOf('bob')}; ${cookieOf('ann')}`;
    },
    status: 200,
    calls: ['get bob', 'touch bob 60'],
  },
  {
    name: 'a session that is not there',
    arrange: () => cookieOf('gone'),
    status: 401,
    code: SIGN_IN,
    calls: ['get gone'],
  },
  {
    name: 'a session that was destroyed',
    arrange: async (world) => {
      await world.signIn('ann');
      await new Promise((resolve) => world.store.destroy('ann', resolve));
      world.calls.length = 0;
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: ['get ann'],
    after: (world) => world.stored('ann'),
    left: undefined,
  },
  {
    name: 'a session whose time has run out',
    stores: ['memory'],
    arrange: async (world) => {
      await world.signIn('ann', ({ cookie }) => Object.assign(cookie, { expires: new Date(Date.now() - 1_000) }));
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
  },
  {
    name: 'a session whose time has run out',
    stores: ['redis'],
    arrange: async (world) => {
      await world.signIn('ann');
      await redisOf(world).pexpire(keyOf(world, 'ann'), 1);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
  },
  {
    // connect-redis' touch extends the TTL alone: the stored date is that of the last save.
    name: 'a session that lives, though the date stored with it has passed',
    stores: ['redis'],
    arrange: async (world) => {
      await world.signIn('ann');
      const past = new Date(Date.now() - 1_000).toISOString();
      const data = { ...(await world.stored('ann')), cookie: { originalMaxAge: MAX_AGE_MS, expires: past, path: '/' } };
      await redisOf(world).set(keyOf(world, 'ann'), JSON.stringify(data), 'PX', 5_000);
      return cookieOf('ann');
    },
    status: 200,
    calls: ['get ann', 'touch ann 60'],
    after: async (world) => Math.round((await redisOf(world).pttl(keyOf(world, 'ann'))) / 10_000),
    left: 6,
  },
  {
    name: 'a session whose TTL slides',
    stores: ['redis'],
    arrange: async (world) => {
      await world.signIn('ann');
      await redisOf(world).pexpire(keyOf(world, 'ann'), 5_000);
      return cookieOf('ann');
    },
    status: 200,
    after: async (world) => Math.round((await redisOf(world).pttl(keyOf(world, 'ann'))) / 10_000),
    left: 6,
  },
  {
    name: 'a session without an end of its own',
    session: { cookie: {} },
    arrange: async (world) => {
      await world.signIn('ann', (session) => {
        session.cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' } as never;
      });
      return cookieOf('ann');
    },
    status: 200,
    calls: ['get ann', 'touch ann no end'],
  },
  {
    name: 'a person who signed in elsewhere, with no link to tokens',
    arrange: async (world) => {
      await world.signIn('ann', (session) => delete session.spark);
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: ['get ann', 'touch ann 60'],
  },
  {
    name: 'a session with nobody in it',
    arrange: async (world) => {
      await world.signIn('ann', (session) => {
        delete session.spark;
        delete session.passport;
      });
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: ['get ann', 'touch ann 60'],
  },
  {
    // Sign-in with keepSessionInfo leaves the link of the person before in the session.
    name: "another user's link",
    arrange: async (world) => {
      keys.set(
        world,
        await world.signIn('ann', (session) => Object.assign(session, { passport: { user: 'bob' }, kept: 1 })),
      );
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: ['get ann', 'set ann 60'],
    setCookie: /^connect\.sid=s%3Aann\.[^;]+; Path=\/; Expires=; HttpOnly$/,
    after: leftOfForeign,
    left: { spark: undefined, kept: 1, record: undefined },
  },
  {
    name: "another user's link, in a cookie for https on a plain connection",
    session: { cookie: { maxAge: MAX_AGE_MS, secure: true } },
    arrange: foreignInSecureCookie,
    status: 401,
    code: SIGN_IN,
    calls: ['get ann', 'set ann 60'],
    after: leftOfForeign,
    left: { spark: undefined, kept: 1, record: undefined },
  },
  {
    name: "another user's link, in a cookie for https behind a proxy that has it",
    session: { cookie: { maxAge: MAX_AGE_MS, secure: true }, proxy: true },
    headers: { 'x-forwarded-proto': 'https, http' },
    arrange: foreignInSecureCookie,
    status: 401,
    code: SIGN_IN,
    setCookie: /^connect\.sid=s%3Aann\.[^;]+; Path=\/; Expires=; HttpOnly; Secure$/,
  },
  {
    name: "another user's link, in a cookie for https where nobody is a proxy who says so",
    session: { cookie: { maxAge: MAX_AGE_MS, secure: true }, proxy: false },
    headers: { 'x-forwarded-proto': 'https' },
    arrange: foreignInSecureCookie,
    status: 401,
    code: SIGN_IN,
  },
  {
    name: 'a link after sign-out with keepSessionInfo, in a session without an end',
    session: { cookie: {} },
    arrange: async (world) => {
      const signedOut = (session: Record<string, unknown>): void => {
        delete session.passport;
        session.kept = 1;
        session.cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' };
      };
      keys.set(world, await world.signIn('ann', signedOut as never));
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
    calls: ['get ann', 'set ann no end'],
    after: leftOfForeign,
    left: { spark: undefined, kept: 1, record: undefined },
  },
  {
    name: 'a store that has lost its server',
    arrange: async (world) => {
      await world.signIn('ann');
      disconnect(world.store);
      return cookieOf('ann');
    },
    status: 503,
    code: 'no_session',
    calls: [],
  },
  {
    name: 'a store that has found its server again',
    arrange: async (world) => {
      await world.signIn('ann');
      disconnect(world.store);
      (world.store as unknown as NodeJS.EventEmitter).emit('connect');
      return cookieOf('ann');
    },
    status: 200,
  },
  {
    name: "a session that can't be touched",
    arrange: async (world) => {
      await world.signIn('ann');
      Object.assign(world.store, {
        touch: (_id: string, _session: object, done: (error: Error) => void) => done(new Error('away')),
      });
      return cookieOf('ann');
    },
    status: 200,
  },
  {
    name: 'a store that says of a session that it has no such file',
    arrange: (world) => {
      Object.assign(world.store, {
        get: (_id: string, done: (error: Error) => void) =>
          done(Object.assign(new Error('no file'), { code: 'ENOENT' })),
      });
      return cookieOf('ann');
    },
    status: 401,
    code: SIGN_IN,
  },
  {
    name: 'a cookie path that covers the proxy',
    session: { cookie: { path: '/spark' } },
    arrange: signedIn(cookieOf('ann')),
    status: 200,
  },
  {
    name: 'a cookie path that does not cover the proxy',
    session: { cookie: { path: '/admin' } },
    arrange: signedIn(cookieOf('ann')),
    status: 503,
    code: 'no_session',
    calls: [],
  },
  {
    name: 'a cookie path by request',
    session: { cookie: (req) => ({ path: req.headers['x-none'] === undefined ? '/admin' : '/' }) },
    arrange: signedIn(cookieOf('ann')),
    status: 503,
    code: 'no_session',
  },
];

const keys = new WeakMap<World, string>();

async function leftOfForeign(world: World): Promise<unknown> {
  const { spark, kept } = ((await world.stored('ann')) ?? {}) as Record<string, unknown>;
  return { spark, kept, record: await world.tokens.peek(keys.get(world) ?? '') };
}

function redisOf(_world: World): ReturnType<RedisServer['connect']> {
  return client;
}

function keyOf({ store }: World, id: string): string {
  return `${(store as unknown as { prefix: string }).prefix}${id}`;
}

let client: ReturnType<RedisServer['connect']>;
beforeAll(() => {
  client = server.connect();
});

const TABLE = CASES.flatMap((one) =>
  (one.stores ?? (['memory', 'redis'] as const)).map((storeName) => [storeName, one.name, one] as const),
);

/** What a request came to, on one road. */
async function outcome(road: Road, storeName: StoreName, one: Case): Promise<Record<string, unknown>> {
  const upstream = await startUpstream();
  const options = {
    road,
    storeName,
    redis: client,
    upstream: upstream.url,
    ...(one.session ? { session: one.session } : {}),
  };
  const world = await startWorld(options);
  const cookie = await one.arrange(world);
  const reply = await call(`${world.url}/spark/v1/listings`, {
    headers: { ...one.headers, ...(cookie === undefined ? {} : { cookie }) },
  });
  await new Promise((resolve) => setTimeout(resolve, 20)); // what nobody waits for
  return {
    status: reply.status,
    code: reply.json.D?.Error,
    headers: Object.keys(reply.headers).sort(),
    // Without the date, which may be another in the next run.
    setCookie: reply.headers['set-cookie']?.map((cookie) => cookie.replace(/ Expires=[^;]+GMT;/, ' Expires=;')),
    token: upstream.seen[0]?.headers.authorization,
    calls: world.calls,
    left: await one.after?.(world),
  };
}

describe('the express lane and the slow road', () => {
  it.each(TABLE)('answer the same, with sessions in %s: %s', async (storeName, _name, one) => {
    const slow = await outcome('slow', storeName, one);
    const lane = await outcome('lane', storeName, one);

    expect(lane).toEqual(slow);
    expect(lane).toMatchObject({ status: one.status, code: one.code, left: one.left });
    if (one.calls) expect(lane.calls).toEqual(one.calls);
    expect(lane.setCookie).toEqual(one.setCookie ? [expect.stringMatching(one.setCookie)] : undefined);
  });
});
