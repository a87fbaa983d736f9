import { type SparkError, UpstreamError } from '../errors.js';
import { retryAfterOf } from '../grant.js';
import { accountBasic, saysInvalidToken } from '../http-authorization.js';
import { cloudRefusal, saysBadToken } from './answers.js';
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

/** The devices of whom the access token belongs to; `expired` when the cloud does not take the token. @throws CloudError, UpstreamError */
export async function fetchDevices(
  api: CloudAPI,
  accessToken: string,
): Promise<{ readonly expired: boolean; readonly devices: readonly CloudDevice[] }> {
  const answered = await ask(api, 'GET', '/v1/devices', `Bearer ${accessToken}`);
  if (answered.status === 400 || answered.status === 401) {
    const expired = saysInvalidToken(answered.challenge) || saysBadToken(answered.text);
    if (expired) return { expired, devices: [] };
  }
  return { expired: false, devices: list(answered) as CloudDevice[] };
}

/** @throws CloudError `wrong_password`, `unknown_account`, `rate_limited`; UpstreamError */
export async function fetchTokens(api: CloudAPI, { username, password }: AccountCredentials): Promise<CloudToken[]> {
  return list(await ask(api, 'GET', '/v1/access_tokens', accountBasic(username, password))) as CloudToken[];
}

/** @throws CloudError `token_not_found`, `wrong_password`, `unknown_account`, `rate_limited`; UpstreamError */
export async function deleteToken(
  api: CloudAPI,
  token: string,
  { username, password }: AccountCredentials,
): Promise<void> {
  const path = `/v1/access_tokens/${encodeURIComponent(token)}`;
  const answered = await ask(api, 'DELETE', path, accountBasic(username, password));
  if (answered.status === 404) throw new CloudError('token_not_found');
  if ((parsed(answered) as { ok?: unknown } | undefined)?.ok !== true) throw failed(answered.status);
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

function list(answered: Answered): unknown[] {
  const body = parsed(answered);
  if (!Array.isArray(body)) throw failed(answered.status);
  return body;
}

/** The body of a success. @throws CloudError */
function parsed({ status, text, retryAfterMs }: Answered): unknown {
  const body = json(text);
  if (status < 400) return body;
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  throw cloudRefusal('password', fields, status, retryAfterMs) ?? failed(status);
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
