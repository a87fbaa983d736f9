import { MAX_TIMER_MS, OptionCheck, type Scope } from '../options.js';
import { DEFAULT_LIFETIME_MS } from '../platform.js';
import type { TokenStore } from '../tokens/store.js';
import { tokenStoreOption } from '../tokens/store-option.js';

/** Options of `OAuth2Client`. Names follow passport-oauth2. Addresses: `https:`, or `http:` on loopback hosts. */
export interface OAuth2ClientOptions {
  /** The token endpoint (RFC 6749 §3.2). */
  readonly tokenURL: string;
  /** The authorization endpoint (RFC 6749 §3.1). Needed for the authorization code and implicit grants alone. */
  readonly authorizationURL?: string | undefined;
  /**
   * The revocation endpoint (RFC 7009): `client.tokens.revoke(tokens)` ends tokens there, and so end those of a renewal during
   * which they were removed here. Default: none; they live until they expire.
   */
  readonly revocationURL?: string | undefined;
  /** The id that the server gave your application (RFC 6749 §2.2). */
  readonly clientID: string;
  /** Leave it out for a public client (RFC 6749 §2.1), which proves itself by PKCE. */
  readonly clientSecret?: string | undefined;
  /** Where the server sends the browser back to. Each call may name another. */
  readonly redirectURI?: string | undefined;
  /** Where id and secret stand: in the body, as the vendor's client page has it (default), or in HTTP Basic (RFC 6749 §2.3.1). */
  readonly clientAuthentication?: 'body' | 'basic' | undefined;
  /** How the token and revocation endpoints take parameters. Default `form` (RFC 6749 §4.1.3). */
  readonly format?: 'form' | 'json' | undefined;
  /** Asked for where a call names no scope. Default: none, the server decides. */
  readonly scope?: Scope | undefined;
  /** Stands between the scopes of a list. Default a space, as the standard has it; the vendor's client page also allows a comma. */
  readonly scopeSeparator?: ' ' | ',' | undefined;
  /**
   * The server's issuer. A callback that names another one, or none, is refused (RFC 9207 §2.4): set it only for servers that
   * send `iss`, which say so in their metadata (`authorization_response_iss_parameter_supported`). Default: `iss` is not looked at.
   */
  readonly issuer?: string | undefined;
  /** Deadline of a token request, in milliseconds. Default 60 000. */
  readonly timeoutMs?: number | undefined;
  /** How long access tokens live where the server does not say it (`expires_in`), in milliseconds. Default 24 hours. */
  readonly defaultLifetimeMs?: number | undefined;
  /** Where tokens live. Default `new MemoryTokenStore()`: for one process. */
  readonly tokenStore?: TokenStore | undefined;
  /** Origin of the API that takes the tokens: the `target` of `sparkProxy`, kept here as `client.apiURL`. */
  readonly apiURL?: string | undefined;
  /** Headers of the token requests, and of revocations. */
  readonly customHeaders?: Readonly<Record<string, string>> | undefined;
  /** What to do with a refresh token that a lost answer may have spent: `retry` (default) or `defer`. */
  readonly onUnknown?: 'retry' | 'defer' | undefined;
}

/** The options, checked and with their defaults. */
export interface OAuth2Settings {
  readonly tokenURL: string;
  readonly authorizationURL: string | undefined;
  readonly revocationURL: string | undefined;
  readonly clientID: string;
  readonly clientSecret: string | undefined;
  readonly redirectURI: string | undefined;
  readonly clientAuthentication: 'body' | 'basic';
  readonly format: 'form' | 'json';
  readonly scope: string | undefined;
  readonly scopeSeparator: ' ' | ',';
  readonly issuer: string | undefined;
  readonly timeoutMs: number;
  readonly defaultLifetimeMs: number;
  readonly tokenStore: TokenStore;
  readonly apiURL: string | undefined;
  readonly customHeaders: Readonly<Record<string, string>>;
  readonly onUnknown: 'retry' | 'defer';
}

const NAMES: readonly (keyof OAuth2ClientOptions)[] = [
  'tokenURL',
  'authorizationURL',
  'revocationURL',
  'clientID',
  'clientSecret',
  'redirectURI',
  'clientAuthentication',
  'format',
  'scope',
  'scopeSeparator',
  'issuer',
  'timeoutMs',
  'defaultLifetimeMs',
  'tokenStore',
  'apiURL',
  'customHeaders',
  'onUnknown',
];

/** @throws ConfigError that lists every problem with the options and its remedy */
export function parseClientOptions(options: OAuth2ClientOptions): OAuth2Settings {
  const check = new OptionCheck('OAuth2Client');
  check.object(options, 'write new OAuth2Client({ tokenURL, clientID, clientSecret }).');
  check.known(options, NAMES);
  const url = (name: 'authorizationURL' | 'revocationURL' | 'redirectURI' | 'issuer') =>
    options[name] === undefined ? undefined : check.url(name, options[name]) && options[name];
  const scopeSeparator = check.oneOf('scopeSeparator', options.scopeSeparator, [' ', ','], ' ');
  const { clientSecret } = options;
  if (options.clientAuthentication === 'basic' && clientSecret === undefined) {
    check.problem('"clientAuthentication" is \'basic\' without a "clientSecret"; write the secret, or leave it out.');
  }
  const settings: OAuth2Settings = {
    tokenURL: check.url('tokenURL', options.tokenURL)?.href ?? '',
    authorizationURL: url('authorizationURL'),
    revocationURL: url('revocationURL'),
    clientID: check.credential('clientID', options.clientID, 'write the id that the server gave your application.'),
    clientSecret:
      clientSecret === undefined
        ? undefined
        : check.credential('clientSecret', clientSecret, 'write the secret, or leave it out for a public client.'),
    redirectURI: url('redirectURI'),
    clientAuthentication: check.oneOf('clientAuthentication', options.clientAuthentication, ['body', 'basic'], 'body'),
    format: check.oneOf('format', options.format, ['form', 'json'], 'form'),
    scope: check.scope(options.scope, scopeSeparator),
    scopeSeparator,
    issuer: url('issuer'),
    timeoutMs: check.whole('timeoutMs', options.timeoutMs, 60_000, { min: 1, max: MAX_TIMER_MS }),
    defaultLifetimeMs: check.whole('defaultLifetimeMs', options.defaultLifetimeMs, DEFAULT_LIFETIME_MS, { min: 1 }),
    tokenStore: tokenStoreOption(check, options.tokenStore),
    apiURL:
      options.apiURL === undefined
        ? undefined
        : check.origin('apiURL', options.apiURL, "write the API's origin, like 'https://api.example.com'."),
    customHeaders: check.headers('customHeaders', options.customHeaders),
    onUnknown: check.oneOf('onUnknown', options.onUnknown, ['retry', 'defer'], 'retry'),
  };
  check.done();
  return settings;
}
