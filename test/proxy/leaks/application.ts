/**
 * The application whose leftovers are counted: the proxy on both roads with both kinds of stores, in a process of its
 * own, so that nothing of the test is counted with it. Told its settings as its argument, asked over IPC, gone when the
 * test is.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session, { MemoryStore, type SessionData, type Store } from 'express-session';
import { Redis } from 'ioredis';
import { Pool } from 'undici';
import { createFastServer } from '../../../src/fast-server/index.js';
import { MemoryTokenStore, RedisTokenStore, sparkProxy, TokenService } from '../../../src/index.js';
import { SPARK_UPSTREAM } from '../../../src/platform.js';
import { writeLink } from '../../../src/signin/link.js';
import type { Tokens } from '../../../src/tokens/record.js';
import { keptBytes } from '../../../src/upload.js';

export interface Settings {
  readonly api: string;
  /** Path of its Unix socket. */
  readonly redis: string;
  readonly secret: string;
  /** Names of the people who are signed in: their session ids, and with the world's name and a number their tokens. */
  readonly people: readonly string[];
  /** Connections to the API that one proxy may keep. */
  readonly connections: number;
}

/** One proxy on one road, with one kind of stores. */
export interface World {
  readonly name: string;
  readonly url: string;
}

/** What the process holds on to. */
export interface State {
  /** `process.getActiveResourcesInfo()`, counted. */
  readonly resources: Readonly<Record<string, number>>;
  /** Connections of clients. */
  readonly clients: number;
  /** Of all pools together. */
  readonly pools: { readonly connected: number; readonly running: number; readonly queued: number };
  /** How many listeners there are, on things that outlive a request; of sockets, the one that ever had most. */
  readonly listeners: Readonly<Record<string, number>>;
  /** Bytes of bodies that are kept for a replay. */
  readonly kept: number;
  readonly sessions: number;
  readonly tokens: number;
  readonly warnings: readonly string[];
}

const DAY_MS = 86_400_000;
const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const redis = new Redis(settings.redis);
const servers: ReturnType<typeof createServer>[] = [];
const memoryTokens: MemoryTokenStore[] = [];
const sessionStores: Store[] = [];

const warnings: string[] = [];
process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));

const most: Record<string, number> = {};
function count(name: string, emitter: EventEmitter): void {
  const listeners = emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);
  most[name] = Math.max(most[name] ?? 0, listeners);
}

// A pool has no way to be found from outside: each is noted when it is used.
const pools = new Set<Pool>();
const { dispatch } = Pool.prototype;
Pool.prototype.dispatch = function noted(this: Pool, ...args) {
  pools.add(this);
  return dispatch.apply(this, args);
};
subscribe('undici:client:sendHeaders', (message) => {
  count('a connection to the API', (message as { socket: Socket }).socket);
});

async function start(road: 'session' | 'lane', kind: 'memory' | 'redis'): Promise<World> {
  const name = `${road}-${kind}`;
  const store = kind === 'memory' ? new MemoryStore() : new RedisStore({ client: redis, prefix: `${name}:session:` });
  const memory = new MemoryTokenStore();
  if (kind === 'memory') memoryTokens.push(memory);
  sessionStores.push(store);
  const tokens = new TokenService({
    store: kind === 'memory' ? memory : new RedisTokenStore(redis, { prefix: `${name}:token:` }),
    clientID: 'leaks',
    upstream: SPARK_UPSTREAM,
    renew: (record) => renew(record.accessToken),
  });
  for (const person of settings.people) {
    const fresh = { accessToken: `${name}-${person}-0`, refreshToken: `${person}-r`, lifetimeMs: DAY_MS };
    const signedIn = { passport: { user: person } };
    writeLink(signedIn, 'spark', await tokens.create(fresh, {}));
    const cookie = { originalMaxAge: DAY_MS, expires: new Date(Date.now() + DAY_MS), httpOnly: true, path: '/' };
    const data = { cookie, ...signedIn } as unknown as SessionData; // the declarations want the class, stores the data
    await new Promise((resolve) => store.set(person, data, resolve));
  }

  const strategy = {
    tokens,
    sessionKey: 'spark',
    apiURL: settings.api,
    userAgent: 'Leaks/1.0',
    origin: undefined,
  };
  const options = {
    store,
    secret: settings.secret,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: DAY_MS },
  };
  // Longer than the test, so that a timer that stays behind is seen.
  const limits = { connections: settings.connections, timeouts: { totalMs: 600_000, connectMs: 600_000 } };
  const app = express();
  if (road === 'lane') app.use('/spark', sparkProxy({ strategy, session: options, ...limits }));
  app.use(session(options));
  if (road === 'session') app.use('/spark', sparkProxy({ strategy, ...limits }));
  const server = road === 'lane' ? createFastServer(app) : createServer(app);
  server.on('request', (req) => count('a connection of a client', req.socket));
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { name, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The API grants in its own time. Over a connection of its own, which ends with the answer. */
async function renew(accessToken: string): Promise<Tokens> {
  return await new Promise((resolve, reject) => {
    get(`${settings.api}/grant?token=${accessToken}`, { agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve(JSON.parse(text) as Tokens));
    }).on('error', reject);
  });
}

async function state(): Promise<State> {
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const clients = await Promise.all(servers.map((server) => connectionsOf(server)));
  const stats = [...pools].map((pool) => pool.stats);
  for (const store of sessionStores) count('a session store', store);
  for (const pool of pools) count('a pool', pool);
  count('Redis', redis);
  count('the process', process);
  const keys = await redis.keys('*');
  // How many records there are is nobody's business but this test's.
  const entries = memoryTokens.map((store) => (store as unknown as { entries: Map<string, unknown> }).entries.size);
  const inMemory = sessionStores.filter((store) => store instanceof MemoryStore);
  const sessions = await Promise.all(inMemory.map((store) => lengthOf(store)));
  return {
    resources,
    clients: sum(clients),
    pools: {
      connected: sum(stats.map(({ connected }) => connected)),
      running: sum(stats.map(({ running }) => running)),
      queued: sum(stats.map(({ pending }) => pending)),
    },
    listeners: { ...most },
    kept: keptBytes(),
    sessions: sum(sessions) + keys.filter((key) => key.includes(':session:')).length,
    tokens: sum(entries) + keys.filter((key) => key.includes(':token:')).length,
    warnings,
  };
}

async function connectionsOf(server: ReturnType<typeof createServer>): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.getConnections((error, found) => (error ? reject(error) : resolve(found)));
  });
}

async function lengthOf(store: MemoryStore): Promise<number> {
  return await new Promise((resolve) => {
    store.length((_error, length) => resolve(length ?? 0));
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

async function main(): Promise<void> {
  const worlds: World[] = [];
  for (const road of ['session', 'lane'] as const) {
    for (const kind of ['memory', 'redis'] as const) worlds.push(await start(road, kind));
  }
  process.on('message', () => {
    state().then((answer) => process.send?.(answer));
  });
  process.on('disconnect', () => process.exit());
  process.send?.(worlds);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
