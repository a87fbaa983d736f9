import type { IncomingMessage } from 'node:http';

import OAuth2Strategy = require('passport-oauth2');

import { calledBack } from './called-back.js';
import { conceal } from './conceal.js';
import { AuthorizationError, ConfigError, UnavailableError } from './errors.js';
import { type GrantEndpoint, lifetimeFrom, requestGrant, revokeToken } from './grant.js';
import { OptionCheck } from './options.js';
import { type Flow, PROVIDER_SIGN_OUT_PATH, ROLES, type Role, SPARK_UPSTREAM, TOKEN_PATH } from './platform.js';
import { keyOfSource, ownSessionKey, type TokenSource, tokenKeyOf } from './session.js';
import { authorizationURLOf, ownCall, type SignInCall, type StrategyParts } from './signin/call.js';
import { holdsAnswer } from './signin/callback.js';
import { discoverPortal, type PortalSource } from './signin/discover.js';
import { finish } from './signin/finish.js';
import { beginOrPass, guard } from './signin/guard.js';
import { CallbackHost } from './signin/host.js';
import { needServerSession } from './signin/link.js';
import { linkToPresentUser, type PassportRequest } from './signin/login.js';
import { messageOf } from './signin/messages.js';
import { SparkOAuth2 } from './signin/oauth2.js';
import { Once } from './signin/once.js';
import {
  callbackOf,
  checkCall,
  parseStrategyOptions,
  type SparkAuthenticateOptions,
  type SparkSettings,
  type SparkStrategyOptions,
} from './signin/options.js';
import type { DiscoveredPortal } from './signin/portal.js';
import { fetchProfile, type SparkProfile } from './signin/profile.js';
import { refuse, refuseOrFail } from './signin/refuse.js';
import { type ExpressRequest, redirectURIOf, urlParts } from './signin/request.js';
import { AUTHENTICATE, type PortalOption } from './signin/role.js';
import { forgetRounds } from './signin/rounds.js';
import { signOutHere } from './signin/sign-out.js';
import { Attempts } from './signin/transaction.js';
import type {
  ByArity,
  GrantParams,
  VerifyFunction,
  VerifyFunctionWithParams,
  VerifyFunctionWithRequest,
  VerifyFunctionWithRequestAndParams,
} from './signin/verify.js';
import { isAccessToken, type Tokens } from './tokens/record.js';
import { type AccessTokenOptions, type AdoptOptions, TokenService } from './tokens/service.js';

/** What a session's tokens look like from outside: never the tokens themselves. */
export interface SparkStatus {
  readonly role: Role | undefined;
  /** Its name, or its address where that holds none. Undefined: not VOW, or the multi-agent endpoint. */
  readonly portal: string | undefined;
  /** Counts renewals; 0 right after sign-in. */
  readonly generation: number;
  /** Milliseconds until the access token expires. Undefined: never. */
  readonly expiresInMs: number | undefined;
  readonly renewable: boolean;
  /** `dead`: the access token may still live, but nothing can renew it. */
  readonly state: 'live' | 'dead';
}

/**
 * Signs people in with Spark: OAuth 2 for Private, IDX and VOW keys, OpenID + OAuth 2 hybrid for Private and IDX.
 * Sources: the vendor's OAuth 2 and hybrid pages.
 * @example
 * passport.use(new SparkStrategy({ clientID, clientSecret, callbackURL, userAgent: 'MyApp/1.0' },
 *   (accessToken, refreshToken, params, profile, done) => done(null, profile)));
 * app.use(passport.authenticate('spark')); // everything below needs a signed-in person
 */
export class SparkStrategy extends OAuth2Strategy {
  override name = 'spark';
  /** The tokens of the people who signed in with this strategy. */
  readonly tokens: TokenService;
  readonly apiURL: string;
  readonly sessionKey: string;
  readonly userAgent: string;
  /** As in the options, or the default: what a call that says nothing else signs in with. */
  readonly role: Role;
  readonly flow: Flow;
  readonly portal: PortalOption | undefined;
  /** Where the application is reached, from `callbackURL`; undefined when that is a path alone. */
  readonly origin: string | undefined;
  /** Path of the callback, as the application sees it. */
  readonly callbackPath: string;
  /** Spark's own sign-out page. It takes no return address. */
  readonly providerSignOutURL: string;

  private readonly settings: SparkSettings;
  private readonly attempts: Attempts;
  private readonly once: Once;
  private readonly callbackHost = new CallbackHost();
  private readonly verify: (...args: unknown[]) => void;
  /** Of an attempt, the role whose resource names the person. */
  private readonly attemptRole: Role | undefined;

  /** @throws ConfigError that lists every problem with the options and its remedy */
  constructor(
    options: SparkStrategyOptions & { passReqToCallback?: false },
    verify: ByArity<VerifyFunction, VerifyFunctionWithParams>,
  );
  constructor(
    options: SparkStrategyOptions & { passReqToCallback: true },
    verify: ByArity<VerifyFunctionWithRequest, VerifyFunctionWithRequestAndParams>,
  );
  /** For a `req` that is written as Express's `Request`, of whatever version: these declarations name none. */
  constructor(
    options: SparkStrategyOptions & { passReqToCallback: true },
    verify: VerifyFunctionWithRequest<never> | VerifyFunctionWithRequestAndParams<never>,
  );
  constructor(options: SparkStrategyOptions, verify: unknown) {
    const settings = parseStrategyOptions(options, verify);
    const authorizeURL = authorizationURLOf(settings);
    super(
      {
        authorizationURL: authorizeURL,
        tokenURL: settings.tokenURL,
        clientID: settings.clientID,
        clientSecret: settings.clientSecret,
        callbackURL: settings.callbackURL,
      },
      verify as OAuth2Strategy.VerifyFunction, // passport-oauth2 wants one, and never calls it here
    );
    this.settings = settings;
    this.verify = verify as (...args: unknown[]) => void;
    this.once = new Once(settings.tokenStore);
    this.attempts = new Attempts(settings.cookieSecret, this.once);
    this.apiURL = settings.apiURL;
    this.sessionKey = settings.sessionKey;
    this.userAgent = settings.userAgent;
    this.role = settings.role;
    this.flow = settings.flow;
    this.portal = settings.portal;
    this.callbackPath = settings.callbackPath;
    const callback = URL.canParse(settings.callbackURL) ? settings.callbackURL : undefined;
    this.origin = callback && new URL(callback).origin;
    this.providerSignOutURL = settings.platformURL + PROVIDER_SIGN_OUT_PATH;

    const headers = { 'X-SparkApi-User-Agent': settings.userAgent, ...settings.customHeaders };
    const endpoint: GrantEndpoint = {
      url: settings.tokenURL,
      format: 'json',
      headers,
      timeoutMs: settings.grantTimeoutMs,
      parseError: (body, status) => this.parseErrorResponse(body, status),
    };
    const oauth2 = new SparkOAuth2(
      settings.clientID,
      settings.clientSecret,
      '',
      authorizeURL,
      settings.tokenURL,
      headers,
    );
    oauth2.useEndpoint(endpoint, callback);
    this._oauth2 = oauth2;
    this.tokens = new TokenService({
      store: settings.tokenStore,
      clientID: settings.clientID,
      upstream: SPARK_UPSTREAM,
      onUnknown: settings.onUnknown,
      // Tokens that were issued beforehand come without a redirect URI, and the vendor's refresh asks for one.
      renew: async ({ refreshToken, redirectURI = callback }) => {
        const params = {
          client_id: settings.clientID,
          client_secret: settings.clientSecret,
          grant_type: 'refresh_token',
          refresh_token: refreshToken ?? '',
          ...(redirectURI === undefined ? {} : { redirect_uri: redirectURI }),
        };
        return (await requestGrant(endpoint, params)).tokens;
      },
      // `customHeaders` are for the grant endpoint: an Authorization among them would take the place of the person's.
      revoke: (tokens) =>
        revokeToken(settings.apiURL + TOKEN_PATH, tokens.accessToken, { 'X-SparkApi-User-Agent': settings.userAgent }),
    });
    conceal(this, 'settings', 'attempts', 'once');
  }

  override authenticate(req: IncomingMessage, options: SparkAuthenticateOptions = {}): void {
    const attempt = ownCall(this);
    attempt.handle(req as ExpressRequest, options).catch((error: unknown) => attempt.error(error));
  }

  /**
   * Who signed in: reads `/v1/my/account`, or `/v1/my/contact` for VOW. Override it to read something else.
   * @throws through `done`: SparkError `profile_failed`
   */
  override userProfile(accessToken: string, done: (error?: unknown, profile?: SparkProfile) => void): void {
    fetchProfile(this, accessToken, this.attemptRole ?? this.settings.role).then(
      (profile) => done(null, profile),
      done,
    );
  }

  /**
   * Removes the person's tokens, signs out of Passport and destroys the session. `revoke` also ends the tokens at Spark.
   * @throws UnavailableError there is no session, or the token store is away, and nobody was signed out; SparkError
   * `revocation_failed`: signed out here, but Spark could not be told
   */
  async signOut(req: IncomingMessage, options: { readonly revoke?: boolean } = {}): Promise<void> {
    const request = req as ExpressRequest;
    const removed = await signOutHere(request, this);
    const secure = redirectURIOf(request, this.settings).startsWith('https:');
    if (request.res && !request.res.headersSent) forgetRounds(request.res, secure);
    // Last: when Spark can't be told, the person is signed out here all the same.
    if (options.revoke && removed) await this.tokens.revoke(removed);
  }

  /** How the session's tokens stand; undefined when nobody is signed in with Spark. @throws UnavailableError */
  async status(req: IncomingMessage): Promise<SparkStatus | undefined> {
    const key = tokenKeyOf(req, this);
    const record = key === undefined ? undefined : await this.tokens.peek(key);
    return (
      record && {
        role: record.role,
        portal: record.portal,
        generation: record.generation,
        expiresInMs: record.leftMs,
        renewable: record.refreshToken !== undefined && record.state === 'live',
        state: record.state,
      }
    );
  }

  /**
   * The access token of the person who is signed in, or of tokens that were adopted, renewed if need be: for calls from
   * the server. Never send it to a browser.
   * @throws SignInRequiredError also: refused, though it was renewed a moment ago; UnavailableError; ConfigError
   * @example
   * const call = (token) => fetch(url, { headers: { Authorization: `OAuth ${token}` } });
   * const token = await strategy.accessToken(req);
   * let answer = await call(token);
   * if (answer.status === 401) answer = await call(await strategy.accessToken(req, { refused: token }));
   */
  async accessToken(from: TokenSource, options?: AccessTokenOptions): Promise<string> {
    return await this.tokens.accessToken(keyOfSource(from, this, 'strategy.accessToken'), options);
  }

  /**
   * Links tokens to the user who is signed in to this session already (account linking with `passport.authorize`).
   * `params` is what the verify function got; `role`, `portal` as used for that sign-in.
   * @throws ConfigError `params` without a token, an unknown role; SignInRequiredError nobody is signed in with Passport; UnavailableError
   */
  adopt(
    req: IncomingMessage,
    params: GrantParams,
    origin?: { readonly role?: Role; readonly portal?: string },
  ): Promise<void>;
  /**
   * Stores tokens that were issued beforehand (single-session keys) under a name, for `tokenKey`: the same as
   * `strategy.tokens.adopt`.
   * @throws ConfigError tokens that could not be used, no name, or one that another client uses; UnavailableError
   */
  adopt(name: string, tokens: Tokens, options?: AdoptOptions): Promise<void>;
  async adopt(
    target: IncomingMessage | string,
    given: GrantParams | Tokens,
    options: { readonly role?: Role; readonly portal?: string } & AdoptOptions = {},
  ): Promise<void> {
    if (typeof target === 'string')
      await this.tokens.adopt(target, given as Tokens, options); // it checks them
    else await this.adoptHere(target, given as GrantParams, options);
  }

  private async adoptHere(
    req: IncomingMessage,
    params: GrantParams,
    origin: { readonly role?: Role | undefined; readonly portal?: string | undefined },
  ): Promise<void> {
    const { access_token: accessToken, refresh_token: refreshToken, expires_in: expiresIn } = params;
    const check = new OptionCheck('strategy.adopt');
    if (!isAccessToken(accessToken))
      check.problem('"params" has no access_token; pass on the params of the verify function.');
    const role = check.oneOf('role', origin.role, ROLES, this.settings.role);
    if (origin.portal !== undefined) check.text('portal', origin.portal, "write the portal's name, like 'myportal'.");
    check.done();
    const tokens: Tokens = {
      accessToken: String(accessToken),
      refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : undefined,
      lifetimeMs: lifetimeFrom(expiresIn),
    };
    const redirectURI = redirectURIOf(req as ExpressRequest, this.settings);
    await linkToPresentUser(
      req as PassportRequest,
      { tokens, origin: { role, portal: origin.portal, redirectURI } },
      this,
    );
  }

  /**
   * Asks `/v1/system` for the portal of an account: where its consumers sign in. Use it as the `portal` of a sign-in,
   * and keep it: it changes about as often as the portal's name.
   * @param from - the request of a signed-in person, an access token, or the name of tokens that were stored with `tokens.adopt`
   * @throws SparkError `portal_unknown` (the account has none), `system_failed`; SignInRequiredError; UnavailableError
   * @example
   * const portal = await strategy.discoverPortal({ tokenKey: 'office' });
   * app.get('/buyers', passport.authenticate('spark', { role: 'vow', portal }));
   */
  async discoverPortal(from: PortalSource): Promise<DiscoveredPortal> {
    return await discoverPortal(this, from);
  }

  private async handle(req: ExpressRequest, options: SparkAuthenticateOptions): Promise<void> {
    const { res } = req;
    if (!res) throw new ConfigError('SparkStrategy', ['the request has no res; use it with Express.']);
    checkCall(options);
    ownSessionKey(req, this);
    if (options.session !== false) needServerSession(req.session);
    const wall = isWall(req, options);
    const call: SignInCall = { req, res, options, wall, strategy: this, parts: this.parts() };
    try {
      if (wall && !req.session)
        throw new UnavailableError(
          'The request has no session: its store is away, or session() is not mounted before the wall; mount session() before it.',
          { code: 'no_session' },
        );
      if (this.isCallback(req, options)) await finish(call);
      else if (wall) await guard(call);
      else await beginOrPass(call);
    } catch (error) {
      if (error instanceof AuthorizationError) refuseOrFail(call, error, messageOf(error));
      else if (wall) refuse(call, error, messageOf(error));
      else throw error;
    }
  }

  private parts(): StrategyParts {
    return {
      settings: this.settings,
      attempts: this.attempts,
      tokens: this.tokens,
      once: this.once,
      callbackHost: this.callbackHost,
      oauth2: this._oauth2,
      verify: this.verify,
      profileOf: async (accessToken, role) => {
        const forRole = Object.create(this, { attemptRole: { value: role } }) as this;
        const [profile] = await calledBack((done) => forRole.userProfile(accessToken, done));
        return profile as SparkProfile | undefined;
      },
    };
  }

  /**
   * A GET on the callback's path, and nothing else: any page may carry `?code=` or `?error=` in its own right. The front
   * page is there for everybody, so it is a callback only where it carries an answer.
   */
  private isCallback(req: ExpressRequest, options: SparkAuthenticateOptions): boolean {
    const { path, query } = urlParts(req);
    if (req.method !== 'GET' || path !== callbackOf(this.settings, options).callbackPath) return false;
    return path !== '/' || holdsAnswer(query);
  }
}

/**
 * In `app.use` the strategy is a wall, on a route it is a route. What keeps nobody in the session (`passport.authorize`,
 * `session: false`) can't be a wall, which looks there for who is signed in. @throws ConfigError
 */
function isWall(req: ExpressRequest, { wall, session, assignProperty }: SparkAuthenticateOptions): boolean {
  const keepsNobody = session === false || assignProperty !== undefined;
  if (!keepsNobody) return (wall ?? req.route === undefined) !== false;
  if (wall === undefined || wall === false) return false;
  throw new ConfigError(AUTHENTICATE, [
    '"wall" needs the session, which passport.authorize and session: false leave alone; leave "wall" out.',
  ]);
}
