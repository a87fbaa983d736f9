import { MAX_TIMER_MS, OptionCheck } from '../options.js';
import { sessionKeyOption } from '../signin/link.js';
import type { TokenStore } from '../tokens/store.js';
import { tokenStoreOption } from '../tokens/store-option.js';
import { type CloudAddresses, type CloudWay, PARTICLE_CLOUD } from './addresses.js';

/** Options of `SparkCloudStrategy`. Addresses: `https:`, or `http:` on loopback hosts. */
export interface SparkCloudStrategyOptions {
  /** Default `oauth`. */
  readonly way?: CloudWay | undefined;
  /** Origin of the API. Default `https://api.particle.io`. */
  readonly apiURL?: string | undefined;
  /** Default: `/oauth/token` of `apiURL`. */
  readonly tokenURL?: string | undefined;
  /** Required with way `session`; `SPARK_CLOUD_2014` has the ones of that time. */
  readonly signInURL?: string | undefined;
  /** Required with way `session`. */
  readonly accessTokenURL?: string | undefined;
  /** The OAuth client. Default `particle-api`, the cloud's own client for everybody. */
  readonly clientID?: string | undefined;
  /** Default `particle-api`. */
  readonly clientSecret?: string | undefined;
  /** Field of the sign-in form with the account's e-mail address. Default `username`. */
  readonly usernameField?: string | undefined;
  /** Field with the password. Default `password`. */
  readonly passwordField?: string | undefined;
  /** Field of the second form, with the one-time code. Default `otp`. */
  readonly otpField?: string | undefined;
  /** Where tokens live. Default `new MemoryTokenStore()`: for one process. */
  readonly tokenStore?: TokenStore | undefined;
  /** Name of the session link in `req.session`. Default `sparkCloud`. */
  readonly sessionKey?: string | undefined;
  /** Where the application is reached: its pages may call the proxy. Default: decided by `Sec-Fetch-Site` alone. */
  readonly origin?: string | undefined;
  /** The verify function gets the request first: `(req, profile, done)`. Default false. */
  readonly passReqToCallback?: boolean | undefined;
  /** Deadline of one request to the cloud, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** What to do with a refresh token that a lost answer may have spent: `retry` (default) or `defer`. */
  readonly onUnknown?: 'retry' | 'defer' | undefined;
}

/** The options, checked and with their defaults. */
export interface CloudSettings extends Required<CloudAddresses> {
  readonly clientID: string;
  readonly clientSecret: string;
  readonly usernameField: string;
  readonly passwordField: string;
  readonly otpField: string;
  readonly tokenStore: TokenStore;
  readonly sessionKey: string;
  readonly origin: string | undefined;
  readonly passReqToCallback: boolean;
  readonly timeoutMs: number;
  readonly onUnknown: 'retry' | 'defer';
}

const NAMES: readonly (keyof SparkCloudStrategyOptions)[] = [
  'way',
  'apiURL',
  'tokenURL',
  'signInURL',
  'accessTokenURL',
  'clientID',
  'clientSecret',
  'usernameField',
  'passwordField',
  'otpField',
  'tokenStore',
  'sessionKey',
  'origin',
  'passReqToCallback',
  'timeoutMs',
  'onUnknown',
];

/** @throws ConfigError that lists every problem with the options and its remedy */
export function parseCloudOptions(options: SparkCloudStrategyOptions, verify: unknown): CloudSettings {
  const check = new OptionCheck('SparkCloudStrategy');
  check.object(options, 'write new SparkCloudStrategy({ tokenStore }), or leave them out.');
  check.known(options, NAMES);
  check.func('verify', verify, 'write (profile, done) => done(null, user), or leave it out.');
  const text = (name: keyof SparkCloudStrategyOptions, fallback: string): string =>
    check.text(name, options[name] ?? fallback, `write a text (default '${fallback}').`);
  const credential = (name: 'clientID' | 'clientSecret'): string =>
    check.credential(name, options[name] ?? 'particle-api', "write a text (default 'particle-api').");
  const way = check.oneOf('way', options.way, ['oauth', 'session'], 'oauth');
  const apiURL = check.origin(
    'apiURL',
    options.apiURL ?? PARTICLE_CLOUD.apiURL,
    `write the API's origin, like '${PARTICLE_CLOUD.apiURL}'.`,
  );
  const sessionURL = (name: 'signInURL' | 'accessTokenURL'): string => {
    if (options[name] !== undefined) return check.url(name, options[name])?.href ?? '';
    if (way === 'session') check.problem(`way 'session' needs "${name}"; write it, or spread SPARK_CLOUD_2014.`);
    return '';
  };
  const settings: CloudSettings = {
    way,
    apiURL,
    tokenURL:
      options.tokenURL === undefined ? `${apiURL}/oauth/token` : (check.url('tokenURL', options.tokenURL)?.href ?? ''),
    signInURL: sessionURL('signInURL'),
    accessTokenURL: sessionURL('accessTokenURL'),
    clientID: credential('clientID'),
    clientSecret: credential('clientSecret'),
    usernameField: text('usernameField', 'username'),
    passwordField: text('passwordField', 'password'),
    otpField: text('otpField', 'otp'),
    tokenStore: tokenStoreOption(check, options.tokenStore),
    sessionKey: sessionKeyOption(check, options.sessionKey, 'sparkCloud'),
    origin:
      options.origin === undefined
        ? undefined
        : check.origin(
            'origin',
            options.origin,
            "write the origin where the application is reached, like 'https://app.example.com'.",
          ),
    passReqToCallback: check.flag('passReqToCallback', options.passReqToCallback, false),
    timeoutMs: check.whole('timeoutMs', options.timeoutMs, 30_000, { min: 1, max: MAX_TIMER_MS }),
    onUnknown: check.oneOf('onUnknown', options.onUnknown, ['retry', 'defer'], 'retry'),
  };
  check.done();
  return settings;
}
