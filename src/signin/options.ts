import type { AuthenticateOptions } from 'passport';
import { described, MAX_TIMER_MS, OptionCheck, parseURL, type Scope, USER_AGENT_REMEDY } from '../options.js';
import { API_URL, type Flow, GRANT_PATH, PLATFORM_URL, type Role } from '../platform.js';
import type { TokenStore } from '../tokens/store.js';
import { tokenStoreOption } from '../tokens/store-option.js';
import { type AttributeRequest, AX_ATTRIBUTES, type AXAttribute, SREG_FIELDS, type SRegField } from './attributes.js';
import { sessionKeyOption } from './link.js';
import { AUTHENTICATE, type PortalOption, type RoleSettings, roleOptions } from './role.js';

/** A `store` for the state, with the arities that passport-oauth2 documents. */
export interface StateStore {
  // biome-ignore lint/suspicious/noExplicitAny: called with 2 to 5 arguments, by its own length, as passport-oauth2 does
  store(...args: any[]): void;
  // biome-ignore lint/suspicious/noExplicitAny: called with 3 or 4 arguments, by its own length
  verify(...args: any[]): void;
}

export interface SparkStrategyOptions {
  /** The API key's client id, from FBS. */
  readonly clientID: string;
  /** The API key's secret, from FBS. */
  readonly clientSecret: string;
  /** Where Spark sends people back to: the URI on record for the key. A path alone is resolved by the request's host. */
  readonly callbackURL: string;
  /** Path of the callback as the application sees it, where a proxy before it rewrites paths. Default: the path of `callbackURL`. */
  readonly callbackPath?: string;
  /** Sent as `X-SparkApi-User-Agent` with every request to Spark. Default `passport-spark`. */
  readonly userAgent?: string;
  /** Whom the key speaks for. Default `private`. Where it is written, walls let in people of this role alone. */
  readonly role?: Role;
  /** With `role: 'vow'`: the agent's portal, or a function that tells it for a request. `false`: the multi-agent endpoint. */
  readonly portal?: PortalOption;
  /** Default `oauth2`. `hybrid` (OpenID + OAuth 2) serves Private and IDX keys. */
  readonly flow?: Flow;
  /** Where tokens live. Default: a new `MemoryTokenStore`, for development. */
  readonly tokenStore?: TokenStore;
  /** Where people sign in. Default `https://sparkplatform.com`. */
  readonly platformURL?: string;
  /** The API. Default `https://sparkapi.com`. */
  readonly apiURL?: string;
  /** The page to send people to, instead of the one that role, portal and flow choose. */
  readonly authorizationURL?: string;
  /** The grant endpoint. Default `/v1/oauth2/grant` on `apiURL`. */
  readonly tokenURL?: string;
  /** Headers for the grant endpoint. */
  readonly customHeaders?: Readonly<Record<string, string>>;
  /** `true` or absent: a state of our own, always. A string or object is application state, returned as `info.state`. */
  readonly state?: true | string | object;
  /** Keeps the state elsewhere than in the sealed cookie, as passport-oauth2's `store` does. */
  readonly store?: StateStore;
  /** PKCE with S256 (RFC 7636). Default false: Spark does not document it. */
  readonly pkce?: boolean | 'S256';
  readonly scope?: Scope;
  /** Stands between the scopes of a list. Default a space, as the standard has it. */
  readonly scopeSeparator?: ' ' | ',';
  /** Trust `X-Forwarded-Proto` and `-Host` for a `callbackURL` that is a path. Default: Express' `trust proxy`. */
  readonly proxy?: boolean;
  /** Name of the session link in `req.session`. Default `spark`. */
  readonly sessionKey?: string;
  readonly passReqToCallback?: boolean;
  /** Don't ask Spark who signed in. Default false. */
  readonly skipUserProfile?:
    | boolean
    | (() => boolean | Promise<boolean>)
    | ((accessToken: string, done: (error: unknown, skip?: boolean) => void) => void);
  /** Seals the attempt cookies. At least 32 characters; default: derived from `clientSecret`. */
  readonly cookieSecret?: string;
  /**
   * What becomes of a sign-in when Spark gives tokens but, asked twice, does not say who signed in. `fail` (default): it
   * fails with `profile_failed`, and the tokens are revoked. `continue`: the verify function gets no profile.
   */
  readonly onProfileFailure?: 'fail' | 'continue';
  /**
   * Hybrid flow: have every assertion verified by Spark (OpenID 2.0 §11.4.2) before its code is used, and refuse nonces that
   * came before. The minimal callback of the vendor's page has nothing to verify, and is refused then. Default false.
   */
  readonly verifyAssertion?: boolean;
  /** Hybrid flow: attributes to ask for by Attribute Exchange; `true`: all. Needs `verifyAssertion`. */
  readonly ax?: true | readonly AXAttribute[];
  /** Hybrid flow: fields to ask for by Simple Registration; `true`: all. Needs `verifyAssertion`. */
  readonly sreg?: true | readonly SRegField[];
  /** What to do with a refresh token that a lost answer may have spent: `retry` (default) or `defer`. */
  readonly onUnknown?: 'retry' | 'defer';
  /** Deadline of a token request, in milliseconds. Default 60 000. */
  readonly grantTimeoutMs?: number;
}

/** Options of one call: `passport.authenticate('spark', { … })`. Passport's own go along. */
export interface SparkAuthenticateOptions extends AuthenticateOptions {
  /**
   * Sign-in wall or ordinary route. Default: a wall when mounted by `app.use`, a route when on a route, and with
   * `session: false` or `passport.authorize`, which can't be walls. `'fail'`: a wall that fails instead of answering.
   */
  wall?: boolean | 'fail';
  /** In place of the strategy's. A wall that is told a role lets in people of that role alone. */
  role?: Role;
  /** In place of the strategy's. A wall that is told a portal lets in its consumers alone; `false`: those of any. */
  portal?: PortalOption;
  flow?: Flow;
  callbackURL?: string;
  /**
   * The page to go to after sign-in. Default: the page that was asked for. Also where the link of an error page leads, by
   * default to where the wall is mounted.
   */
  returnTo?: string;
}

/** The options, checked and with their defaults. */
export interface SparkSettings extends RoleSettings {
  readonly clientID: string;
  readonly clientSecret: string;
  readonly callbackURL: string;
  readonly callbackPath: string;
  readonly userAgent: string;
  readonly tokenStore: TokenStore;
  readonly platformURL: string;
  readonly apiURL: string;
  readonly tokenURL: string;
  readonly customHeaders: Readonly<Record<string, string>>;
  readonly state: string | object | undefined;
  readonly store: StateStore | undefined;
  readonly pkce: boolean;
  readonly scope: string | undefined;
  readonly scopeSeparator: ' ' | ',';
  readonly proxy: boolean;
  readonly sessionKey: string;
  readonly passReqToCallback: boolean;
  readonly skipUserProfile: NonNullable<SparkStrategyOptions['skipUserProfile']>;
  readonly cookieSecret: string;
  readonly onProfileFailure: 'fail' | 'continue';
  readonly verifyAssertion: boolean;
  readonly asked: AttributeRequest;
  readonly onUnknown: 'retry' | 'defer';
  readonly grantTimeoutMs: number;
}

const NAMES: readonly (keyof SparkStrategyOptions)[] = [
  'clientID',
  'clientSecret',
  'callbackURL',
  'callbackPath',
  'userAgent',
  'role',
  'portal',
  'flow',
  'tokenStore',
  'platformURL',
  'apiURL',
  'authorizationURL',
  'tokenURL',
  'customHeaders',
  'state',
  'store',
  'pkce',
  'scope',
  'scopeSeparator',
  'proxy',
  'sessionKey',
  'passReqToCallback',
  'skipUserProfile',
  'cookieSecret',
  'onProfileFailure',
  'verifyAssertion',
  'ax',
  'sreg',
  'onUnknown',
  'grantTimeoutMs',
];

/** Checks the options of a strategy. @throws ConfigError that lists every problem and its remedy */
export function parseStrategyOptions(options: SparkStrategyOptions, verify: unknown): SparkSettings {
  const check = new OptionCheck('SparkStrategy');
  check.object(options, 'write new SparkStrategy({ clientID, … }, verify).');
  check.known(options, NAMES);
  checkVerify(check, verify, options.passReqToCallback === true);
  const scopeSeparator = check.oneOf('scopeSeparator', options.scopeSeparator, [' ', ','], ' ');
  const apiURL = check.origin('apiURL', options.apiURL ?? API_URL, `write the API's origin, like '${API_URL}'.`);
  const settings: SparkSettings = {
    clientID: check.credential('clientID', options.clientID, 'write the client id of your API key.'),
    clientSecret: check.credential('clientSecret', options.clientSecret, 'write the secret of your API key.'),
    ...callbackOptions(check, options),
    userAgent: check.header('userAgent', options.userAgent ?? 'passport-spark', USER_AGENT_REMEDY),
    ...roleOptions(check, options),
    tokenStore: tokenStoreOption(check, options.tokenStore),
    platformURL: check.origin(
      'platformURL',
      options.platformURL ?? PLATFORM_URL,
      `write the origin where people sign in, like '${PLATFORM_URL}'.`,
    ),
    apiURL,
    authorizationURL:
      options.authorizationURL === undefined
        ? undefined
        : check.url('authorizationURL', options.authorizationURL)?.href,
    tokenURL:
      options.tokenURL === undefined ? apiURL + GRANT_PATH : (check.url('tokenURL', options.tokenURL)?.href ?? ''),
    customHeaders: check.headers('customHeaders', options.customHeaders),
    ...stateOptions(check, options),
    scope: check.scope(options.scope, scopeSeparator),
    scopeSeparator,
    proxy: check.flag('proxy', options.proxy, false),
    sessionKey: sessionKeyOption(check, options.sessionKey, 'spark'),
    passReqToCallback: check.flag('passReqToCallback', options.passReqToCallback, false),
    skipUserProfile:
      typeof options.skipUserProfile === 'function'
        ? options.skipUserProfile
        : check.flag('skipUserProfile', options.skipUserProfile, false),
    cookieSecret: cookieSecret(check, options),
    onProfileFailure: check.oneOf('onProfileFailure', options.onProfileFailure, ['fail', 'continue'], 'fail'),
    verifyAssertion: check.flag('verifyAssertion', options.verifyAssertion, false),
    asked: attributeOptions(check, options),
    onUnknown: check.oneOf('onUnknown', options.onUnknown, ['retry', 'defer'], 'retry'),
    grantTimeoutMs: check.whole('grantTimeoutMs', options.grantTimeoutMs, 60_000, { min: 1, max: MAX_TIMER_MS }),
  };
  check.done();
  return settings;
}

/** Arity 0 hides its parameters (rest arguments, a mock, NestJS) and is called as with the fewer. */
function checkVerify(check: OptionCheck, verify: unknown, passReqToCallback: boolean): void {
  if (typeof verify !== 'function') {
    check.problem(
      'the verify function is missing; write (accessToken, refreshToken, params, profile, done) => done(null, profile).',
    );
    return;
  }
  const { length } = verify;
  const given = passReqToCallback ? length - 1 : length;
  if (length === 0 || given === 4 || given === 5) return;
  const req = passReqToCallback ? 'req, ' : '';
  check.problem(
    `the verify function has ${length} parameter${length === 1 ? '' : 's'}; write (${req}accessToken, refreshToken, profile, done) or (${req}accessToken, refreshToken, params, profile, done).`,
  );
}

const CALL_NAMES = ['wall', 'role', 'portal', 'flow', 'callbackURL', 'returnTo', 'scope', 'state'];
const checkedCalls = new WeakSet<object>();

/** What `chooseRole` and the callback don't look at. Passport hands over the same object each time. @throws ConfigError */
export function checkCall(options: SparkAuthenticateOptions): void {
  if (checkedCalls.has(options)) return;
  const check = new OptionCheck(AUTHENTICATE);
  check.spelt(options, CALL_NAMES);
  if (options.wall !== 'fail' && options.wall !== undefined && typeof options.wall !== 'boolean') {
    check.problem(`"wall" is ${described(options.wall)}; write true, false or 'fail'.`);
  }
  check.done();
  checkedCalls.add(options);
}

function attributeOptions(check: OptionCheck, options: SparkStrategyOptions): AttributeRequest {
  const { ax = [], sreg = [] } = options;
  const asked = { ax: ax === true ? AX_ATTRIBUTES : ax, sreg: sreg === true ? SREG_FIELDS : sreg };
  for (const [name, wanted, known] of [
    ['ax', asked.ax, AX_ATTRIBUTES],
    ['sreg', asked.sreg, SREG_FIELDS],
  ] as const) {
    if (!Array.isArray(wanted) || wanted.some((one) => !(known as readonly unknown[]).includes(one))) {
      check.problem(`"${name}" asks for something unknown; write true, or a list out of ${known.join(', ')}.`);
    } else if (wanted.length > 0 && options.verifyAssertion !== true) {
      check.problem(
        `"${name}" without "verifyAssertion" would believe what the person's browser says; write verifyAssertion: true.`,
      );
    }
  }
  return asked;
}

/** Where Spark sends people back to, and the path that they come back on. */
export type CallbackPlace = Pick<SparkSettings, 'callbackURL' | 'callbackPath'>;

/** The callback of one call of `authenticate`: its own, else the strategy's. @throws ConfigError */
export function callbackOf(settings: CallbackPlace, { callbackURL }: SparkAuthenticateOptions): CallbackPlace {
  if (callbackURL === undefined) return settings;
  const check = new OptionCheck(AUTHENTICATE);
  const place = callbackOptions(check, { callbackURL });
  check.done();
  return place;
}

function callbackOptions(
  check: OptionCheck,
  options: Pick<SparkStrategyOptions, 'callbackURL' | 'callbackPath'>,
): CallbackPlace {
  const { callbackURL } = options;
  const isPath = typeof callbackURL === 'string' && /^\/(?![/\\])/.test(callbackURL);
  const url = isPath ? parseURL(`http://localhost${callbackURL}`) : check.url('callbackURL', callbackURL);
  const path: unknown = options.callbackPath ?? url?.pathname ?? '';
  const isFromRoot = typeof path === 'string' && path.startsWith('/');
  if (options.callbackPath !== undefined && !isFromRoot) {
    check.problem('"callbackPath" is no path; write it from the root, like \'/auth/spark/callback\'.');
  }
  return { callbackURL: isPath ? callbackURL : (url?.href ?? ''), callbackPath: isFromRoot ? path : '' };
}

function stateOptions(
  check: OptionCheck,
  options: SparkStrategyOptions,
): Pick<SparkSettings, 'state' | 'store' | 'pkce'> {
  const { store, pkce } = options as { store?: unknown; pkce?: unknown };
  const state = stateOption(check, options.state);
  if (pkce !== undefined && typeof pkce !== 'boolean' && pkce !== 'S256') {
    check.problem(`"pkce" is '${String(pkce)}'; write true (S256): the plain method proves nothing.`);
  }
  const usable = store as Partial<StateStore> | undefined;
  if (
    store !== undefined &&
    store !== true &&
    (typeof usable?.store !== 'function' || typeof usable.verify !== 'function')
  ) {
    check.problem('"store" has no store() and verify(); write an object with both, or leave it out.');
  }
  return {
    state,
    store: typeof store === 'object' ? (usable as StateStore) : undefined, // both functions were found above
    pkce: pkce === true || pkce === 'S256',
  };
}

/** Application state, of a strategy and of one call of `authenticate`. Undefined: none, also where `true` is written. */
export function stateOption(check: OptionCheck, state: unknown): string | object | undefined {
  if (state === false || state === null || typeof state === 'number') {
    check.problem('"state" can not be switched off: it keeps others from signing people in; leave it out.');
  }
  return typeof state === 'string' || (typeof state === 'object' && state !== null) ? state : undefined;
}

function cookieSecret(check: OptionCheck, options: SparkStrategyOptions): string {
  const { cookieSecret: secret } = options;
  if (secret !== undefined && (typeof secret !== 'string' || secret.length < 32)) {
    check.problem('"cookieSecret" is shorter than 32 characters; write a longer one, or leave it out.');
  }
  return secret ?? options.clientSecret;
}
