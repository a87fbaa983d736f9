import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { SparkCloudStrategy } from '../src/cloud/index.js';
import {
  createSparkCloudEmulator,
  createSparkEmulator,
  type SparkCloudEmulatorHandle,
  type SparkEmulatorHandle,
} from '../src/emulator/index.js';
import { SparkStrategy, type SparkStrategyOptions, type TokenStore } from '../src/index.js';
import { readConfig, type ServerConfig } from './config.js';
import { createLoginSite } from './login-site.js';
import { basePath, type EmulatorPerson } from './options.js';
import { openStorage, type Storage } from './storage.js';

/** What has to be closed, in this order; a signal may come before everything has started. */
interface Running {
  readonly server: Server;
  /** Whose renewals under way have to be stored before the storage is closed. */
  strategies?: readonly (SparkStrategy | SparkCloudStrategy)[];
  storage?: Storage;
  emulator?: SparkEmulatorHandle;
  cloud?: SparkCloudEmulatorHandle;
}

const CLOSE_WITHIN_MS = 5_000;
const DRAIN_WITHIN_MS = 4_000;

const EMULATOR_PEOPLE: readonly EmulatorPerson[] = [
  { username: 'agent', password: 'spark', roles: 'Private and IDX' },
  { username: 'consumer', password: 'spark', roles: 'VOW, portal myportal' },
];

/** Starts the login site from the environment. The README lists the variables. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  let answer = tellStarting;
  const server = createServer((req, res) => answer(req, res));
  const running: Running = { server };
  stopOnSignals(running);
  await listen(server, config); // first, because the callback URL needs the port
  const storage = await openStorage(config, process.env);
  running.storage = storage;
  const emulator = config.spark ? undefined : await createSparkEmulator().listen(0);
  if (emulator) running.emulator = emulator;
  const cloud = emulator && (await createSparkCloudEmulator().listen(0));
  if (cloud) running.cloud = cloud;

  const base = new URL(config.baseURL ?? `http://localhost:${portOf(server)}`);
  const strategy = createStrategy(config, base, storage.tokenStore, emulator);
  const cloudStrategy =
    cloud && new SparkCloudStrategy({ apiURL: cloud.url, tokenStore: storage.tokenStore, origin: base.origin });
  running.strategies = cloudStrategy ? [strategy, cloudStrategy] : [strategy];
  const app = express();
  app.disable('x-powered-by');
  app.use(
    basePath(base) || '/',
    createLoginSite({
      strategy,
      baseURL: base.href,
      session: {
        secret: config.sessionSecret ?? randomBytes(32).toString('base64url'),
        ...(storage.sessionStore ? { store: storage.sessionStore } : {}),
      },
      storage: storage.name,
      emulator: emulator && { ...emulator, people: EMULATOR_PEOPLE },
      portal: config.spark?.portal,
      cloud: cloudStrategy,
    }),
  );
  answer = app;
  announce(config, base, storage, emulator);
}

/** The answer until everything has started: without it requests would hang. */
const tellStarting: RequestListener = (_req, res) => {
  res.writeHead(503, { 'Retry-After': '1', 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  res.end('The login site is starting. Try again in a moment.\n');
};

function createStrategy(
  { spark }: ServerConfig,
  base: URL,
  tokenStore: TokenStore,
  emulator: SparkEmulatorHandle | undefined,
): SparkStrategy {
  const key: Pick<SparkStrategyOptions, 'clientID' | 'clientSecret'> = spark ?? {
    clientID: 'emulator-client',
    clientSecret: 'emulator-secret',
  };
  return new SparkStrategy(
    {
      clientID: key.clientID,
      clientSecret: key.clientSecret,
      callbackURL: spark?.callbackURL ?? `${base.origin}${basePath(base)}/auth/spark/callback`,
      userAgent: spark?.userAgent ?? 'passport-spark-login-site',
      tokenStore,
      ...(emulator ? { platformURL: emulator.url, apiURL: emulator.url } : {}),
    },
    (_accessToken, _refreshToken, _params, profile, done) => done(null, profile),
  );
}

async function listen(server: Server, { port, host }: ServerConfig): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      reject(
        new Error(
          inUse ? `Port ${port} on ${host} is in use. Set PORT to another one, or to 0 for any.` : error.message,
        ),
      );
    });
    server.listen(port, host, resolve);
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // a string only for pipes
}

function announce(
  { redisURL, sessionSecret, ignored }: ServerConfig,
  base: URL,
  storage: Storage,
  emulator: SparkEmulatorHandle | undefined,
): void {
  console.log(`passport-spark login site: ${base.href.replace(/\/$/, '')}`);
  console.log(`  sessions  ${storage.name}`);
  if (storage.name === 'memory') {
    console.log('            Everybody is signed out at the next start. Set REDIS_URL, or install redis-server.');
  }
  if (redisURL !== undefined && sessionSecret === undefined) {
    console.log(
      '  secret    random, because SESSION_SECRET is not set: everybody is signed out at the next start, and',
    );
    console.log('            other processes with this Redis know nobody who signed in here.');
  }
  if (ignored.length > 0) {
    console.log(`  ignored   ${ignored.join(', ')}: only with SPARK_CLIENT_ID and SPARK_CLIENT_SECRET`);
  }
  if (!emulator) return;
  console.log(
    `  emulator  ${emulator.url}, in place of Spark (set SPARK_CLIENT_ID and SPARK_CLIENT_SECRET to use Spark)`,
  );
  console.log('  client    emulator-client / emulator-secret');
  for (const { username, password, roles } of EMULATOR_PEOPLE)
    console.log(`  person    ${username} / ${password} (${roles})`);
  console.log('  cloud     maker@example.com / spark, careful@example.com / spark with code 123456, at /cloud');
}

function stopOnSignals(running: Running): void {
  const stop = (): void => {
    setTimeout(() => process.exit(1), 2 * CLOSE_WITHIN_MS).unref(); // something hangs; nobody waits for ever
    close(running).then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
}

async function close({ server, strategies = [], storage, emulator, cloud }: Running): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS);
  await closed;
  clearTimeout(impatient);
  // A renewal under way holds the only refresh token that lives.
  await Promise.all(strategies.map(({ tokens }) => tokens.drain({ withinMs: DRAIN_WITHIN_MS })));
  await storage?.close();
  await emulator?.close();
  await cloud?.close();
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

main().catch(fail);
