import { type GrantOutcome, SparkError, TokenError } from './errors.js';
import { secretsIn } from './http-authorization.js';
import { DEFAULT_LIFETIME_MS } from './platform.js';
import { isAccessToken, type Tokens } from './tokens/record.js';

/** A token endpoint, and how it wants to be asked. */
export interface GrantEndpoint {
  readonly url: string;
  /** Spark takes a plain JSON object (vendor's OAuth 2 page), the standard a form (RFC 6749 §4.1.3). */
  readonly format: 'json' | 'form';
  readonly headers: Readonly<Record<string, string>>;
  /** Lifetime of an access token where the answer tells none, in milliseconds. Default: Spark's day. */
  readonly defaultLifetimeMs?: number;
  /** Deadline for the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Default `POST`. `GET` sends no parameters: what is asked with then stands in `headers`. */
  readonly method?: 'GET' | 'POST';
  /** Reads the tokens of an answer that is not in the standard form; undefined: there are none in it. */
  readonly readTokens?: (answer: Readonly<Record<string, unknown>>, answeredAt: number) => Tokens | undefined;
  /** Reads a refusal that says more than a code and its description; it is thrown as it is. */
  readonly readRefusal?: (
    answer: Readonly<Record<string, unknown>>,
    status: number,
    retryAfterMs: number | undefined,
  ) => TokenError | undefined;
  /** Puts a refusal into words, and reads one that is not in the standard form; undefined or null: it can't. */
  readonly parseError?: (body: string, status: number) => Error | null | undefined;
}

export interface Grant {
  readonly tokens: Tokens;
  /** The whole answer, as passport-oauth2 hands it to a verify function as `params`. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** Token answers are a few hundred bytes; whatever is larger is not one. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Asks a token endpoint for tokens: the only place of this package that does. Follows no redirect, because the request
 * carries the client's secret.
 * @throws TokenError whose `outcome` tells whether the server can have acted on the request.
 */
export async function requestGrant(endpoint: GrantEndpoint, params: Readonly<Record<string, string>>): Promise<Grant> {
  const signal = AbortSignal.timeout(endpoint.timeoutMs);
  let response: Response;
  let body: string;
  try {
    response = await fetch(endpoint.url, { ...messageFor(endpoint, params), redirect: 'manual', signal });
    body = await readText(response);
  } catch (error) {
    throw transportError(error, signal, endpoint.timeoutMs);
  }
  const answer = parseObject(body);
  const grant = response.ok && answer ? grantFrom(answer, response, endpoint) : undefined;
  if (grant) return grant;
  throw refusal(endpoint, response, body, answer, secretsOf(endpoint, params));
}

function messageFor({ method, format, headers }: GrantEndpoint, params: Readonly<Record<string, string>>): RequestInit {
  const accept = 'application/json';
  if (method === 'GET') return { headers: { accept, ...headers } };
  return {
    method: 'POST',
    headers: {
      accept,
      'content-type': format === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
      ...headers,
    },
    body: format === 'json' ? JSON.stringify(params) : new URLSearchParams(params).toString(),
  };
}

const REVOKE_TIMEOUT_MS = 10_000;

/**
 * Makes tokens unusable at Spark: deleting an access token ends the refresh token with it (vendor's word).
 * @throws SparkError `revocation_failed`
 */
export async function revokeToken(
  url: string,
  accessToken: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  await revoke(
    `${url}/${encodeURIComponent(accessToken)}`,
    { method: 'DELETE', headers: { authorization: `OAuth ${accessToken}`, ...headers } },
    [401, 404], // the token is of no use already
  );
}

/**
 * Makes a token unusable at a standard server (RFC 7009 §2.1), whose 200 also means that it does not know the token (§2.2).
 * @throws SparkError `revocation_failed`
 */
export async function revokeAtEndpoint(
  endpoint: GrantEndpoint,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  await revoke(endpoint.url, messageFor(endpoint, params), []);
}

async function revoke(url: string, message: RequestInit, alsoDone: readonly number[]): Promise<void> {
  try {
    const signal = AbortSignal.timeout(REVOKE_TIMEOUT_MS);
    const response = await fetch(url, { ...message, redirect: 'error', signal });
    await response.body?.cancel();
    if (!response.ok && !alsoDone.includes(response.status)) throw new Error(`answered ${response.status}`);
  } catch (cause) {
    throw new SparkError('The tokens could not be revoked.', { code: 'revocation_failed', status: 502, cause });
  }
}

function grantFrom(
  answer: Record<string, unknown>,
  response: Response,
  { readTokens, defaultLifetimeMs }: GrantEndpoint,
): Grant | undefined {
  if (readTokens) {
    const tokens = readTokens(answer, answeredAt(response));
    return tokens && isAccessToken(tokens.accessToken) ? { tokens, params: answer } : undefined;
  }
  const { access_token: accessToken, refresh_token: refreshToken } = answer;
  if (!isAccessToken(accessToken)) return undefined;
  return {
    tokens: {
      accessToken,
      refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : undefined,
      lifetimeMs: lifetimeFrom(answer.expires_in, defaultLifetimeMs),
    },
    params: answer,
  };
}

/** When the server answered, by its own clock where it says so: a date in the answer is by that clock too. */
function answeredAt(response: Response): number {
  const at = Date.parse(response.headers.get('date') ?? '');
  return Number.isFinite(at) ? at : Date.now();
}

/** Spark answers with a number, a string, 0, or leaves `expires_in` out: then its tokens live the documented day. */
export function lifetimeFrom(expiresIn: unknown, defaultMs = DEFAULT_LIFETIME_MS): number {
  const seconds = typeof expiresIn === 'string' || typeof expiresIn === 'number' ? Number(expiresIn) : Number.NaN;
  return Number.isFinite(seconds) && seconds > 0 ? Math.round(seconds * 1_000) : defaultMs;
}

function refusal(
  endpoint: GrantEndpoint,
  response: Response,
  body: string,
  answer: Record<string, unknown> | undefined,
  secrets: readonly string[],
): TokenError {
  const { status } = response;
  const retryAfterMs = retryAfterOf(response);
  const fail = (message: string, code: string, outcome: GrantOutcome, uri?: string): TokenError =>
    new TokenError(redact(message, secrets), code, {
      outcome,
      ...(uri === undefined ? {} : { uri: redact(uri, secrets) }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });

  const own = endpoint.readRefusal?.(answer ?? {}, status, retryAfterMs);
  if (own) return own;
  if (status >= 500) return fail(`The token endpoint answered ${status}.`, 'server_error', 'unknown');
  if (status === 429) return fail('The token endpoint asked to slow down (429).', 'rate_limited', 'refused');
  if (status >= 300 && status < 400) {
    return fail(
      `The token endpoint answered with a redirect (${status}); set tokenURL to its final address.`,
      'bad_response',
      'refused',
    );
  }
  const error = answer?.error;
  if (typeof error === 'string') {
    const code = safeCode(error, secrets);
    const uri = answer?.error_uri;
    // In the words of the application, where it overrides the parser; the code stays, which decides what becomes of the tokens.
    const words = parseRefusal(endpoint, body, status)?.message || answer?.error_description;
    const message = typeof words === 'string' ? words : `The token endpoint refused: ${code}.`;
    return fail(message, code, 'refused', typeof uri === 'string' ? uri : undefined);
  }
  if (response.ok) return fail('The token endpoint answered 200 without an access token.', 'bad_response', 'unknown');
  const other = parseRefusal(endpoint, body, status);
  if (other) return fail(other.message, safeCode(errorCode(other), secrets), 'refused');
  const envelope = (answer?.D ?? {}) as { Code?: unknown; Message?: unknown };
  if (envelope.Code !== undefined) {
    const code = safeCode(`spark_${String(envelope.Code)}`, secrets);
    return fail(`The token endpoint refused: ${String(envelope.Message)}`, code, 'refused');
  }
  return fail(`The token endpoint answered ${status} without saying why.`, 'bad_response', 'refused');
}

function parseRefusal(endpoint: GrantEndpoint, body: string, status: number): Error | undefined {
  try {
    return endpoint.parseError?.(body, status) ?? undefined;
  } catch {
    return undefined; // passport-oauth2's own parser throws on what is not JSON
  }
}

/** What a code may hold (RFC 6749 §5.2), and no more than a log line takes. */
const ERROR_CODE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

/** The standard's own codes decide what becomes of the tokens: a secret that is a part of such a word must not hide it. */
const STANDARD_CODES: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
]);

/** The server's code, if it is one and repeats no secret. */
function safeCode(code: string, secrets: readonly string[]): string {
  if (STANDARD_CODES.has(code)) return code;
  return ERROR_CODE.test(code) && !secrets.some((secret) => code.includes(secret)) ? code : 'bad_response';
}

function errorCode(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'bad_response';
}

/** Failures of which we know that no byte of the request left this machine, or reached a server that we trust. */
const NOT_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)$/;

function transportError(error: unknown, signal: AbortSignal, timeoutMs: number): TokenError {
  if (error instanceof TokenError) return error;
  if (signal.aborted) {
    return new TokenError(`The token endpoint did not answer within ${timeoutMs} ms.`, 'timeout', {
      status: 504,
      outcome: 'unknown',
    });
  }
  // `fetch failed` carries its reason as the cause. No instanceof: a test runner's realm has an Error of its own.
  const cause: unknown = (error as { cause?: unknown } | undefined)?.cause ?? error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string' && NOT_SENT.test(code)) {
    return new TokenError(`The token endpoint could not be reached (${code}).`, 'not_sent', {
      status: 502,
      outcome: 'not-sent',
      cause,
    });
  }
  return new TokenError('The connection to the token endpoint broke.', 'connection_lost', {
    status: 502,
    outcome: 'unknown',
    cause,
  });
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (!response.body) return '';
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new TokenError('The token endpoint sent more than a token answer.', 'bad_response', {
        status: 502,
        outcome: 'unknown',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // never with the parser's own message, which quotes the body
  }
}

/** `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3), in milliseconds from now. */
export function retryAfterOf({ headers }: Response): number | undefined {
  const header = headers.get('retry-after');
  if (header === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

const SECRET_PARAMS = ['client_secret', 'code', 'code_verifier', 'refresh_token', 'password', 'mfa_token', 'otp'];

function secretsOf({ headers }: GrantEndpoint, params: Readonly<Record<string, string>>): string[] {
  const sent = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'authorization');
  const secrets = [
    ...sent.flatMap(([, value]) => secretsIn(value)),
    ...SECRET_PARAMS.flatMap((name) => params[name] ?? []),
  ];
  return secrets.filter((secret) => secret.length >= 4);
}

/** A server may repeat what it was sent in its description of what was wrong with it. */
function redact(message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '[hidden]'), message).slice(0, 500);
}
