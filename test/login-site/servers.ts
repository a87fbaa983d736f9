import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SparkEmulatorHandle } from '../../src/emulator/index.js';
import { SparkStrategy, type SparkStrategyOptions, type VerifyFunctionWithParams } from '../../src/index.js';

/** A server of a test, on a port of its own. */
export interface TestServer {
  readonly origin: string;
  close(): Promise<void>;
}

/** Listens first, and asks for the application then: its callback URL needs the port. */
export async function serve(application: (origin: string) => RequestListener): Promise<TestServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', application(origin));
  return { origin, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The strategy of a host, at an emulator. `verify` lets everybody in by default. */
export function strategyAt(
  spark: SparkEmulatorHandle,
  callbackURL: string,
  options: Partial<SparkStrategyOptions> = {},
  verify: VerifyFunctionWithParams = (_accessToken, _refreshToken, _params, profile, done) => done(null, profile),
): SparkStrategy {
  const client = { clientID: 'emulator-client', clientSecret: 'emulator-secret' };
  const addresses = { callbackURL, platformURL: spark.url, apiURL: spark.url };
  return new SparkStrategy({ ...client, ...addresses, ...options, passReqToCallback: false }, verify);
}
