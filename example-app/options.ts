import type { SessionOptions } from 'express-session';
import type { Authenticator } from 'passport';
import { SparkCloudStrategy } from '../src/cloud/index.js';
import { type SparkProxyOptions, SparkStrategy } from '../src/index.js';
import { OptionCheck } from '../src/options.js';

/** Options of `createLoginSite`. */
export interface LoginSiteOptions {
  /**
   * Who signs people in. Its `callbackURL` lies below the place where the site is mounted; the site answers it.
   * Default: the strategy `spark` of `passport`, else one for `emulator` whose callback is `/auth/spark/callback` below `baseURL`.
   */
  readonly strategy?: SparkStrategy | undefined;
  /**
   * The host application's Passport. The site then registers no serializers: people are kept as the host keeps them.
   * Default: a Passport of its own, which keeps the whole user in the session.
   */
  readonly passport?: Authenticator | undefined;
  /**
   * Options of a session of the site's own, apart from any session that the host has. A `store` needs a `secret`; what else
   * is left out gets a safe default. `saveUninitialized` and the cookie's `httpOnly`, `sameSite`, `secure` and `path` are
   * always the site's.
   * `false`: the host's session, which has to be mounted before the site.
   * Default: the host's session when `passport` is given, else one of its own in memory.
   */
  readonly session?: Partial<SessionOptions> | false | undefined;
  /**
   * Public address of the site, with the path where it is mounted: `https://app.example.com/members`.
   * Its scheme decides whether cookies are `Secure`; its origin is the one that may post to the site. The mount has the same
   * path: a proxy in front that takes a prefix off is not supported. One that ends TLS has to send `X-Forwarded-Proto: https`.
   */
  readonly baseURL: string;
  /** The emulator that stands in for Spark: the site says so, and offers to expire an access token. Default: none. */
  readonly emulator?: LoginSiteEmulator | undefined;
  /** What keeps sessions and tokens, for people to read: `'Redis'`. `'memory'` warns them. Default: `'memory'` when the own session has no store. */
  readonly storage?: string | undefined;
  /** Adds `/cloud`, a page for the Spark Core cloud: sign in there, see devices and tokens. Default: no such page. */
  readonly cloud?: SparkCloudStrategy | undefined;
  /** The portal's name that the form begins with. Default: the strategy's, else `myportal` with an emulator, else empty. */
  readonly portal?: string | undefined;
  /**
   * What browsers may call through the site's proxy, `/spark/v1/…`, as in `sparkProxy`. Default: whatever the API allows the
   * person who is signed in. Its own pages need GET of `/v1/listings`, `/v1/listings/*` and `/v1/photos/*`.
   */
  readonly allow?: SparkProxyOptions['allow'] | undefined;
}

/** As much of an emulator as the site needs; the handle of `createSparkEmulator(…).listen(…)` fits. */
export interface LoginSiteEmulator {
  /** Origin of sign-in and API. */
  readonly url: string;
  expireAccessToken(token: string): unknown;
  /** People to try, shown on the first page with their passwords. Default: none are named. */
  readonly people?: readonly EmulatorPerson[] | undefined;
}

/** Somebody who can sign in at the emulator. */
export interface EmulatorPerson {
  readonly username: string;
  readonly password: string;
  /** What this person can sign in as, for people to read: `Private and IDX`. */
  readonly roles: string;
}

/** The options, checked and with their defaults. */
export interface SiteSettings {
  readonly strategy: SparkStrategy;
  readonly passport: Authenticator | undefined;
  /** `false`: the host's session. */
  readonly session: Partial<SessionOptions> | false;
  readonly base: URL;
  readonly emulator: LoginSiteEmulator | undefined;
  readonly storage: string | undefined;
  readonly cloud: SparkCloudStrategy | undefined;
  readonly portal: string;
  readonly allow: SparkProxyOptions['allow'];
}

const NAMES: readonly (keyof LoginSiteOptions)[] = [
  'strategy',
  'passport',
  'session',
  'baseURL',
  'emulator',
  'storage',
  'cloud',
  'portal',
  'allow',
];

/** Checks the options of the site. @throws ConfigError that lists every problem and its remedy */
export function parseSiteOptions(options: LoginSiteOptions): SiteSettings {
  const check = new OptionCheck('createLoginSite');
  if (typeof options !== 'object' || options === null) {
    check.problem("the options are missing; write createLoginSite({ strategy, baseURL: 'https://…' }).");
    check.done();
  }
  check.known(options, NAMES);
  const base = check.url('baseURL', options.baseURL);
  if (base?.search) check.problem('"baseURL" has a query; leave it out.');
  checkPassport(check, options.passport);
  checkEmulator(check, options.emulator);
  if (options.cloud !== undefined && !(options.cloud instanceof SparkCloudStrategy)) {
    check.problem('"cloud" is no SparkCloudStrategy; write new SparkCloudStrategy({ … }), or leave it out.');
  }
  const session = sessionOption(check, options);
  if (options.storage !== undefined)
    check.text('storage', options.storage, "write what keeps the sessions, like 'Redis'.");
  const strategy = base && strategyOption(check, options, base);
  if (strategy && base) checkCallback(check, strategy, base);
  check.done();
  if (!base || !strategy) throw new Error('unreachable: the check has thrown'); // for the compiler
  return {
    strategy,
    passport: options.passport,
    session,
    base,
    emulator: options.emulator,
    storage: options.storage ?? (session !== false && session.store === undefined ? 'memory' : undefined),
    cloud: options.cloud,
    portal: options.portal ?? ownPortal(strategy) ?? (options.emulator ? 'myportal' : ''),
    allow: options.allow,
  };
}

/** What the form begins with where the strategy has a portal: its name, or nothing where it is asked for otherwise. */
function ownPortal({ portal }: SparkStrategy): string | undefined {
  return portal === undefined || typeof portal === 'string' ? portal : '';
}

/** Path of the base URL without its final slash; empty at the root. */
export function basePath(base: URL): string {
  return base.pathname.replace(/\/+$/, '');
}

function checkPassport(check: OptionCheck, passport: Authenticator | undefined): void {
  if (passport === undefined) return;
  if (typeof passport?.authenticate !== 'function' || typeof passport.session !== 'function') {
    check.problem('"passport" is no Passport; write passport: passport, or leave it out.');
  }
}

function checkEmulator(check: OptionCheck, emulator: LoginSiteEmulator | undefined): void {
  if (emulator === undefined) return;
  if (typeof emulator?.expireAccessToken !== 'function' || !URL.canParse(emulator.url)) {
    check.problem('"emulator" is no running emulator; write await createSparkEmulator().listen(0).');
  }
}

function sessionOption(check: OptionCheck, options: LoginSiteOptions): Partial<SessionOptions> | false {
  const { session } = options;
  if (session === undefined) return options.passport ? false : {};
  if (session === false) return false;
  if (typeof session !== 'object' || session === null) {
    check.problem(
      '"session" is no options object; write session: { secret, store }, or session: false for the host\'s.',
    );
    return {};
  }
  if (typeof session.cookie === 'function') {
    check.problem('"session.cookie" is a function; write an object: path and secure follow "baseURL" anyway.');
  }
  // A random one would do in one process: the sessions of a store outlive it, and other processes read them.
  if (session.store !== undefined && session.secret === undefined) {
    check.problem('"session" has a store and no secret; write a long random text that all processes share.');
  }
  return session;
}

function strategyOption(check: OptionCheck, options: LoginSiteOptions, base: URL): SparkStrategy | undefined {
  if (options.strategy !== undefined) {
    if (typeof options.strategy?.authenticate === 'function' && typeof options.strategy.status === 'function') {
      return options.strategy;
    }
    check.problem('"strategy" is no SparkStrategy; write new SparkStrategy({ clientID, … }, verify).');
    return undefined;
  }
  const registered = registeredStrategy(options.passport);
  if (registered) return registered;
  if (options.emulator) return emulatorStrategy(options.emulator, base);
  check.problem(
    '"strategy" is missing; write new SparkStrategy({ clientID, … }, verify), or give "emulator", or a "passport" that uses a strategy called spark.',
  );
  return undefined;
}

/** Passport's types do not show the look-up that its own `authenticate('spark')` makes. */
function registeredStrategy(passport: Authenticator | undefined): SparkStrategy | undefined {
  const found = (passport as { _strategy?: (name: string) => unknown } | undefined)?._strategy?.('spark');
  return found instanceof SparkStrategy ? found : undefined;
}

function emulatorStrategy(emulator: LoginSiteEmulator, base: URL): SparkStrategy | undefined {
  if (!URL.canParse(emulator.url)) return undefined; // noted already
  return new SparkStrategy(
    {
      clientID: 'emulator-client',
      clientSecret: 'emulator-secret',
      callbackURL: `${base.origin}${basePath(base)}/auth/spark/callback`,
      userAgent: 'passport-spark-login-site',
      platformURL: emulator.url,
      apiURL: emulator.url,
    },
    (_accessToken, _refreshToken, _params, profile, done) => done(null, profile),
  );
}

/** As browsers see it; passport-oauth2 keeps it, and its types don't say so. `callbackPath` is how the application sees it. */
function callbackURLOf(strategy: SparkStrategy): string {
  return (strategy as unknown as { readonly _callbackURL: string })._callbackURL;
}

/** A callback on another origin comes back without this site's cookies, and people would be told to start again for ever. */
function checkCallback(check: OptionCheck, strategy: SparkStrategy, base: URL): void {
  const { origin } = strategy;
  if (origin !== undefined && origin !== base.origin) {
    check.problem(
      `the strategy's "callbackURL" is on ${origin} and "baseURL" on ${base.origin}; write one origin for both (localhost and 127.0.0.1 are two).`,
    );
    return;
  }
  const { pathname } = new URL(callbackURLOf(strategy), base);
  if (!pathname.startsWith(`${basePath(base)}/`)) {
    check.problem(
      `the strategy's "callbackURL" is ${pathname}, which does not lie below ${basePath(base)} of "baseURL", so that the site would not answer it; write ${base.origin}${basePath(base)}/auth/spark/callback, or the like.`,
    );
  }
}
