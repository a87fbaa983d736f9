import { conceal } from '../conceal.js';
import { ConfigError, SignInRequiredError, TokenError } from '../errors.js';
import type { Grant } from '../grant.js';
import { BEARER_UPSTREAM } from '../http-authorization.js';
import { OptionCheck, type Scope, scopeOfCall } from '../options.js';
import type { TokenRecord, Tokens } from '../tokens/record.js';
import { type AccessTokenOptions, adoptedKey, TokenService } from '../tokens/service.js';
import {
  type AuthorizationRequest,
  type CodeRequest,
  codeChallenge,
  type ExpectedCallback,
  invalid,
  randomText,
  readAnswer,
  withParams,
} from './authorization.js';
import {
  type AuthorizationOptions,
  type CallOptions,
  type CodeExchange,
  checkCall,
  type ImplicitOptions,
  type PasswordCredentials,
} from './calls.js';
import { TokenEndpoint } from './endpoint.js';
import { readFragment } from './fragment.js';
import { type OAuth2ClientOptions, type OAuth2Settings, parseClientOptions } from './options.js';

/** Records that are renewed by asking anew, because there is nothing to refresh them with (RFC 6749 §4.4.3). */
const CLIENT_CREDENTIALS = 'client_credentials';

/**
 * A client of any standard OAuth 2.0 server (RFC 6749; the vendor's client page): every grant, and a token service for the
 * tokens, which `sparkProxy({ tokens: client.tokens, … })` takes like Spark's.
 * @example
 * const client = new OAuth2Client({ tokenURL, clientID, clientSecret, tokenStore: new RedisTokenStore(redis) });
 * await client.useMachineTokens('reports', { scope: ['read'] });
 * app.use('/api', sparkProxy({ tokens: client.tokens, target, tokenKey: () => 'reports', authorize, allow }));
 */
export class OAuth2Client {
  /** Tokens of this client, renewed before they expire: by their refresh token, or by a new grant of client credentials. */
  readonly tokens: TokenService;
  /** As given in the options. */
  readonly apiURL: string | undefined;

  private readonly settings: OAuth2Settings;
  private readonly endpoint: TokenEndpoint;

  /** @throws ConfigError that lists every problem with the options and its remedy */
  constructor(options: OAuth2ClientOptions) {
    this.settings = parseClientOptions(options);
    this.apiURL = this.settings.apiURL;
    this.endpoint = new TokenEndpoint(this.settings);
    this.tokens = new TokenService({
      store: this.settings.tokenStore,
      clientID: this.settings.clientID,
      upstream: BEARER_UPSTREAM,
      onUnknown: this.settings.onUnknown,
      renewable: (record) => record.refreshToken !== undefined || record.grant === CLIENT_CREDENTIALS,
      renew: (record) => this.renew(record),
      revoke: (tokens) => this.endpoint.revoke(tokens),
    });
    conceal(this, 'settings', 'endpoint');
  }

  /** Tokens for the application itself (RFC 6749 §4.4). @throws ConfigError; TokenError (§5.2) */
  async clientCredentials(options: CallOptions = {}): Promise<Grant> {
    checkCall('clientCredentials', options);
    return await this.endpoint.ask(CLIENT_CREDENTIALS, { ...options.params, scope: this.scope(options) });
  }

  /**
   * Keeps tokens of the application itself under a name, shared by all processes of one store: the first use gets them,
   * and they are got anew before they expire, each time by one process alone. Call it in every process that starts. A name
   * keeps the scope and the parameters that it was first given; they are stored with its tokens, and are never encrypted.
   * @throws ConfigError also for a public client, which has no credentials to show; UnavailableError the token store is away
   */
  async useMachineTokens(name: string, options: CallOptions = {}): Promise<void> {
    checkText('useMachineTokens', 'name', name, "write a name of your own, like 'reports'.");
    checkCall('useMachineTokens', options);
    if (this.settings.clientSecret === undefined)
      throw new ConfigError('client.useMachineTokens', ['the client has no secret; give "clientSecret".']);
    // So that the first use renews, and the claim lets one do so.
    const expired: Tokens = { accessToken: 'none yet', lifetimeMs: 0 };
    const { params } = options;
    await this.tokens.adopt(name, expired, { grant: CLIENT_CREDENTIALS, scope: this.scope(options), params });
  }

  /**
   * The access token kept under a name (`useMachineTokens`, `tokens.adopt`), renewed if need be: for calls from the server.
   * `refused`: the one of an earlier call, which the API has refused as expired; it is never answered again.
   * @throws SignInRequiredError also: refused, though it was renewed a moment ago; UnavailableError; ConfigError
   */
  async accessToken(name: string, options?: AccessTokenOptions): Promise<string> {
    checkText('accessToken', 'name', name, 'write the name of useMachineTokens or tokens.adopt.');
    const key = adoptedKey(name);
    try {
      return await this.tokens.accessToken(key, options);
    } catch (error) {
      if (!(error instanceof SignInRequiredError) || (await this.tokens.peek(key))) throw error;
      const message = `No tokens are stored under the name '${name}'; call useMachineTokens or tokens.adopt first.`;
      throw new SignInRequiredError(message);
    }
  }

  /**
   * Tokens for a person's name and password (RFC 6749 §4.3).
   * @deprecated It hands the password to the application, and knows no second factor; servers must not offer it any more
   * (RFC 9700 §2.4). It works, for servers that have nothing else.
   * @throws ConfigError; TokenError
   */
  async password(credentials: PasswordCredentials): Promise<Grant> {
    checkCall('password', credentials);
    const { username, password, ...options } = credentials;
    return await this.endpoint.ask('password', { ...options.params, username, password, scope: this.scope(options) });
  }

  /** Begins an authorization code grant (RFC 6749 §4.1.1) with state and PKCE (RFC 7636, S256). @throws ConfigError */
  authorizationRequest(options: AuthorizationOptions = {}): CodeRequest {
    checkCall('authorizationRequest', options);
    const state = randomText();
    const codeVerifier = randomText();
    const redirectURI = options.redirectURI ?? this.settings.redirectURI;
    const url = this.authorizationURL('code', state, options, {
      code_challenge: codeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    });
    return { url, state, codeVerifier, redirectURI };
  }

  /**
   * Reads the callback of an authorization code grant: the URL that the browser came with, or its query.
   * @throws AuthorizationError the server's own code (RFC 6749 §4.1.2.1), `state_mismatch`, `issuer_mismatch` (RFC 9207),
   * `invalid_response`; ConfigError nothing to compare it with, or no URL
   */
  readCallback(url: string, expected: ExpectedCallback): { readonly code: string } {
    checkCall('readCallback', expected);
    if (typeof url !== 'string')
      throw new ConfigError('client.readCallback', ['"url" is no text; write req.url, or the query alone.']);
    const query = url.slice(url.indexOf('?') + 1).replace(/#.*$/, '');
    const code = readAnswer(query, this.expected(expected)).get('code');
    if (!code) throw invalid('It holds no code.');
    return { code };
  }

  /** Exchanges the code (RFC 6749 §4.1.3). @throws ConfigError there is no code, or no verifier; TokenError */
  async exchangeCode(exchange: CodeExchange): Promise<Grant> {
    checkCall('exchangeCode', exchange);
    const { code, codeVerifier, redirectURI, params } = exchange;
    return await this.endpoint.ask('authorization_code', {
      ...params,
      code,
      code_verifier: codeVerifier,
      redirect_uri: redirectURI ?? this.settings.redirectURI,
    });
  }

  /**
   * Spends a refresh token that the application keeps itself (RFC 6749 §6). Tokens in `client.tokens` need no such call.
   * @throws ConfigError; TokenError
   */
  async refresh(refreshToken: string, options: CallOptions = {}): Promise<Grant> {
    checkText('refresh', 'refreshToken', refreshToken, 'write the refresh token that you keep.');
    checkCall('refresh', options);
    return await this.endpoint.ask('refresh_token', {
      ...options.params,
      refresh_token: refreshToken,
      scope: this.scopeText(options.scope), // none: the scope that was granted
    });
  }

  /**
   * Begins an implicit grant (RFC 6749 §4.2.1). `fragmentPage` makes the page for its redirect URI.
   * @deprecated RFC 9700 §2.1.2: use {@link authorizationRequest}. It works, for servers that have nothing else.
   * @throws ConfigError
   */
  implicitRequest(options: ImplicitOptions = {}): AuthorizationRequest {
    checkCall('implicitRequest', options);
    const state = randomText();
    return { url: this.authorizationURL(options.responseType ?? 'token', state, options, {}), state };
  }

  /**
   * Reads what an implicit grant put into the fragment (RFC 6749 §4.2.2). What is no text is refused as a fragment without
   * a token is: anybody can post anything.
   * @deprecated RFC 9700 §2.1.2, as {@link implicitRequest}.
   * @throws AuthorizationError the server's own code (§4.2.2.1), `state_mismatch`, `issuer_mismatch` (RFC 9207),
   * `invalid_response`; ConfigError nothing to compare it with
   */
  readFragment(fragment: string, expected: ExpectedCallback): Grant {
    checkCall('readFragment', expected);
    return readFragment(fragment, this.expected(expected), this.settings.defaultLifetimeMs);
  }

  private async renew({ grant, scope, params, refreshToken = '' }: TokenRecord): Promise<Tokens> {
    if (grant !== CLIENT_CREDENTIALS) return (await this.refresh(refreshToken, { params })).tokens;
    try {
      // For what is stored, and no more: a record without a scope is not one that asks for the client's.
      const { tokens } = await this.endpoint.ask(CLIENT_CREDENTIALS, { ...params, scope });
      return { ...tokens, refreshToken: undefined }; // the credentials last longer than any refresh token
    } catch (error) {
      // Of a refresh token it says that it is spent, and ends the sign-in. These credentials are never spent.
      if (error instanceof TokenError && error.code === 'invalid_grant')
        throw new TokenError(error.message, 'unauthorized_client', { cause: error });
      throw error;
    }
  }

  private authorizationURL(
    responseType: string,
    state: string,
    options: AuthorizationOptions,
    more: Readonly<Record<string, string>>,
  ): string {
    const { authorizationURL, clientID, redirectURI } = this.settings;
    if (authorizationURL === undefined)
      throw new ConfigError('OAuth2Client', ['the client has no "authorizationURL"; give the one of your server.']);
    return withParams(authorizationURL, {
      ...options.params,
      response_type: responseType,
      client_id: clientID,
      redirect_uri: options.redirectURI ?? redirectURI,
      scope: this.scope(options),
      state,
      ...more,
    });
  }

  private expected({ state, issuer = this.settings.issuer }: ExpectedCallback): ExpectedCallback {
    return { state, issuer };
  }

  private scope({ scope }: CallOptions): string | undefined {
    return scope === undefined ? this.settings.scope : this.scopeText(scope);
  }

  private scopeText(scope: Scope | undefined): string | undefined {
    return scopeOfCall('OAuth2Client', scope, this.settings.scopeSeparator);
  }
}

/** @throws ConfigError */
function checkText(method: string, name: string, given: unknown, remedy: string): void {
  const check = new OptionCheck(`client.${method}`);
  check.text(name, given, remedy);
  check.done();
}
