import type { IncomingMessage, ServerResponse } from 'node:http';
import { createApp } from './app.js';
import { createControls, type EmulatorControls } from './controls.js';
import type { SparkEmulatorOptions } from './options.js';
import { startServer } from './server.js';
import { parseOptions } from './settings.js';
import { createState } from './state.js';

export type { EmulatorClock } from './clock.js';
export {
  type CloudControls,
  createSparkCloudEmulator,
  type SparkCloudEmulator,
  type SparkCloudEmulatorHandle,
} from './cloud/emulator.js';
export type { CloudAccountOptions, CloudDevice, SparkCloudEmulatorOptions } from './cloud/options.js';
export type { CloudFault, CloudGrantSeen, CloudGrantType, CloudRequestSeen } from './cloud/state.js';
export type { EmulatorControls } from './controls.js';
export type { CallFault, GrantFault } from './faults.js';
export type { GrantSeen, GrantType, RequestSeen } from './log.js';
export type { EmulatorClientOptions, EmulatorPersonOptions, SparkEmulatorOptions } from './options.js';
export type { SparkRole } from './people.js';

/** An emulator that is listening: its address, and the controls. */
export interface SparkEmulatorHandle extends EmulatorControls {
  /** Origin of sign-in and API, without a final slash, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Stops listening and closes every connection, also those that wait for an answer. Calling it again does no harm. */
  close(): Promise<void>;
}

/** An emulator. Its codes, tokens and logs belong to it, not to a server: they outlive `close()` and a second `listen()`. */
export interface SparkEmulator {
  /** The Express application (4 or 5, whichever is installed), typed so that both accept it in `app.use`. */
  readonly app: (req: IncomingMessage, res: ServerResponse) => void;
  /**
   * Serves the application over plain HTTP.
   *
   * @param port - 0 for any free port
   * @param host - address to listen at; default `127.0.0.1`. Anything else lets other machines in.
   * @throws the server's error, for example when the port is taken
   */
  listen(port: number, host?: string): Promise<SparkEmulatorHandle>;
}

/**
 * Creates a Spark (FBS) that runs on this machine: the sign-in pages of both flows, the grant endpoint and a small API with
 * synthetic data, after the vendor's documents. For development and tests; it protects nothing and keeps everything in memory.
 *
 * @example
 * const spark = await createSparkEmulator().listen(0);
 * // sign in at `${spark.url}/oauth2` as agent / spark, call `${spark.url}/v1/my/account`
 * await spark.close();
 *
 * @throws Error whose message lists every problem of the options. A plain one, no `ConfigError`: the emulator plays the other
 * side, and shares nothing with the strategy.
 */
export function createSparkEmulator(options: SparkEmulatorOptions = {}): SparkEmulator {
  const state = createState(parseOptions(options));
  const controls = createControls(state);
  const app = createApp(state, controls);
  return {
    app,
    listen: async (port, host = '127.0.0.1') => ({ ...controls, ...(await startServer(app, port, host)) }),
  };
}
