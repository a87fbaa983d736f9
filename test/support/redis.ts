import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';

export interface RedisServer {
  /** Path of its Unix socket, which clients take in place of a URL: no port that somebody else could have. */
  readonly socket: string;
  /** A client that is closed with the server. */
  connect(options?: Pick<RedisOptions, 'enableAutoPipelining' | 'stringNumbers'>): Redis;
  /** From now on it keeps its connections and answers nothing. */
  freeze(): void;
  stop(): Promise<void>;
}

/** A real redis-server of this test's own. */
export async function startRedis(): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'spark-redis-'));
  const socket = join(dir, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', dir];
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    server.once('spawn', resolve);
    server.once('error', () => reject(new Error('redis-server is not on the PATH: run `npm run setup` first')));
  });
  const clients: Redis[] = [];
  const connect: RedisServer['connect'] = (options = {}) => {
    const client = new Redis(socket, { retryStrategy: () => 20, ...options });
    client.on('error', () => undefined); // while the server starts, and in tests that stop it
    clients.push(client);
    return client;
  };
  await connect().ping();
  return {
    socket,
    connect,
    freeze: () => {
      server.kill('SIGSTOP');
    },
    stop: async () => {
      for (const client of clients) client.disconnect();
      server.kill('SIGKILL');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
