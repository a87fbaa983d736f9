import type { ChildProcess } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { end, freePort, start, temporaryFolder } from './processes.js';
import type { RedisAddress } from './worker.js';

const READY_MS = 10_000;

interface RedisServerOptions {
  /** Every write is on the disk before it is acknowledged. */
  readonly persist?: boolean;
  readonly args?: readonly string[];
}

/** A real redis-server, which can be stopped and started again on its port, with or without what it had stored. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly args: readonly string[],
  ) {}

  static async start({ persist = false, args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
    const port = await freePort();
    const dir = temporaryFolder('spark-redis-');
    const kept = persist ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
    const server = new RedisServer(port, ['--port', String(port), '--dir', dir, '--save', '', ...kept, ...args]);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.child = start('redis-server', ['--bind', '127.0.0.1', ...this.args], { stdio: 'ignore' });
    await this.command('PING');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child) await end(this.child, signal);
  }

  /** One command over a connection of its own. Waits for a server that is starting. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const client = new Redis(this.port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    try {
      const late = sleep(READY_MS, undefined, { ref: false }).then(() => {
        throw new Error(`redis-server on port ${this.port} does not answer ${name}. Is it on the PATH? npm run setup`);
      });
      return await Promise.race([client.call(name, ...args), late]);
    } finally {
      client.disconnect();
    }
  }
}

/** The Redis of one row. */
export interface RedisSetup {
  readonly address: RedisAddress;
  readonly servers: readonly RedisServer[];
  /** Points every client at another server, as a failover does. */
  readonly point: (server: RedisServer) => void;
  stop(): Promise<void>;
}

export async function oneRedis(persist = false): Promise<RedisSetup> {
  const server = await RedisServer.start({ persist });
  return {
    address: { kind: 'one', port: server.port },
    servers: [server],
    point: () => undefined,
    stop: () => server.stop('SIGKILL'),
  };
}

/** A primary and its replica, behind an address that can be pointed from one to the other. */
export async function redisPair(): Promise<RedisSetup> {
  const primary = await RedisServer.start();
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  await until('the replica is in step', async () =>
    String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
  );
  const entry = await TcpSwitch.start(primary.port);
  return {
    address: { kind: 'one', port: entry.port },
    servers: [primary, replica],
    point: (server) => entry.point(server.port),
    stop: async () => {
      entry.stop();
      await Promise.all([primary.stop('SIGKILL'), replica.stop('SIGKILL')]);
    },
  };
}

const SLOTS = 16_384;

/** A Cluster of three masters, each with a replica. The masters are the first three servers. */
export async function redisCluster(): Promise<RedisSetup> {
  const nodes = await Promise.all(Array.from({ length: 6 }, startNode));
  const servers = nodes.map(({ server }) => server);
  const masters = servers.slice(0, 3);
  await Promise.all(
    masters.map((master, i) => {
      const from = Math.floor((i * SLOTS) / 3);
      const to = Math.floor(((i + 1) * SLOTS) / 3) - 1;
      return master.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    }),
  );
  for (const { server, busPort } of nodes.slice(1)) {
    await masters[0]?.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port), busPort);
  }
  for (const [i, master] of masters.entries()) {
    const replica = servers[i + 3];
    const id = String(await master.command('CLUSTER', 'MYID'));
    await until('the nodes know each other', async () =>
      String(await replica?.command('CLUSTER', 'NODES')).includes(id),
    );
    await replica?.command('CLUSTER', 'REPLICATE', id);
  }
  await until('the Cluster stands', async () => {
    const infos = await Promise.all(servers.map((server) => server.command('CLUSTER', 'INFO')));
    const roles = await Promise.all(servers.slice(3).map((server) => server.command('INFO', 'replication')));
    return (
      infos.every((info) => String(info).includes('cluster_state:ok')) &&
      roles.every((role) => String(role).includes('master_link_status:up'))
    );
  });
  return {
    address: { kind: 'cluster', ports: servers.map(({ port }) => port) },
    servers,
    point: () => undefined,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop('SIGKILL')));
    },
  };
}

async function startNode(): Promise<{ server: RedisServer; busPort: string }> {
  const busPort = String(await freePort());
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-port', busPort];
  return { server: await RedisServer.start({ args }), busPort };
}

/** A client of our own, to look into the store with. */
export function connectTo(address: RedisAddress): Redis | Cluster {
  const client =
    address.kind === 'one'
      ? new Redis(address.port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null })
      : new Cluster(address.ports.map((port) => ({ host: '127.0.0.1', port })));
  client.on('error', () => undefined);
  return client;
}

/** A port that leads to another port, and can be made to lead elsewhere. */
class TcpSwitch {
  private readonly sockets = new Set<Socket>();
  private target: number;

  private constructor(
    readonly port: number,
    target: number,
    private readonly server: Server,
  ) {
    this.target = target;
  }

  static async start(target: number): Promise<TcpSwitch> {
    const port = await freePort();
    const server = createServer((socket) => entry.join(socket));
    const entry = new TcpSwitch(port, target, server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return entry;
  }

  point(target: number): void {
    this.target = target;
    for (const socket of this.sockets) socket.destroy();
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(socket: Socket): void {
    const onward = connect(this.target, '127.0.0.1');
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => undefined); // the other end is destroyed below
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}

/** Waits until something holds. @throws Error that names it */
export async function until(what: string, holds: () => Promise<boolean>, limitMs = 20_000): Promise<void> {
  const last = Date.now() + limitMs;
  while (Date.now() < last) {
    if (await holds()) return;
    await sleep(50);
  }
  throw new Error(`Waited ${limitMs} ms in vain until ${what}.`);
}
