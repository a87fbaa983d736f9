import { RedisStore } from 'connect-redis';
import type { Store } from 'express-session';
import { Redis } from 'ioredis';
import { MemoryTokenStore, RedisTokenStore, type TokenStore } from '../src/index.js';
import type { ServerConfig } from './config.js';
import { startOwnRedis } from './redis-server.js';

/** Where the server keeps sessions and tokens. */
export interface Storage {
  /** For people to read. */
  readonly name: string;
  /** Undefined: express-session's own, in memory. */
  readonly sessionStore: Store | undefined;
  readonly tokenStore: TokenStore;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 5_000;
/** How long a page waits for a Redis that does not answer. */
const COMMAND_MS = 3_000;

/** Redis at `REDIS_URL`, else a Redis of our own, else memory. @throws Error when the Redis at `REDIS_URL` can't be reached */
export async function openStorage({ redisURL }: ServerConfig, env: NodeJS.ProcessEnv): Promise<Storage> {
  if (redisURL !== undefined) {
    const client = new Redis(redisURL, { lazyConnect: true, commandTimeout: COMMAND_MS });
    try {
      await connected(client);
    } catch (cause) {
      client.disconnect();
      throw new Error(`The Redis at REDIS_URL can not be reached: ${messageOf(cause)}`);
    }
    return inRedis(client, 'Redis', () => undefined);
  }
  const own = startOwnRedis(env);
  if (!own) return inMemory();
  const client = new Redis({
    path: own.socket,
    lazyConnect: true,
    commandTimeout: COMMAND_MS,
    retryStrategy: () => 25,
  });
  try {
    await connected(client);
  } catch {
    client.disconnect();
    own.stop();
    return inMemory();
  }
  return inRedis(client, 'Redis, started for this server and gone with it', () => own.stop());
}

function inMemory(): Storage {
  return {
    name: 'memory',
    sessionStore: undefined,
    tokenStore: new MemoryTokenStore(),
    close: () => Promise.resolve(),
  };
}

function inRedis(client: Redis, name: string, afterwards: () => void): Storage {
  return {
    name,
    sessionStore: new RedisStore({ client, prefix: 'spark-login:session:' }),
    tokenStore: new RedisTokenStore(client),
    close: async () => {
      client.disconnect(); // not quit(), which waits for a Redis that does not answer; all is stored by now, or never
      afterwards();
    },
  };
}

/**
 * Waits for the first connection. From then on the client reconnects by itself and requests say what failed; its errors
 * go to the log by their message alone, because they carry the arguments of commands, and these carry tokens.
 */
async function connected(client: Redis): Promise<void> {
  let last = 'it does not answer';
  let began = false; // until then every try of the own server's first moments would be logged
  client.on('error', (error: Error) => {
    if (began && error.message !== last) console.error(`Redis: ${error.message}`);
    last = error.message;
  });
  // ioredis goes on trying after the first refusal; a server that was started a moment ago needs that.
  const ready = new Promise<void>((resolve) => client.once('ready', resolve));
  client.connect().catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(last)), CONNECT_WITHIN_MS);
  });
  await Promise.race([ready, late]).finally(() => clearTimeout(timer));
  began = true;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
