import { type SparkError, UpstreamError } from '../errors.js';
import { retryAfterOf } from '../grant.js';
import { accountBasic, saysInvalidToken } from '../http-authorization.js';
import { type AskedWith, cloudRefusal, saysBadToken } from './answers.js';
import { CloudError } from './errors.js';

/** A device, as `GET /v1/devices` lists it (the cloud's API of 2014). */
export interface CloudDevice {
  readonly id: string;
  readonly name: string | null;
  readonly last_app: string | null;
  /** ISO 8601. */
  readonly last_heard: string | null;
  readonly connected: boolean;
  /** What else the cloud says. */
  readonly [field: string]: unknown;
}

/** An access token of an account, as `GET /v1/access_tokens` lists it. */
export interface CloudToken {
  readonly token: string;
  /** ISO 8601; `null`: never. */
  readonly expires_at: string | null;
  /** The client it was given to. */
  readonly client: string;
  readonly [field: string]: unknown;
}

/** The account's own e-mail address and password, not the client's id and secret. Used for one request, and not kept. */
export interface AccountCredentials {
  readonly username: string;
  readonly password: string;
  /** The one-time code, for an account with a second factor. It is good once: the next call needs another. */
  readonly otp?: string | undefined;
}

export interface CloudAPI {
  readonly apiURL: string;
  readonly timeoutMs: number;
}

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly challenge: string;
  readonly retryAfterMs: number | undefined;
}

/**
 * The devices of whom the access token belongs to; `expired` when the cloud does not take the token.
 * @throws CloudError `forbidden`, `rate_limited`; UpstreamError
 */
export async function fetchDevices(
  api: CloudAPI,
  accessToken: string,
): Promise<{ readonly expired: boolean; readonly devices: readonly CloudDevice[] }> {
  const answered = await ask(api, 'GET', '/v1/devices', `Bearer ${accessToken}`);
  if (refusesToken(answered)) return { expired: true, devices: [] };
  return { expired: false, devices: list(answered, 'access token') as CloudDevice[] };
}

/** A 401 means nothing else, because the token is all that was sent with it (RFC 9110 §15.5.2); a 400 has to say so. */
function refusesToken({ status, challenge, text }: Answered): boolean {
  return status === 401 || (status === 400 && (saysInvalidToken(challenge) || saysBadToken(text)));
}

/** @throws CloudError `wrong_password`, `unknown_account`, `otp_required`, `wrong_otp`, `rate_limited`; UpstreamError */
export async function fetchTokens(api: CloudAPI, credentials: AccountCredentials): Promise<CloudToken[]> {
  return list(await askAsAccount(api, 'GET', '/v1/access_tokens', credentials), 'account') as CloudToken[];
}

/**
 * @throws CloudError `token_not_found`, `wrong_password`, `unknown_account`, `otp_required`, `wrong_otp`, `rate_limited`;
 * UpstreamError
 */
export async function deleteToken(api: CloudAPI, token: string, credentials: AccountCredentials): Promise<void> {
  const path = `/v1/access_tokens/${encodeURIComponent(token)}`;
  const answered = await askAsAccount(api, 'DELETE', path, credentials);
  if (answered.status === 404) throw new CloudError('token_not_found');
  if ((parsed(answered, 'account') as { ok?: unknown } | undefined)?.ok !== true) throw failed(answered.status);
}

/**
 * The one-time code goes into the query, where secrets do not belong; it is good once. The document of 2014 knows no second
 * factor, and the public client of today's cloud sends the list's code this way; that a deletion takes it too is a guess.
 */
async function askAsAccount(
  api: CloudAPI,
  method: string,
  path: string,
  { username, password, otp }: AccountCredentials,
): Promise<Answered> {
  const query = otp === undefined || otp === '' ? '' : `?${new URLSearchParams({ otp })}`;
  return await ask(api, method, path + query, accountBasic(username, password));
}

async function ask(api: CloudAPI, method: string, path: string, authorization: string): Promise<Answered> {
  try {
    const response = await fetch(api.apiURL + path, {
      method,
      headers: { accept: 'application/json', authorization },
      redirect: 'error',
      signal: AbortSignal.timeout(api.timeoutMs),
    });
    return {
      status: response.status,
      text: await response.text(),
      challenge: response.headers.get('www-authenticate') ?? '',
      retryAfterMs: retryAfterOf(response),
    };
  } catch (cause) {
    throw new UpstreamError('The cloud could not be reached, or broke off.', {
      code: 'cloud_failed',
      status: 502,
      cause,
    });
  }
}

function list(answered: Answered, asked: AskedWith): unknown[] {
  const body = parsed(answered, asked);
  if (!Array.isArray(body)) throw failed(answered.status);
  return body;
}

/** The body of a success. @throws CloudError */
function parsed({ status, text, retryAfterMs }: Answered, asked: AskedWith): unknown {
  const body = json(text);
  if (status < 400) return body;
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  throw cloudRefusal(asked, fields, status, retryAfterMs) ?? failed(status);
}

function failed(status: number): SparkError {
  return new UpstreamError(`The cloud answered ${status}.`, { code: 'cloud_failed', status: 502 });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // never with the parser's own message, which quotes the body
  }
}
