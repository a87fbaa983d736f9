import type { EventEmitter } from 'node:events';
import { RedisStore } from 'connect-redis';
import { sign } from 'cookie-signature';
import express from 'express';
import session, { MemoryStore, type SessionData, type SessionOptions, type Store } from 'express-session';
import type { Redis } from 'ioredis';
import { createFastServer } from '../../src/fast-server/index.js';
import { MemoryTokenStore, sparkProxy, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { type SessionLike, writeLink } from '../../src/signin/link.js';
import { listen } from '../fast-server/support.js';

/** The slow road: express-session, then the proxy. The lane: the proxy alone, before express-session. */
export type Road = 'slow' | 'lane';
export type StoreName = 'memory' | 'redis';

export const SECRET = 'the present secret';
export const OLD_SECRET = 'the secret before';
export const MAX_AGE_MS = 60_000;

export interface World {
  readonly url: string;
  readonly store: Store;
  /** Calls of the store by the application, in order: `get abc`, `touch abc 60`, `set abc 60`. */
  readonly calls: string[];
  /** What `onError` was told. */
  readonly errors: Error[];
  readonly tokens: TokenService;
  readonly sessionOptions: SessionOptions;
  /** Stores a session of a person who is signed in; answers the key of the tokens. */
  signIn(id: string, change?: (session: SessionData & SessionLike) => void): Promise<string>;
  /** The session as it is stored. */
  stored(id: string): Promise<(SessionData & SessionLike) | undefined>;
}

export interface WorldOptions {
  readonly road: Road;
  readonly storeName: StoreName;
  readonly redis: Redis;
  readonly upstream: string;
  readonly session?: Partial<SessionOptions> & { readonly key?: string };
  readonly authorize?: (session: Readonly<Partial<SessionData>>) => boolean | Promise<boolean>;
}

let worlds = 0;

export async function startWorld(options: WorldOptions): Promise<World> {
  const { road, storeName, redis, upstream, authorize } = options;
  const store =
    storeName === 'memory' ? new MemoryStore() : new RedisStore({ client: redis, prefix: `world${worlds++}:` });
  const sessionOptions = {
    store,
    secret: [SECRET, OLD_SECRET],
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: MAX_AGE_MS },
    ...options.session,
  };
  const tokens = new TokenService({
    store: new MemoryTokenStore(),
    clientID: 'test-client',
    upstream: SPARK_UPSTREAM,
    renew: async () => ({ accessToken: 'renewed' }),
  });
  const strategy = { tokens, sessionKey: 'spark', apiURL: upstream, userAgent: 'TestApp/1.0', origin: undefined };
  const errors: Error[] = [];
  const onError = (error: Error): unknown => errors.push(error);
  const app = express();
  app.set('env', 'test'); // Express then keeps its errors to itself
  if (road === 'lane')
    app.use('/spark', sparkProxy({ strategy, session: sessionOptions, onError, ...(authorize ? { authorize } : {}) }));
  app.use(session(sessionOptions));
  if (road === 'slow') app.use('/spark', sparkProxy({ strategy, onError }));
  const url = await listen(createFastServer(app));
  const signIn = async (id: string, change?: (session: SessionData & SessionLike) => void): Promise<string> => {
    const key = await tokens.create({ accessToken: `token of ${id}` }, {});
    const expires = new Date(Date.now() + MAX_AGE_MS);
    const data = {
      cookie: { originalMaxAge: MAX_AGE_MS, expires, httpOnly: true, path: '/' },
      passport: { user: id },
    } as unknown as SessionData & SessionLike;
    writeLink(data, 'spark', key);
    change?.(data);
    await new Promise<void>((resolve, reject) => {
      store.set(id, data, (error) => (error ? reject(error) : resolve()));
    });
    calls.length = 0;
    return key;
  };
  const stored = async (id: string): Promise<(SessionData & SessionLike) | undefined> =>
    await new Promise((resolve, reject) => {
      Object.getPrototypeOf(store).get.call(store, id, (error: unknown, found: never) =>
        error ? reject(error) : resolve(found ?? undefined),
      );
    });
  const calls = watched(store);
  return { url, store, calls, errors, tokens, sessionOptions, signIn, stored };
}

/** Notes every call. Of the session it notes how many seconds its cookie lives. */
function watched(store: Store): string[] {
  const calls: string[] = [];
  const target = store as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['get', 'set', 'touch', 'destroy']) {
    const original = target[name];
    target[name] = (id, ...rest) => {
      const { cookie } = (rest[0] ?? {}) as Partial<SessionData>;
      const lives = cookie && (cookie.expires ? Math.round((+cookie.expires - Date.now()) / 1_000) : 'no end');
      calls.push([name, id, lives].filter((part) => part !== undefined).join(' '));
      return original?.call(store, id, ...rest);
    };
  }
  return calls;
}

/** The session cookie as express-session writes it. */
export function cookieOf(id: string, secret = SECRET, name = 'connect.sid'): string {
  return `${name}=${encodeURIComponent(`s:${sign(id, secret)}`)}`;
}

/** A store that says it has lost its server, as connect-redis 3 and others do. */
export function disconnect(store: Store): void {
  (store as unknown as EventEmitter).emit('disconnect');
}
