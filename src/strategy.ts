import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import OAuth2Strategy = require('passport-oauth2');

import {
  AuthorizationError,
  ConfigError,
  describeError,
  SignInRequiredError,
  SparkError,
  UnavailableError,
} from './errors.js';
import { type Grant, type GrantEndpoint, lifetimeFrom, requestGrant, revokeToken } from './grant.js';
import { PROVIDER_SIGN_OUT_PATH, type Role, SPARK_UPSTREAM, TOKEN_PATH } from './platform.js';
import { ownSessionKey, tokenKeyOf } from './session.js';
import { type Callback, mismatch, readCallback, withoutWords } from './signin/callback.js';
import { removeLink } from './signin/link.js';
import { coverLogIn, linkToPresentUser, type PassportRequest } from './signin/login.js';
import {
  authorizationError,
  DENIED,
  errorMessage,
  LOOP,
  messageOf,
  plainText,
  REFUSED,
  STALE,
} from './signin/messages.js';
import { exchangeCode, SparkOAuth2 } from './signin/oauth2.js';
import {
  chooseRole,
  parseStrategyOptions,
  type SparkAuthenticateOptions,
  type SparkSettings,
  type SparkStrategyOptions,
} from './signin/options.js';
import { fetchProfile, type SparkProfile } from './signin/profile.js';
import { calledBack, type ExpressRequest, redirectURIOf, urlParts } from './signin/request.js';
import { keepState, type StateMeta, verifyState } from './signin/state-store.js';
import {
  Attempts,
  forgetFinished,
  newState,
  rememberFinished,
  safeReturnTo,
  type Transaction,
  takeFinished,
} from './signin/transaction.js';
import { authorizationURL } from './signin/urls.js';
import {
  type ByArity,
  callVerify,
  type GrantParams,
  type VerifyFunction,
  type VerifyFunctionWithParams,
  type VerifyFunctionWithRequest,
  type VerifyFunctionWithRequestAndParams,
} from './signin/verify.js';
import { answerWall, isNavigation, type WallMessage } from './signin/wall.js';
import type { Tokens } from './tokens/record.js';
import { TokenService } from './tokens/service.js';

/** What a session's tokens look like from outside: never the tokens themselves. */
export interface SparkStatus {
  readonly role: Role | undefined;
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
  /** Where the application is reached, from `callbackURL`; undefined when that is a path alone. */
  readonly origin: string | undefined;
  /** Path of the callback, as the application sees it. */
  readonly callbackPath: string;
  /** Spark's own sign-out page. It takes no return address. */
  readonly providerSignOutURL: string;

  private readonly settings: SparkSettings;
  private readonly attempts: Attempts;
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
    const authorizeURL = settings.authorizationURL ?? `${settings.platformURL}/oauth2`;
    super(
      {
        authorizationURL: authorizeURL,
        tokenURL: settings.tokenURL,
        clientID: settings.clientID,
        clientSecret: settings.clientSecret,
        callbackURL: settings.callbackURL,
      },
      verify as OAuth2Strategy.VerifyFunction, // called by its arity, below
    );
    this.name = 'spark';
    this.settings = settings;
    this.verify = verify as (...args: unknown[]) => void;
    this.attempts = new Attempts(settings.cookieSecret);
    this.attemptRole = undefined;
    this.apiURL = settings.apiURL;
    this.sessionKey = settings.sessionKey;
    this.userAgent = settings.userAgent;
    this.callbackPath = settings.callbackPath;
    this.origin = URL.canParse(settings.callbackURL) ? new URL(settings.callbackURL).origin : undefined;
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
    oauth2.useEndpoint(endpoint);
    this._oauth2 = oauth2;
    this.tokens = new TokenService({
      store: settings.tokenStore,
      clientID: settings.clientID,
      upstream: SPARK_UPSTREAM,
      onUnknown: settings.onUnknown,
      renew: async ({ refreshToken, redirectURI }) => {
        const params = {
          client_id: settings.clientID,
          client_secret: settings.clientSecret,
          grant_type: 'refresh_token',
          refresh_token: refreshToken ?? '',
          ...(redirectURI === undefined ? {} : { redirect_uri: redirectURI }),
        };
        return (await requestGrant(endpoint, params)).tokens;
      },
      revoke: (tokens) => revokeToken(settings.apiURL + TOKEN_PATH, tokens.accessToken, headers),
    });
  }

  override authenticate(req: IncomingMessage, options: SparkAuthenticateOptions = {}): void {
    // Passport clones a strategy that it knows by name, but not one that it is handed: two sign-ins that overlap would
    // then share `success` and swap people. So each call gets an object of its own, before the first await.
    const attempt = Object.create(this) as this;
    attempt.success = this.success;
    attempt.fail = this.fail;
    attempt.redirect = this.redirect;
    attempt.pass = this.pass;
    attempt.error = this.error;
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
   * @throws SparkError `revocation_failed`, when all else is done
   */
  async signOut(req: IncomingMessage, options: { readonly revoke?: boolean } = {}): Promise<void> {
    const request = req as ExpressRequest;
    const key = tokenKeyOf(request, this);
    const removed = key === undefined ? undefined : await this.tokens.remove(key);
    removeLink(request.session, this.sessionKey);
    const { logout } = request;
    if (logout) await calledBack((done) => logout.call(request, {}, done));
    const { session } = request; // logout has made it anew
    if (session?.destroy) await calledBack((done) => session.destroy?.(done));
    if (request.res && !request.res.headersSent) forgetFinished(request.res, this.isSecure(request));
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
   * The signed-in person's access token, renewed if need be: for calls from the server. Never send it to a browser.
   * @throws SignInRequiredError, UnavailableError
   */
  async accessToken(req: IncomingMessage): Promise<string> {
    const key = tokenKeyOf(req, this);
    if (key === undefined) throw new SignInRequiredError();
    return await this.tokens.use(key, async (record) => ({
      value: record.accessToken,
      expired: false,
      replayable: false,
    }));
  }

  /**
   * Links tokens to the user who is signed in to this session already (account linking with `passport.authorize`).
   * `params` is what the verify function got; `role`, `portal` as used for that sign-in.
   */
  async adopt(
    req: IncomingMessage,
    params: GrantParams,
    origin: { readonly role?: Role; readonly portal?: string } = {},
  ): Promise<void> {
    const { access_token: accessToken, refresh_token: refreshToken, expires_in: expiresIn } = params;
    if (typeof accessToken !== 'string') {
      throw new ConfigError('strategy.adopt', [
        '"params" has no access_token; pass on the params of the verify function.',
      ]);
    }
    const tokens: Tokens = {
      accessToken,
      refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
      lifetimeMs: lifetimeFrom(expiresIn),
    };
    const redirectURI = redirectURIOf(req as ExpressRequest, this.settings);
    await linkToPresentUser(
      req as PassportRequest,
      { tokens, origin: { role: origin.role ?? this.settings.role, portal: origin.portal, redirectURI } },
      { service: this.tokens, sessionKey: this.sessionKey },
    );
  }

  private async handle(req: ExpressRequest, options: SparkAuthenticateOptions): Promise<void> {
    const { res } = req;
    if (!res) throw new ConfigError('SparkStrategy', ['the request has no res; use it with Express.']);
    ownSessionKey(req, this.sessionKey, this.settings.clientID);
    const wall = options.wall ?? req.route === undefined;
    const context: Context = { req, res, options, wall: wall !== false };
    try {
      if (context.wall && !req.session)
        throw new UnavailableError('The request has no session.', { code: 'no_session' });
      if (this.isCallback(req, options)) await this.finish(context);
      else if (context.wall) await this.guard(context);
      else await this.startOrPass(context);
    } catch (error) {
      if (!context.wall) throw error;
      this.refuse(context, error, messageOf(error));
    }
  }

  /** A GET on the callback's path, and nothing else: any page may carry `?code=` or `?error=` in its own right. */
  private isCallback(req: ExpressRequest, options: SparkAuthenticateOptions): boolean {
    const { callbackURL } = options;
    const path =
      callbackURL === undefined ? this.settings.callbackPath : new URL(callbackURL, 'http://localhost').pathname;
    return req.method === 'GET' && urlParts(req).path === path;
  }

  /** The sign-in wall: signed-in people pass, browsers are sent to Spark, everything else is told to sign in. */
  private async guard(context: Context): Promise<void> {
    const { req } = context;
    if (await this.isSignedIn(req)) {
      this.justFinished(context); // the session came back: a sign-in for this page after a sign-out is no loop
      this.pass();
      return;
    }
    if (!isNavigation(req)) {
      this.refuse(context, new SignInRequiredError(), messageOf(new SignInRequiredError()));
      return;
    }
    if (this.justFinished(context)) {
      this.refuse(
        context,
        new SparkError('The session cookie did not come back.', { code: 'sign_in_loop', status: 403 }),
        LOOP,
      );
      return;
    }
    await this.start(context);
  }

  private async startOrPass(context: Context): Promise<void> {
    // Express leaves `req.route` set after a route that called next(), so a wall below it looks like a route, which
    // would send a signed-in browser to Spark for ever.
    if (this.justFinished(context) && (await this.isSignedIn(context.req))) {
      process.emitWarning(
        `passport.authenticate('spark') on ${urlParts(context.req).path} sends people who just signed in to Spark again. ` +
          'If it is meant to guard that page, write passport.authenticate("spark", { wall: true }).',
        { code: 'SPARK_WALL' },
      );
      this.pass();
      return;
    }
    await this.start(context);
  }

  private justFinished({ req, res }: Context): boolean {
    return takeFinished(req, res, urlParts(req).target, this.isSecure(req));
  }

  /** Passport has a user, and this session's link leads to tokens that can be renewed. */
  private async isSignedIn(req: ExpressRequest): Promise<boolean> {
    if (!req.user) return false;
    const key = tokenKeyOf(req, this);
    return key !== undefined && (await this.tokens.peek(key))?.state === 'live';
  }

  private async start(context: Context): Promise<void> {
    const { req, res, options } = context;
    const choice = await chooseRole(this.settings, options, req);
    const { settings } = this;
    const redirectURI = redirectURIOf(req, {
      ...settings,
      ...(options.callbackURL === undefined ? {} : { callbackURL: options.callbackURL }),
    });
    const verifier = settings.pkce ? randomBytes(32).toString('base64url') : undefined;
    const appState = appStateOf(options) ?? settings.state;
    const state = settings.store
      ? await keepState(settings.store, req, { verifier, state: appState, meta: this.meta(redirectURI) })
      : newState();
    const wanted = options.returnTo ?? (req.method === 'GET' || req.method === 'HEAD' ? urlParts(req).target : '/');
    const returnTo = safeReturnTo(wanted, settings.callbackPath);
    await this.attempts.begin(req, res, {
      ...choice,
      state,
      redirectURI,
      returnTo,
      wall: context.wall,
      verifier,
      appState,
    });
    res.setHeader('Cache-Control', 'no-store');
    this.redirect(
      authorizationURL({
        ...choice,
        platformURL: settings.platformURL,
        authorizationURL: settings.authorizationURL,
        clientID: settings.clientID,
        redirectURI,
        state,
        extra: this.extraParams(options, verifier),
      }),
    );
  }

  private extraParams(options: SparkAuthenticateOptions, verifier: string | undefined): Record<string, string> {
    const scope = typeof options.scope === 'string' ? options.scope : (options.scope?.join(' ') ?? this.settings.scope);
    return {
      ...(this.authorizationParams(options) as Record<string, string>),
      ...(scope === undefined ? {} : { scope }),
      ...(verifier === undefined ? {} : { code_challenge: sha256(verifier), code_challenge_method: 'S256' }),
    };
  }

  private async finish(context: Context): Promise<void> {
    const { req, res } = context;
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('Referrer-Policy', 'no-referrer'); // this address holds the code
    const read = readCallback(urlParts(req).query);
    const transaction = read.state === undefined ? undefined : await this.attempts.take(req, res, read.state);
    const callback = transaction ? read : withoutWords(read);
    if (callback.kind === 'denied') return this.denied(context, callback);
    if (callback.kind === 'error')
      return this.refuseOrFail(context, authorizationError(callback), errorMessage(callback));
    if (!transaction || callback.kind === 'invalid') return await this.attemptIsGone(context, callback);
    const problem = mismatch(callback, transaction, this.settings.authorizationURL ?? this.settings.platformURL);
    if (problem)
      return this.refuseOrFail(context, new AuthorizationError(problem, 'callback_mismatch', undefined, 403), STALE);
    const stored = await this.storedState(req, callback, transaction);
    if (!stored.ok)
      return this.refuseOrFail(
        context,
        new AuthorizationError('The state is not known.', 'state_mismatch', undefined, 403),
        STALE,
      );
    await this.signIn(context, callback.code, { ...transaction, verifier: stored.verifier ?? transaction.verifier });
  }

  private async storedState(
    req: ExpressRequest,
    callback: Callback,
    transaction: Transaction,
  ): Promise<{ ok: boolean; verifier: string | undefined }> {
    const { store } = this.settings;
    if (!store) return { ok: true, verifier: undefined };
    return await verifyState(store, req, callback.state, this.meta(transaction.redirectURI));
  }

  private async signIn(context: Context, code: string, transaction: Transaction): Promise<void> {
    const { req } = context;
    const { role, portal, redirectURI, appState } = transaction;
    const grant = await this.exchange(code, transaction, context.options);
    const forRole = Object.create(this, { attemptRole: { value: role } }) as this;
    const profile = await forRole.loadProfile(grant.tokens.accessToken);
    const { user, info } = await callVerify(this.verify, {
      req: this.settings.passReqToCallback ? req : undefined,
      accessToken: grant.tokens.accessToken,
      refreshToken: grant.tokens.refreshToken,
      params: grant.params,
      profile,
    });
    if (!user) {
      this.refuseOrFail(
        context,
        new AuthorizationError('The application refused this person.', 'access_denied'),
        REFUSED,
        info,
      );
      return;
    }
    coverLogIn(
      req,
      { user, tokens: grant.tokens, origin: { role, portal, redirectURI } },
      { service: this.tokens, sessionKey: this.sessionKey },
    );
    const returnTo = safeReturnTo(transaction.returnTo, this.settings.callbackPath);
    if (context.wall) await this.logIn(context, user);
    rememberFinished(context.res, returnTo, redirectURI.startsWith('https:'));
    if (context.wall) this.redirect(returnTo);
    else this.success(user, { ...info, returnTo, ...(appState === undefined ? {} : { state: appState }) });
  }

  /** The wall signs in by itself. What fails there is the session store, or `serializeUser`: the log tells which. */
  private async logIn({ req, options }: Context, user: object): Promise<void> {
    try {
      await calledBack((done) => req.logIn?.(user, { keepSessionInfo: options.keepSessionInfo }, done));
    } catch (error) {
      if (error instanceof SparkError) throw error;
      throw new UnavailableError('The session could not be saved.', { code: 'session_failed', cause: error });
    }
  }

  private async exchange(
    code: string,
    { redirectURI, verifier }: Transaction,
    options: SparkAuthenticateOptions,
  ): Promise<Grant> {
    return await exchangeCode(this._oauth2, code, {
      ...(this.tokenParams(options) as Record<string, string>),
      grant_type: 'authorization_code',
      redirect_uri: redirectURI,
      ...(verifier === undefined ? {} : { code_verifier: verifier }),
    });
  }

  private async loadProfile(accessToken: string): Promise<SparkProfile | undefined> {
    const { skipUserProfile: skip } = this.settings;
    if (typeof skip === 'function') {
      const answer = skip.length > 1 ? await calledBack((done) => skip(accessToken, done)) : (skip as () => boolean)();
      if (answer) return undefined;
    } else if (skip) {
      return undefined;
    }
    return (await calledBack((done) => this.userProfile(accessToken, done))) as SparkProfile | undefined;
  }

  private denied(context: Context, callback: Extract<Callback, { kind: 'denied' }>): void {
    const error = new AuthorizationError(
      plainText(callback.description) ?? 'The person denied access.',
      'access_denied',
    );
    if (context.wall) this.refuse(context, error, DENIED);
    else this.fail({ message: error.message, code: error.code });
  }

  /** No attempt in this browser belongs to this callback: reloaded, late, or somebody else's. */
  private async attemptIsGone(context: Context, callback: Callback): Promise<void> {
    if (await this.isSignedIn(context.req)) {
      this.redirect(safeReturnTo(context.options.returnTo, this.settings.callbackPath));
      return;
    }
    const problem =
      callback.kind === 'invalid'
        ? `The callback holds ${callback.problem}.`
        : 'The attempt to sign in is not known here.';
    this.refuseOrFail(context, new AuthorizationError(problem, 'attempt_unknown', undefined, 403), STALE);
  }

  /** A wall answers by itself; a route fails for what the person did, and errs for what went wrong. */
  private refuseOrFail(context: Context, error: AuthorizationError, message: WallMessage, info?: object): void {
    if (context.wall) this.refuse(context, error, message);
    else if (error.status === 403) this.fail(info ?? { message: error.message, code: error.code }, 403);
    else this.error(error);
  }

  private refuse({ req, res, options }: Context, error: unknown, message: WallMessage): void {
    if (options.failWithError || options.wall === 'fail') {
      this.fail({ message: message.text, code: message.code }, message.status);
      return;
    }
    if (message.status >= 500) {
      process.emitWarning(describeError(error), { type: 'SparkStrategy', code: 'SPARK_SIGN_IN' });
    }
    if (options.failureRedirect !== undefined && isNavigation(req) && message.status !== 503) {
      this.redirect(options.failureRedirect);
      return;
    }
    answerWall(req, res, message);
  }

  private isSecure(req: ExpressRequest): boolean {
    return redirectURIOf(req, this.settings).startsWith('https:');
  }

  private meta(callbackURL: string): StateMeta {
    const { clientID, tokenURL, authorizationURL: own, platformURL } = this.settings;
    return { authorizationURL: own ?? `${platformURL}/oauth2`, tokenURL, clientID, callbackURL };
  }
}

interface Context {
  readonly req: ExpressRequest;
  readonly res: ServerResponse;
  readonly options: SparkAuthenticateOptions;
  readonly wall: boolean;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Passport's types know text alone; its users also write `true` (a state of our own, as always) and objects. */
function appStateOf({ state }: { state?: unknown }): string | object | undefined {
  return typeof state === 'string' || (typeof state === 'object' && state !== null) ? state : undefined;
}
