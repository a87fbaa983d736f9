import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { cleanUp, temporaryFolder } from '../faults/processes.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { Api } from './leaks/api.js';
import type { Settings, State, World } from './leaks/application.js';
import { arrive, ask, begin, KINDS, type Kind, leave, type Outcome, SECRET, type Stage } from './leaks/requests.js';
import { pause } from './support.js';

const REQUESTS = 10_000;
const WORLDS = 4;
/** Requests at a time are more than connections to the API, so that some of them wait. */
const AT_ONCE = 12;
const CONNECTIONS = 8;

const api = new Api();
let apiServer: Server;
let redis: RedisServer;
let application: ChildProcess;
let ended: Promise<never>;
let stages: readonly Stage[];

/** Before the first request, after the first few hundred, and after the last, when every client has left. */
let fresh: State;
let early: State;
let late: State;
/** Connections that the API saw at the end. */
let apiConnections: number;
const outcomes: { readonly kind: Kind; readonly outcome: Outcome }[] = [];

beforeAll(async () => {
  // Tells the proxy to let connections go that were idle for a second.
  apiServer = createServer({ keepAliveTimeout: 3_000 }, api.answer);
  await new Promise<void>((resolve) => {
    apiServer.listen(0, '127.0.0.1', resolve);
  });
  redis = await startRedis();
  await startApplication({
    api: `http://127.0.0.1:${(apiServer.address() as AddressInfo).port}`,
    redis: redis.socket,
    secret: SECRET,
    people: ['agent', ...Array.from({ length: REQUESTS / WORLDS / 10 }, (_, i) => `newcomer${i}`)],
    connections: CONNECTIONS,
  });

  fresh = await state();
  for (const stage of stages) await sendAll(stage, 100);
  early = await state();
  for (const stage of stages) await sendAll(stage, REQUESTS / WORLDS - 100);
  for (const { agent } of stages) agent.destroy();
  // Time for what is under way to end. Shorter than any timer of the proxy, so that one left behind is seen.
  late = await stateOnce((now) => now.clients === 0 && now.pools.running === 0 && sameResources(now), 2);
  apiConnections = await connectionsToApi();
}, 120_000);

afterAll(async () => {
  application.disconnect();
  apiServer.closeAllConnections();
  await new Promise((resolve) => apiServer.close(resolve));
  await redis.stop();
  cleanUp();
});

async function startApplication(settings: Settings): Promise<void> {
  const program = join(temporaryFolder('spark-leaks-'), 'application.js');
  const source = join('test', 'proxy', 'leaks', 'application.ts');
  buildSync({ entryPoints: [source], bundle: true, platform: 'node', outfile: program, logLevel: 'error' });
  // Its output would be a pipe from the first time that something looks at it, and be counted.
  application = fork(program, [JSON.stringify(settings)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  ended = once(application, 'exit').then(() => Promise.reject(new Error('the application ended')));
  ended.catch(() => undefined); // heard by whoever waits for a message
  const worlds = (await message()) as readonly World[];
  stages = worlds.map(({ name: world, url }) => {
    let newcomers = 0;
    let names = 0;
    return {
      world,
      url,
      api,
      agent: new Agent({ keepAlive: true }),
      person: 'agent',
      newcomer: () => `newcomer${newcomers++}`,
      name: () => `${world}-${names++}`,
    };
  });
}

async function message(): Promise<unknown> {
  const [answer] = await Promise.race([once(application, 'message'), ended]);
  return answer;
}

async function state(): Promise<State> {
  application.send('state');
  return (await message()) as State;
}

/** The state as soon as it fits, or what it still is after so many seconds. */
async function stateOnce(fits: (state: State) => boolean, seconds: number): Promise<State> {
  for (const until = performance.now() + seconds * 1_000; ; await pause(20)) {
    const now = await state();
    if (fits(now) || performance.now() > until) return now;
  }
}

function sameResources({ resources }: State): boolean {
  return JSON.stringify(resources) === JSON.stringify(fresh.resources);
}

async function connectionsToApi(): Promise<number> {
  return await new Promise((resolve, reject) => {
    apiServer.getConnections((error, found) => (error ? reject(error) : resolve(found)));
  });
}

/** So many requests of all kinds by their shares, in an order that is always the same. */
async function sendAll(stage: Stage, requests: number): Promise<void> {
  const hundred = KINDS.flatMap((kind) => Array<Kind>(kind.share).fill(kind));
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < requests) {
      const kind = hundred[(sent++ * 37) % 100]; // every place once, as 37 and 100 have no common divisor
      if (kind) outcomes.push({ kind, outcome: await kind.run(stage) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

describe('ten thousand requests of all kinds, on both roads, with sessions and tokens in memory and in Redis', () => {
  it.each(KINDS.map((kind) => [kind.name, kind] as const))('come to what they should: one that %s', (_name, kind) => {
    const found = outcomes.filter((one) => one.kind === kind).map(({ outcome }) => outcome);

    expect(found).toHaveLength((kind.share * REQUESTS) / 100);
    expect([...new Set(found)]).toEqual([kind.outcome]);
  });

  it('leave no timer and no connection of a client open', () => {
    expect(late.resources).toEqual(fresh.resources);
    expect(late.clients).toBe(0);
  });

  it('leave no more connections to the API than may be kept, which are let go when nobody uses them', async () => {
    expect(late.pools).toMatchObject({ running: 0, queued: 0 });
    expect(apiConnections).toBeLessThanOrEqual(WORLDS * CONNECTIONS);

    const idle = await stateOnce(({ pools }) => pools.connected === 0, 5);

    expect(idle.pools.connected).toBe(0);
    expect(await connectionsToApi()).toBe(0);
  });

  it('leave no listener on the stores, the pools, and the connections that served many of them', () => {
    const grown = Object.entries(late.listeners).filter(([name, most]) => most > (early.listeners[name] ?? 0));

    expect(Object.keys(early.listeners)).toHaveLength(6);
    expect(grown).toEqual([]);
  });

  it('cause no warning of too many listeners, nor any other', () => {
    expect(late.warnings).toEqual([]);
  });

  it('leave the memory for replays free for the next body', async () => {
    expect(late.kept).toBe(0);

    for (const stage of stages) {
      const body = Buffer.alloc(64 * 1_024);
      expect(await ask(stage, '/v1/expired', { method: 'POST', body, person: stage.newcomer() })).toBe(200);
      stage.agent.destroy();
    }
  });

  it('leave in the stores what was there before', () => {
    expect([late.sessions, late.tokens]).toEqual([fresh.sessions, fresh.tokens]);
  });

  it('renew every token once that has expired', () => {
    expect(new Set(api.grants).size).toBe(api.grants.length);
  });
});

describe('requests that are left while they wait for a connection to the API', () => {
  it('leave no timer and no body behind, though no connection gets free', async () => {
    for (const stage of stages) {
      const busy = await Promise.all(Array.from({ length: CONNECTIONS }, () => arrive(stage, '/v1/silent', {})));
      const post = { method: 'POST', headers: { 'Content-Length': '10' } };
      const uploads = Array.from({ length: 10 }, () => begin(stage, '/v1/plain', post, 'some'));
      const others = Array.from({ length: 10 }, () => begin(stage, '/v1/plain', {}));
      const clients = await Promise.all([...uploads, ...others]);
      // A request that is under way has one timer, for the whole of it; one that waits has another for that, and one
      // that is sending a body a third.
      const all = CONNECTIONS + 2 * clients.length + uploads.length;
      const full = await stateOnce(({ resources }) => resources.Timeout === all, 5);
      expect(full.resources.Timeout).toBe(all);

      for (const client of clients) await leave(client);

      const left = await stateOnce(({ resources }) => resources.Timeout === CONNECTIONS, 2);
      expect([left.resources.Timeout, left.kept]).toEqual([CONNECTIONS, 0]);
      for (const { client } of busy) await leave(client);
    }
    const after = await stateOnce((now) => now.clients === 0 && now.pools.queued === 0 && sameResources(now), 2);
    expect(after.pools).toMatchObject({ running: 0, queued: 0 });
    expect(after.resources).toEqual(fresh.resources);
  });
});
