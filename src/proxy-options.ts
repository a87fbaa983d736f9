import { type IncomingMessage, validateHeaderName } from 'node:http';
import type { SessionData, SessionOptions } from 'express-session';
import { type AllowedRequest, type AllowRule, allowFunction } from './allow.js';
import { describeError } from './errors.js';
import type { HeaderEditor } from './header-editor.js';
import { ExpressLane, laneStore } from './lane.js';
import { atOnce, MAX_TIMER_MS, OptionCheck, USER_AGENT_REMEDY } from './options.js';
import type { PathRules } from './paths.js';
import type { SignedInTokens } from './signin/link.js';
import type { TokenService } from './tokens/service.js';
import { type Timeouts, Upstream } from './upstream.js';

/** What the proxy needs of a strategy. */
export interface ProxyStrategy extends SignedInTokens {
  readonly apiURL: string;
  readonly userAgent: string;
  /** Where the application is reached; its pages may call the proxy. */
  readonly origin: string | undefined;
}

/**
 * The functions are declared as methods, whose parameters TypeScript compares both ways: so that a `req` may be written as
 * the `Request` of Express, of whatever version. These declarations name none.
 */
export interface SparkProxyOptions<Session extends SessionOptions | undefined = undefined> {
  /** The strategy whose signed-in people call the API. */
  readonly strategy?: ProxyStrategy;
  /** Any token service (client credentials, cloud), instead of `strategy`; needs `target` and `tokenKey`. */
  readonly tokens?: TokenService;
  /** Origin of the API. Default: the strategy's `apiURL`. */
  readonly target?: string;
  /** Names the tokens to use (stored with `tokens.adopt`), instead of the session's. Needs `allow`, and `authorize` or `public`. */
  tokenKey?(req: IncomingMessage): string | Promise<string>;
  /**
   * Puts the proxy into the express lane, which reads the session by itself, without express-session: mount it before
   * `session()`. The same object that `session()` gets, with its `store`; `rolling`, `resave` and `saveUninitialized` off.
   */
  readonly session?: Session;
  /**
   * Who may call through `tokenKey`. In the express lane: who may call, apart from being signed in, since what stands
   * between `session()` and the routes elsewhere is not asked there; changes to the session are not saved.
   */
  authorize?(caller: Caller<Session>, req: IncomingMessage): boolean | Promise<boolean>;
  /** Every visitor may call through `tokenKey`. */
  readonly public?: boolean;
  /** What may be called. A function lets pass what it answers `true` to. Default: everything that the path rules let pass. */
  readonly allow?: readonly AllowRule[] | ((request: AllowedRequest) => boolean);
  /** Origins whose pages may call the proxy. Default: the origin of the strategy's `callbackURL`. */
  readonly origins?: readonly string[];
  /** A header that programs without `Origin` must send with unsafe methods. Default: none, they are refused. */
  readonly requireHeader?: string;
  /** Bytes of a body kept for one replay after an expired token. Default 65 536. */
  readonly replayLimit?: number;
  readonly timeouts?: Partial<Timeouts>;
  /** At most, to the API, of this `sparkProxy` in one process; further requests wait up to `connectMs`. Default 128. */
  readonly connections?: number;
  /** Sent as `X-SparkApi-User-Agent`. Default: the strategy's. */
  readonly userAgent?: string;
  /** Let the `ApiUser` parameter pass, with which an office key acts for one of its people. Default false. */
  readonly impersonation?: boolean;
  /** Let `%2F` pass inside a quoted OData key. Default false. */
  readonly encodedSlashInKey?: boolean;
  /**
   * Edits the headers that go up, before the access token is added to them. What the proxy sets, and what it keeps from
   * the API, can't be set. May be async.
   */
  onRequest?(headers: HeaderEditor, req: IncomingMessage): void | Promise<void>;
  /**
   * Edits the headers that come back, before the proxy's own are added. `Cache-Control` only gets stricter by them. Not async:
   * the answer waits for nobody.
   */
  onResponse?(headers: HeaderEditor, req: IncomingMessage, status: number): void;
  /**
   * Told of every failure; it answers nothing. `error` is a `SparkError` with its `code` and `status`, or what a function of
   * the application threw. May be async; nobody waits for it.
   */
  onError?(error: Error, req: IncomingMessage): void;
}

/** The options of the express lane. */
export type ExpressLaneOptions = SparkProxyOptions<SessionOptions>;

/** Whom `authorize` is asked about: a person's session in the express lane, else a request. */
export type Caller<Session> = Session extends SessionOptions ? Readonly<Partial<SessionData>> : IncomingMessage;

/** The options as the request path uses them: checked, with every default in place. */
export interface ProxySettings {
  readonly tokens: TokenService;
  readonly sessionKey: string;
  readonly tokenKey: SparkProxyOptions['tokenKey'];
  readonly authorize: SparkProxyOptions['authorize'];
  readonly lane: ExpressLane | undefined;
  readonly authorizeSession: ExpressLaneOptions['authorize'];
  readonly upstream: Upstream;
  readonly pathRules: PathRules;
  readonly allow: ((request: AllowedRequest) => boolean) | undefined;
  readonly origins: readonly string[];
  readonly requireHeader: string | undefined;
  readonly replayLimit: number;
  readonly setHeaders: readonly string[];
  readonly onRequest: SparkProxyOptions['onRequest'];
  readonly onResponse: SparkProxyOptions['onResponse'];
  readonly onError: SparkProxyOptions['onError'];
}

const OPTION_NAMES: readonly (keyof SparkProxyOptions)[] = [
  'strategy',
  'tokens',
  'target',
  'session',
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
  'onRequest',
  'onResponse',
  'onError',
];

const NO_ASYNC = 'leave out async: the answer waits for nobody.';
const TARGET_REMEDY = "write the API's origin, like 'https://api.example.com'.";
const DEFAULT_TIMEOUTS: Timeouts = { connectMs: 10_000, headersMs: 60_000, idleMs: 60_000, totalMs: 0 };

/** @throws ConfigError that lists every problem with the options and its remedy */
export function parseProxyOptions(given: SparkProxyOptions | ExpressLaneOptions = {}): ProxySettings {
  const check = new OptionCheck('sparkProxy');
  check.object(given, 'write sparkProxy({ strategy }).');
  refuseStrategyItself(check, given);
  const { session, authorizeSession, ...options } = bothRoads(given);
  const { strategy } = options;
  const tokens = options.tokens ?? strategy?.tokens;
  check.known(options, OPTION_NAMES);
  if (!tokens)
    check.problem('there is nobody to call for; write sparkProxy({ strategy }), or { tokens, target, tokenKey, … }.');
  else if (!isTokenService(tokens)) {
    check.problem(
      options.tokens
        ? '"tokens" is no token service; write client.tokens.'
        : '"strategy" has no token service; write the SparkStrategy itself.',
    );
  }
  if (options.tokens && strategy && options.tokens !== strategy.tokens)
    check.problem('"strategy" and "tokens" are two answers to whose tokens are used; leave one of them out.');
  const target = options.target ?? strategy?.apiURL;
  const origin = target === undefined && !tokens ? '' : check.origin('target', target, TARGET_REMEDY);
  const store = session === undefined ? undefined : laneStore(check, session);
  if (session === undefined) checkTokenKey(check, options);
  else checkLane(check, options, authorizeSession);
  check.flag('public', options.public, false);
  check.func('onRequest', options.onRequest, 'write a function (headers, req) => void.');
  check.func('onResponse', options.onResponse, 'write a function (headers, req, status) => void.');
  check.func('onError', options.onError, 'write a function (error, req) => void.');
  const { onResponse } = options;
  const onError = heardError(options.onError);
  const allow = allowFunction(check, options.allow);
  const origins = originList(check, options.origins) ?? (strategy?.origin === undefined ? [] : [strategy.origin]);
  const requireHeader = headerName(check, options.requireHeader);
  const userAgent = check.header(
    'userAgent',
    options.userAgent ?? strategy?.userAgent ?? 'passport-spark',
    USER_AGENT_REMEDY,
  );
  const timeouts = timeoutOptions(check, options.timeouts);
  const connections = check.whole('connections', options.connections, 128, { min: 1 });
  const replayLimit = check.whole('replayLimit', options.replayLimit, 64 * 1024, { min: 0 });
  const impersonation = check.flag('impersonation', options.impersonation, false);
  const encodedSlashInKey = check.flag('encodedSlashInKey', options.encodedSlashInKey, false);
  check.done();
  if (!tokens) throw new Error('unreachable: the check above has thrown');
  return {
    tokens,
    sessionKey: strategy?.sessionKey ?? 'spark',
    tokenKey: options.tokenKey,
    authorize: options.authorize,
    lane: session && store && new ExpressLane({ ...session, store }, (error, req) => onError?.(error, req)),
    authorizeSession,
    upstream: new Upstream(origin, connections, timeouts),
    pathRules: { refusedPaths: tokens.upstream.refusedPaths, impersonation, encodedSlashInKey },
    allow,
    origins,
    requireHeader,
    replayLimit,
    setHeaders: ['X-SparkApi-User-Agent', userAgent],
    onRequest: options.onRequest,
    onResponse: onResponse && ((...args) => atOnce('sparkProxy', 'onResponse', onResponse(...args), NO_ASYNC)),
    onError,
  };
}

/** An async `onError`, as those of reporters are, may reject: nobody else would look at it. */
function heardError(onError: SparkProxyOptions['onError']): SparkProxyOptions['onError'] {
  if (!onError) return undefined;
  return (error, req) => {
    const told: unknown = onError(error, req);
    Promise.resolve(told).catch((reason: unknown) => {
      process.emitWarning(`"onError" of sparkProxy rejected. ${describeError(reason)}`, { code: 'SPARK_ON_ERROR' });
    });
  };
}

/** Its own properties would be reported one by one as options that there are not. */
function refuseStrategyItself(check: OptionCheck, given: object): void {
  const { apiURL, sessionKey, tokens } = given as Partial<ProxyStrategy>;
  if (typeof apiURL !== 'string' || typeof sessionKey !== 'string' || !tokens) return;
  check.problem('this is the strategy itself; write sparkProxy({ strategy }).');
  check.done();
}

/** By what it can do: it may come from another copy of this package. */
function isTokenService({ use, upstream }: Partial<TokenService>): boolean {
  return typeof use === 'function' && Array.isArray(upstream?.refusedPaths);
}

/** The lane's `authorize` is asked about a session, that of `tokenKey` about a request. */
function bothRoads(given: SparkProxyOptions | ExpressLaneOptions): Omit<SparkProxyOptions, 'session'> & {
  readonly session: SessionOptions | undefined;
  readonly authorizeSession: ExpressLaneOptions['authorize'];
} {
  // Without a session it is the other kind, which a guard on an optional member doesn't tell the compiler.
  if (!inLane(given)) return { ...(given as SparkProxyOptions), session: undefined, authorizeSession: undefined };
  const { session, authorize, ...options } = given;
  return { ...options, session, authorizeSession: authorize };
}

function inLane(
  given: SparkProxyOptions | ExpressLaneOptions,
): given is ExpressLaneOptions & { readonly session: SessionOptions } {
  return given.session !== undefined;
}

function checkLane(check: OptionCheck, options: SparkProxyOptions, authorize: ExpressLaneOptions['authorize']): void {
  check.func('authorize', authorize, 'write a function (session, req) => boolean that tells who may call.');
  if (options.tokenKey !== undefined || options.public !== undefined)
    check.problem('"session" is for people who signed in, "tokenKey" and "public" are not; leave one of them out.');
  if (!options.strategy)
    check.problem('"session" needs "strategy", which signs people in; write sparkProxy({ strategy, session }).');
}

/** Without these every visitor would act as the office whose key it is. */
function checkTokenKey(check: OptionCheck, options: Omit<SparkProxyOptions, 'session'>): void {
  check.func('tokenKey', options.tokenKey, 'write a function that names the tokens for a request.');
  check.func('authorize', options.authorize, 'write a function that tells who may call.');
  if (options.tokenKey === undefined) {
    if (options.tokens && !options.strategy)
      check.problem('"tokens" needs "tokenKey"; write a function that names the tokens for a request.');
    if (options.authorize !== undefined)
      check.problem(
        '"authorize" goes with "tokenKey", or with "session" (the express lane); without both, ask in a middleware before the proxy.',
      );
    if (options.public !== undefined)
      check.problem('"public" goes with "tokenKey"; without it the session decides: leave it out.');
    return;
  }
  if (options.authorize !== undefined && options.public === true)
    check.problem(
      '"authorize" and "public" contradict each other: some may call, and everybody; leave one of them out.',
    );
  if (options.authorize === undefined && options.public !== true) {
    check.problem(
      '"tokenKey" needs "authorize"; write a function that tells who may call, or public: true for every visitor.',
    );
  }
  if (options.allow === undefined)
    check.problem(
      '"tokenKey" needs "allow"; write what may be called: [{ methods: [\'GET\'], path: \'/v1/listings\' }].',
    );
}

function originList(check: OptionCheck, origins: unknown): readonly string[] | undefined {
  if (origins === undefined) return undefined;
  if (!Array.isArray(origins)) {
    check.problem('"origins" is not a list; write [\'https://app.example.com\'].');
    return undefined;
  }
  return origins.map((origin) =>
    check.origin('origins', origin, "write where your pages are, like 'https://app.example.com'."),
  );
}

/** CORS-safelisted: any page may have them sent to another site, without asking that first (Fetch Standard §2.2.2). */
const SAFELISTED = new Set(['accept', 'accept-language', 'content-language', 'content-type', 'range']);

function headerName(check: OptionCheck, name: unknown): string | undefined {
  if (name === undefined) return undefined;
  try {
    const text = check.text('requireHeader', name, "write a name like 'X-Requested-With'.");
    if (text !== '') validateHeaderName(text);
    if (SAFELISTED.has(text.toLowerCase())) {
      check.problem(
        `"requireHeader" is '${text}', which a browser sends to other sites unasked; write a name like 'X-Requested-With'.`,
      );
    }
    return text.toLowerCase();
  } catch {
    check.problem('"requireHeader" can not be the name of a header; write a name like \'X-Requested-With\'.');
    return undefined;
  }
}

function timeoutOptions(check: OptionCheck, given: Partial<Timeouts> = {}): Timeouts {
  if (typeof given !== 'object' || given === null) {
    check.problem('"timeouts" is no object; write { headersMs: 60_000 }.');
    return DEFAULT_TIMEOUTS;
  }
  const names = Object.keys(DEFAULT_TIMEOUTS) as (keyof Timeouts)[]; // the keys of a constant of that type
  check.known(given, names);
  const range = { min: 0, max: MAX_TIMER_MS };
  const entries = names.map((name) => [
    name,
    check.whole(`timeouts.${name}`, given[name], DEFAULT_TIMEOUTS[name], range),
  ]);
  return Object.fromEntries(entries) as unknown as Timeouts; // every name of Timeouts is in `names`
}
