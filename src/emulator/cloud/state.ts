import type { Request, Response } from 'express';
import type { EmulatorClock } from '../clock.js';
import type { CloudAccount, CloudSettings } from './options.js';
import type { CloudVault } from './vault.js';

/** Ways to ask the cloud for a token. */
export type CloudGrantType = 'sign-in' | 'access-token' | 'password' | 'refresh_token' | 'urn:custom:mfa-otp';

/** One request for a token. */
export interface CloudGrantSeen {
  /** Emulator time of arrival, milliseconds since 1970. */
  readonly at: number;
  /** One of {@link CloudGrantType}, or the `grant_type` that was sent instead. */
  readonly type: string;
  /** The account that it was for, once that is known. */
  readonly username: string | null;
  readonly status: number;
}

/** One request to `/v1`. */
export interface CloudRequestSeen {
  readonly at: number;
  readonly method: string;
  /** Path and query, as received. */
  readonly url: string;
  readonly authorization: string | null;
  readonly status: number;
}

/** How the next request fails. */
export interface CloudFault {
  readonly status: number;
  /** The `error` of the answer. Default `server_error`. */
  readonly error?: string | undefined;
  /** Seconds for `Retry-After`. Default: no header. */
  readonly retryAfter?: number | undefined;
}

/** Everything that one cloud remembers. */
export interface CloudState {
  readonly settings: CloudSettings;
  readonly clock: EmulatorClock;
  readonly vault: CloudVault;
  grants: CloudGrantSeen[];
  requests: CloudRequestSeen[];
  grantFaults: CloudFault[];
  callFaults: CloudFault[];
}

/** An answer that is not what was asked for. `error` is what the cloud says, with its own fields beside. */
export class CloudRefusal extends Error {
  constructor(
    readonly status: number,
    readonly error: string,
    readonly description: string,
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(description);
  }
}

/** Answers as JSON, dated by the emulator's clock: the dates in its answers are by that clock too. */
export function answer(state: CloudState, res: Response, status: number, body: unknown): void {
  res.status(status).set('Date', new Date(state.clock.now()).toUTCString()).set('Cache-Control', 'no-store').json(body);
}

/** Answers what went wrong. Anything but a refusal or a planned fault is the emulator's own mistake. */
export function answerRefusal(state: CloudState, res: Response, error: unknown): number {
  if (!(error instanceof CloudRefusal)) throw error;
  const { status, error: code, description, more } = error;
  answer(state, res, status, { code: status, error: code, error_description: description, ...more });
  return status;
}

/** Fails as planned, if it is. @throws CloudRefusal */
export function failAsPlanned(faults: CloudFault[], res: Response): void {
  const fault = faults.shift();
  if (!fault) return;
  if (fault.retryAfter !== undefined) res.set('Retry-After', String(fault.retryAfter));
  throw new CloudRefusal(fault.status, fault.error ?? 'server_error', 'The emulator was told to fail.');
}

/** Name and password of HTTP Basic. The scheme must be spelled `Basic`: the old server compared it letter by letter (the cloud's API of 2014). */
export function basicCredentials(req: Request): readonly [string, string] | undefined {
  const [, encoded] = /^Basic ([\w+/=-]+)$/.exec(req.headers.authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
}

/** The token of `Authorization: Bearer`. */
export function bearerToken(req: Request): string | undefined {
  return /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
}

/** The account with this name and password. @throws CloudRefusal with `status` and `error` where there is none */
export function accountWith(
  { settings }: CloudState,
  username: unknown,
  password: unknown,
  refusal: { readonly status: number; readonly error: string },
): CloudAccount {
  const account = settings.accounts.find((known) => known.username === username);
  if (!account && settings.revealsAccounts)
    throw new CloudRefusal(refusal.status, 'unknown_account', 'There is no such account.');
  if (!account || account.password !== password)
    throw new CloudRefusal(refusal.status, refusal.error, 'User credentials are invalid');
  return account;
}
