import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createClock, type EmulatorClock } from '../clock.js';
import { handler } from '../http.js';
import { startServer } from '../server.js';
import { call, devices, listTokens, revokeToken } from './api.js';
import { accessToken, oauthToken, signIn } from './grants.js';
import { parseCloudOptions, type SparkCloudEmulatorOptions } from './options.js';
import type { CloudFault, CloudGrantSeen, CloudGrantType, CloudRequestSeen, CloudState } from './state.js';
import { CloudVault } from './vault.js';

/** Looks into the cloud and makes things happen in it. Accounts are named by their e-mail address. */
export interface CloudControls {
  /** Every request for a token, in order; with a type, only those of that type. */
  grants(type?: CloudGrantType): CloudGrantSeen[];
  /** Every request to `/v1`, in order. */
  requests(): CloudRequestSeen[];
  /** Forgets both logs. */
  clear(): void;
  /** The cloud's time; its tokens expire by it. */
  readonly clock: EmulatorClock;
  /** Expires every access token, or every one of an account. Returns how many. */
  expireAccessTokens(username?: string): number;
  /** The same for the tokens of `/sign-in`. */
  expireAuthTokens(username?: string): number;
  /** The same for refresh tokens. */
  expireRefreshTokens(username?: string): number;
  /** The next requests for tokens fail. `times`: how many; default 1. */
  failNextGrant(fault: CloudFault, times?: number): void;
  /** The next requests to `/v1` fail. `times`: how many; default 1. */
  failNextCall(fault: CloudFault, times?: number): void;
}

/** A cloud that is listening. */
export interface SparkCloudEmulatorHandle extends CloudControls {
  /** Origin of sign-in and API, without a final slash. */
  readonly url: string;
  close(): Promise<void>;
}

export interface SparkCloudEmulator {
  /** The Express application, typed so that Express 4 and 5 accept it in `app.use`. */
  readonly app: (req: IncomingMessage, res: ServerResponse) => void;
  /** @param port - 0 for any free port. @param host - default `127.0.0.1` */
  listen(port: number, host?: string): Promise<SparkCloudEmulatorHandle>;
}

/**
 * Creates a Spark Core cloud that runs on this machine: sign-in and `access-token` of 2014, `oauth/token` with its second
 * factor, devices and tokens, after the cloud's API of 2014. For development and tests; everything is in memory.
 * @example const cloud = await createSparkCloudEmulator().listen(0); // maker@example.com / spark
 * @throws Error whose message lists every problem of the options; a plain one, as `createSparkEmulator`
 */
export function createSparkCloudEmulator(options: SparkCloudEmulatorOptions = {}): SparkCloudEmulator {
  const settings = parseCloudOptions(options);
  const clock = createClock();
  const vault = new CloudVault(settings, clock);
  const state: CloudState = { settings, clock, vault, grants: [], requests: [], grantFaults: [], callFaults: [] };
  const app = createApp(state);
  const controls = createControls(state);
  return {
    app,
    listen: async (port, host = '127.0.0.1') => ({ ...controls, ...(await startServer(app, port, host)) }),
  };
}

function createApp(state: CloudState): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.post(
    '/sign-in',
    handler((req, res) => signIn(state, req, res)),
  );
  app.get(
    '/access-token',
    handler((req, res) => accessToken(state, req, res)),
  );
  app.post(
    '/oauth/token',
    handler((req, res) => oauthToken(state, req, res)),
  );
  const answering = (act: (state: CloudState, req: Request) => unknown) =>
    handler((req, res) => call(state, req, res, () => act(state, req)));
  app.get('/v1/devices', answering(devices));
  app.get('/v1/devices/:id', answering(devices));
  app.get('/v1/access_tokens', answering(listTokens));
  app.delete('/v1/access_tokens/:token', answering(revokeToken));
  app.use((_req: Request, res: Response) => {
    res.status(404).json({ ok: false, error: 'not_found' });
  });
  app.use((_error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    if (res.headersSent || res.destroyed) res.destroy();
    else res.status(500).json({ ok: false, error: 'server_error' });
  });
  return app;
}

function createControls(state: CloudState): CloudControls {
  const { vault, clock } = state;
  return {
    grants: (type) => state.grants.filter((grant) => type === undefined || grant.type === type),
    requests: () => [...state.requests],
    clear: () => {
      state.grants = [];
      state.requests = [];
    },
    clock,
    expireAccessTokens: (username) => vault.access.expire(username),
    expireAuthTokens: (username) => vault.auth.expire(username),
    expireRefreshTokens: (username) => vault.refresh.expire(username),
    failNextGrant: (fault, times = 1) => plan(state.grantFaults, fault, times),
    failNextCall: (fault, times = 1) => plan(state.callFaults, fault, times),
  };
}

function plan(faults: CloudFault[], fault: CloudFault, times: number): void {
  if (!Number.isInteger(fault.status) || fault.status < 400 || fault.status > 599)
    throw new Error(`"status" is an HTTP status from 400 to 599; it was ${fault.status}.`);
  if (!Number.isInteger(times) || times < 1 || times > 1_000)
    throw new Error(`"times" is a whole number from 1 to 1000; it was ${times}.`);
  faults.push(...Array<CloudFault>(times).fill(fault));
}
