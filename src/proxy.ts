import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuseCrossSite } from './cross-site.js';
import { RequestRefusedError, SignInRequiredError, SparkError, safeCause, UnavailableError } from './errors.js';
import { requestHeadersUp } from './headers.js';
import { OptionCheck } from './options.js';
import { type PathRules, refuseTarget } from './paths.js';
import { type SignedInTokens, tokenKeyOf } from './session.js';
import { adoptedKey, type TokenService } from './tokens/service.js';
import { announcesBody, Upload } from './upload.js';
import { ClientGone, Exchange, type Outgoing, type Timeouts, Upstream } from './upstream.js';

/** What the proxy needs of a strategy. */
export interface ProxyStrategy extends SignedInTokens {
  readonly apiURL: string;
  readonly userAgent: string;
  /** Where the application is reached; its pages may call the proxy. */
  readonly origin: string | undefined;
}

/** One entry of an allow-list. */
export interface AllowRule {
  readonly methods: readonly string[];
  /** A path as it goes up (`/v1/listings`), or everything below one (`/v1/listings/*`). */
  readonly path: string;
  /** Let `X-HTTP-Method-Override: GET` pass here. Default false. */
  readonly override?: boolean;
}

export interface AllowedRequest {
  readonly method: string;
  readonly path: string;
  readonly override: boolean;
}

export interface SparkProxyOptions {
  /** The strategy whose signed-in people call the API. */
  readonly strategy?: ProxyStrategy;
  /** Any token service (client credentials, cloud), instead of `strategy`; needs `target` and `tokenKey`. */
  readonly tokens?: TokenService;
  /** Origin of the API. Default: the strategy's `apiURL`. */
  readonly target?: string;
  /** Names the tokens to use (stored with `tokens.adopt`), instead of the session's. Needs `allow`, and `authorize` or `public`. */
  readonly tokenKey?: (req: IncomingMessage) => string | Promise<string>;
  /** Who may call through `tokenKey`. */
  readonly authorize?: (req: IncomingMessage) => boolean | Promise<boolean>;
  /** Every visitor may call through `tokenKey`. */
  readonly public?: boolean;
  /** What may be called. Default: everything that the path rules let pass. */
  readonly allow?: readonly AllowRule[] | ((request: AllowedRequest) => boolean);
  /** Origins whose pages may call the proxy. Default: the origin of the strategy's `callbackURL`. */
  readonly origins?: readonly string[];
  /** A header that programs without `Origin` must send with unsafe methods. Default: none, they are refused. */
  readonly requireHeader?: string;
  /** Bytes of a body kept for one replay after an expired token. Default 65 536. */
  readonly replayLimit?: number;
  readonly timeouts?: Partial<Timeouts>;
  /** Connections to the API that one process keeps. Default 128. */
  readonly connections?: number;
  /** Sent as `X-SparkApi-User-Agent`. Default: the strategy's. */
  readonly userAgent?: string;
  /** Let the `ApiUser` parameter pass, with which an office key acts for one of its people. Default false. */
  readonly impersonation?: boolean;
  /** Let `%2F` pass inside a quoted OData key. Default false. */
  readonly encodedSlashInKey?: boolean;
  /** Told of every failure; it answers nothing. */
  readonly onError?: (error: Error, req: IncomingMessage) => void;
}

export type ProxyHandler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

interface ProxySettings {
  readonly tokens: TokenService;
  readonly keyOf: (req: IncomingMessage) => Promise<string>;
  readonly upstream: Upstream;
  readonly pathRules: PathRules;
  readonly allow: ((request: AllowedRequest) => boolean) | undefined;
  readonly origins: readonly string[];
  readonly requireHeader: string | undefined;
  readonly replayLimit: number;
  readonly setHeaders: readonly string[];
  readonly onError: SparkProxyOptions['onError'];
}

/**
 * Creates the middleware that calls the Spark API for the person who is signed in: streams both ways, attaches the
 * session's access token and renews it unseen.
 * @throws ConfigError that lists every problem with the options and its remedy
 * @example app.use('/spark', sparkProxy({ strategy })); // /spark/v1/listings → https://sparkapi.com/v1/listings
 */
export function sparkProxy(options: SparkProxyOptions): ProxyHandler {
  const settings = parseProxyOptions(options);

  return function sparkProxyMiddleware(req, res, next) {
    relay(req, res, settings).catch((error: unknown) => {
      if (error instanceof ClientGone) return;
      settings.onError?.(error instanceof Error ? error : safeCause(error), req);
      if (error instanceof SparkError) answerError(res, error, settings.tokens);
      else next(error);
    });
  };
}

async function relay(req: IncomingMessage, res: ServerResponse, settings: ProxySettings): Promise<void> {
  const request = checkRequest(req, settings);
  const key = await settings.keyOf(req);
  const outgoing = prepare(req, request, settings);
  const mount = { target: settings.upstream.origin, baseUrl: (req as { baseUrl?: string }).baseUrl ?? '' };
  const exchange = new Exchange(req, res, outgoing, settings.upstream, settings.tokens.upstream, mount);
  try {
    await settings.tokens.use(key, (record) => exchange.send(record.accessToken));
    exchange.passOn();
  } finally {
    exchange.release();
  }
}

/** Refuses what must not go up, before anything is looked up or read. */
function checkRequest(req: IncomingMessage, settings: ProxySettings): AllowedRequest {
  const method = req.method ?? '';
  if (!METHODS.has(method)) throw refused(405, 'method_refused', `${method} does not pass through the proxy.`);
  const crossSite = refuseCrossSite(req, settings);
  if (crossSite) throw refused(403, 'cross_site', crossSite);
  const { originalUrl } = req as { originalUrl?: string };
  const target = originalUrl !== undefined && !originalUrl.startsWith('/') ? originalUrl : (req.url ?? '');
  const refusal = refuseTarget(target, settings.pathRules);
  if (refusal) throw refused(refusal.status, refusal.code, refusal.message);
  const request: AllowedRequest = { method, path: target.split('?', 1)[0] ?? '', override: hasOverride(req) };
  if (settings.allow && !settings.allow(request)) {
    throw refused(403, 'not_allowed', 'This method and path are not among those that the proxy allows.');
  }
  return request;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** A long query may travel as a form: POST with `X-HTTP-Method-Override: GET`. No other override passes. */
function hasOverride(req: IncomingMessage): boolean {
  if (req.headers['x-http-method'] !== undefined || req.headers['x-method-override'] !== undefined) {
    throw refused(400, 'method_override', 'Write the override as X-HTTP-Method-Override.');
  }
  // Repeated headers arrive joined with a comma, and so fail the comparison.
  const override = req.headers['x-http-method-override'];
  if (override === undefined) return false;
  const form = /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(req.headers['content-type'] ?? '');
  if (override === 'GET' && req.method === 'POST' && form) return true;
  throw refused(400, 'method_override', 'X-HTTP-Method-Override passes as GET, once, on a POST with a form body.');
}

function prepare(req: IncomingMessage, request: AllowedRequest, settings: ProxySettings): Outgoing {
  const set = request.override ? [...settings.setHeaders, 'X-HTTP-Method-Override', 'GET'] : settings.setHeaders;
  const headers = requestHeadersUp(req.rawHeaders, set);
  const body = announcesBody(req) ? bodyOf(req, settings.replayLimit) : null;
  const length = req.headers['content-length'];
  if (body instanceof Upload && length !== undefined) headers.push('Content-Length', length);
  return { method: request.method, path: req.url ?? '/', headers, body };
}

/** The body to send: the stream, or what a parser kept of it. A body rebuilt from parsed values would not be the same. */
function bodyOf(req: IncomingMessage, replayLimit: number): Buffer | Upload {
  const consumed = req.readableDidRead || req.readableEnded || req.destroyed;
  if (!consumed) return new Upload(req, replayLimit);
  const { rawBody } = req as { rawBody?: unknown };
  if (Buffer.isBuffer(rawBody)) return rawBody;
  throw new RequestRefusedError(
    'A body parser consumed the body before the proxy: mount sparkProxy before the parser, or keep the bytes as req.rawBody.',
    { code: 'body_consumed', status: 500 },
  );
}

function answerError(res: ServerResponse, error: SparkError, tokens: TokenService): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  res.statusCode = error.status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  if (error instanceof UnavailableError)
    res.setHeader('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  res.end(JSON.stringify(tokens.upstream.errorBody(error.status, error.code, error.message)));
}

function refused(status: number, code: string, message: string): RequestRefusedError {
  return new RequestRefusedError(message, { code, status });
}

const OPTION_NAMES: readonly (keyof SparkProxyOptions)[] = [
  'strategy',
  'tokens',
  'target',
  'tokenKey',
  'authorize',
  'public',
  'allow',
  'origins',
  'requireHeader',
  'replayLimit',
  'timeouts',
  'connections',
  'userAgent',
  'impersonation',
  'encodedSlashInKey',
  'onError',
];

const DEFAULT_TIMEOUTS: Timeouts = { connectMs: 10_000, headersMs: 60_000, idleMs: 60_000, totalMs: 0 };

function parseProxyOptions(options: SparkProxyOptions): ProxySettings {
  const check = new OptionCheck('sparkProxy');
  const { strategy } = options;
  const tokens = options.tokens ?? strategy?.tokens;
  check.known(options, OPTION_NAMES);
  if (!tokens)
    check.problem('there is nobody to call for; write sparkProxy({ strategy }), or { tokens, target, tokenKey, … }.');
  const target = options.target ?? strategy?.apiURL;
  const origin = target === undefined && !tokens ? '' : check.origin('target', target);
  checkTokenKey(check, options);
  const timeouts = timeoutOptions(check, options.timeouts);
  const connections = check.number('connections', options.connections, 128, { min: 1 });
  const replayLimit = check.number('replayLimit', options.replayLimit, 64 * 1024, { min: 0 });
  for (const allowed of options.origins ?? []) check.origin('origins', allowed);
  check.done();
  if (!tokens) throw new Error('unreachable: the check above has thrown');
  return {
    tokens,
    keyOf: options.tokenKey
      ? keyByName(options.tokenKey, options)
      : keyBySession({ tokens, sessionKey: strategy?.sessionKey ?? 'spark' }),
    upstream: new Upstream(origin, connections, timeouts),
    pathRules: {
      refusedPaths: tokens.upstream.refusedPaths,
      impersonation: options.impersonation ?? false,
      encodedSlashInKey: options.encodedSlashInKey ?? false,
    },
    allow: allowFunction(options.allow),
    origins: options.origins ?? (strategy?.origin === undefined ? [] : [strategy.origin]),
    requireHeader: options.requireHeader?.toLowerCase(),
    replayLimit,
    setHeaders: ['X-SparkApi-User-Agent', options.userAgent ?? strategy?.userAgent ?? 'passport-spark'],
    onError: options.onError,
  };
}

/** Without these every visitor would act as the office whose key it is. */
function checkTokenKey(check: OptionCheck, options: SparkProxyOptions): void {
  if (!options.tokenKey) {
    if (options.tokens && !options.strategy)
      check.problem('"tokens" needs "tokenKey"; write a function that names the tokens for a request.');
    return;
  }
  if (!options.authorize && options.public !== true) {
    check.problem(
      '"tokenKey" needs "authorize"; write a function that tells who may call, or public: true for every visitor.',
    );
  }
  if (!options.allow)
    check.problem(
      '"tokenKey" needs "allow"; write what may be called: [{ methods: [\'GET\'], path: \'/v1/listings\' }].',
    );
}

function timeoutOptions(check: OptionCheck, given: Partial<Timeouts> = {}): Timeouts {
  const names = Object.keys(DEFAULT_TIMEOUTS) as (keyof Timeouts)[];
  check.known(given, names);
  const entries = names.map((name) => [
    name,
    check.number(`timeouts.${name}`, given[name], DEFAULT_TIMEOUTS[name], { min: 0 }),
  ]);
  return Object.fromEntries(entries) as unknown as Timeouts; // every name of Timeouts is in `names`
}

function keyBySession(place: SignedInTokens): (req: IncomingMessage) => Promise<string> {
  return async function sessionTokenKey(req) {
    if (!(req as { session?: unknown }).session) {
      // express-session leaves it out while its store is away: that is no reason to ask anybody to sign in.
      throw new UnavailableError('The request has no session: sessions are away, or not mounted before the proxy.', {
        code: 'no_session',
      });
    }
    const key = tokenKeyOf(req, place);
    if (key === undefined) throw new SignInRequiredError();
    return key;
  };
}

function keyByName(
  tokenKey: NonNullable<SparkProxyOptions['tokenKey']>,
  { authorize }: SparkProxyOptions,
): (req: IncomingMessage) => Promise<string> {
  return async function namedTokenKey(req) {
    if (authorize && !(await authorize(req))) throw refused(403, 'not_authorized', 'You may not call the API here.');
    return adoptedKey(await tokenKey(req));
  };
}

function allowFunction(allow: SparkProxyOptions['allow']): ProxySettings['allow'] {
  if (allow === undefined || typeof allow === 'function') return allow as ProxySettings['allow'];
  return (request) => allow.some((rule) => allows(rule, request));
}

function allows({ methods, path, override }: AllowRule, request: AllowedRequest): boolean {
  if (!methods.includes(request.method) || (request.override && override !== true)) return false;
  return path.endsWith('/*') ? request.path.startsWith(path.slice(0, -1)) : request.path === path;
}
