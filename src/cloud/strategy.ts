import type { IncomingMessage } from 'node:http';
import type { AuthenticateOptions } from 'passport';
import { Strategy } from 'passport-strategy';
import { conceal } from '../conceal.js';
import { SignInRequiredError } from '../errors.js';
import { ownSessionKey, tokenKeyOf } from '../session.js';
import { ownCall } from '../signin/call.js';
import { coverLogIn, linkToPresentUser, type PassportRequest } from '../signin/login.js';
import { signOutHere } from '../signin/sign-out.js';
import { type Verified, type VerifyCallback, verified } from '../signin/verify.js';
import { TokenService } from '../tokens/service.js';
import {
  type AccountCredentials,
  type CloudDevice,
  type CloudToken,
  deleteToken,
  fetchDevices,
  fetchTokens,
} from './account.js';
import { CLOUD_UPSTREAM } from './answers.js';
import { CloudError, type MfaChallenge, MfaRequiredError } from './errors.js';
import { CloudGrants, type CloudSignIn } from './grants.js';
import { type CloudSettings, parseCloudOptions, type SparkCloudStrategyOptions } from './options.js';

/** Who signed in, in Passport's normalised form. The cloud tells no more than the name of the account. */
export interface CloudProfile {
  readonly provider: 'spark-cloud';
  /** The e-mail address, as the cloud spells it where it says it, else as it was typed. */
  readonly id: string;
  readonly displayName: string;
  readonly emails: readonly { readonly value: string }[];
}

export type CloudVerifyFunction = (profile: CloudProfile, done: VerifyCallback) => void;

/** Declared as a method, whose parameters TypeScript compares both ways: `req` may be written as Express' `Request`. */
interface CloudVerifyWithRequest {
  verify(req: IncomingMessage, profile: CloudProfile, done: VerifyCallback): void;
}
export type CloudVerifyFunctionWithRequest = CloudVerifyWithRequest['verify'];

/** Options of one call: `passport.authenticate('spark-cloud', { … })`. Passport's own go along. */
export interface CloudAuthenticateOptions extends AuthenticateOptions {
  /**
   * The second step of a sign-in: the challenge of `MfaRequiredError`; the form then holds the one-time code alone.
   * Default: the first step.
   */
  readonly challenge?: MfaChallenge | undefined;
}

/**
 * Signs people in with their account at the Spark Core cloud (today Particle; the cloud's API of 2014), by a form with name and
 * password, as passport-local does. It needs a body parser before it, and reads no password from a query.
 * @example
 * passport.use(new SparkCloudStrategy({ tokenStore: new RedisTokenStore(redis) }));
 * app.post('/login', express.urlencoded({ extended: false }), passport.authenticate('spark-cloud', { successRedirect: '/' }));
 * app.use('/cloud', sparkProxy({ strategy })); // /cloud/v1/devices
 */
export class SparkCloudStrategy extends Strategy {
  name = 'spark-cloud';
  /** The tokens of the people who signed in with this strategy. */
  readonly tokens: TokenService;
  readonly apiURL: string;
  readonly sessionKey: string;
  readonly userAgent = 'passport-spark';
  readonly origin: string | undefined;

  private readonly settings: CloudSettings;
  private readonly grants: CloudGrants;
  private readonly verify: ((...args: unknown[]) => void) | undefined;

  /**
   * `verify` decides who may sign in, and what the user is. Default: the profile.
   * @throws ConfigError that lists every problem with the options and its remedy
   */
  constructor(options?: SparkCloudStrategyOptions);
  constructor(
    options: SparkCloudStrategyOptions & { passReqToCallback?: false | undefined },
    verify: CloudVerifyFunction,
  );
  constructor(options: SparkCloudStrategyOptions & { passReqToCallback: true }, verify: CloudVerifyFunctionWithRequest);
  constructor(options: SparkCloudStrategyOptions = {}, verify?: unknown) {
    super();
    this.settings = parseCloudOptions(options, verify);
    this.verify = verify as typeof this.verify; // a function, if anything: checked above
    const { apiURL, sessionKey, origin, tokenStore, clientID, onUnknown } = this.settings;
    this.apiURL = apiURL;
    this.sessionKey = sessionKey;
    this.origin = origin;
    const grants = new CloudGrants(this.settings);
    this.grants = grants;
    this.tokens = new TokenService({
      store: tokenStore,
      clientID,
      upstream: CLOUD_UPSTREAM,
      onUnknown,
      renew: (record) => grants.renew(record),
    });
    conceal(this, 'settings', 'grants');
  }

  override authenticate(req: IncomingMessage, options: CloudAuthenticateOptions = {}): void {
    const attempt = ownCall(this);
    attempt.handle(req as PassportRequest, options).catch((error: unknown) => attempt.refuse(error));
  }

  /**
   * Signs in by name and password without `passport.authenticate`, for account linking: hand the answer to {@link adopt}.
   * The password is not kept.
   * @throws CloudError `wrong_password`, `unknown_account`, `rate_limited`; MfaRequiredError, whose challenge is for
   * {@link finishMfa}; TokenError the cloud gave no tokens for another reason, or could not be reached
   */
  async signIn({ username, password }: Omit<AccountCredentials, 'otp'>): Promise<CloudSignIn> {
    return await this.grants.signIn(username, password);
  }

  /**
   * Finishes a sign-in that needs a second factor, where the application does that without `passport.authenticate`. Hand the
   * answer to {@link adopt}.
   * @throws CloudError `wrong_otp`, `mfa_expired`, `rate_limited`; TokenError the cloud gave no tokens for another reason, or
   * could not be reached
   */
  async finishMfa(challenge: MfaChallenge, otp: string): Promise<CloudSignIn> {
    return await this.grants.finishMfa(challenge, otp);
  }

  /**
   * Links a sign-in at the cloud to the user who is signed in to this session already (account linking), in place of the one
   * that was linked before.
   * @throws SignInRequiredError nobody is signed in with Passport; UnavailableError there is no session, or the token store is
   * away; ConfigError the session lives in the browser; what the session store says when it can't save
   */
  async adopt(req: IncomingMessage, { tokens, way }: CloudSignIn): Promise<void> {
    await linkToPresentUser(req as PassportRequest, { tokens, origin: { grant: way } }, this);
  }

  /**
   * The signed-in person's devices.
   * @throws SignInRequiredError nobody is signed in, or the cloud refuses the token after a renewal too; UnavailableError;
   * CloudError `forbidden`, `rate_limited`; UpstreamError `cloud_failed`
   */
  async listDevices(req: IncomingMessage): Promise<readonly CloudDevice[]> {
    const { expired, devices } = await this.tokens.use(this.keyOf(req), async ({ accessToken }) => {
      const value = await fetchDevices(this.settings, accessToken);
      return { value, expired: value.expired, replayable: true };
    });
    // A token that was renewed a moment ago, and is refused again: nobody's devices, rather than none.
    if (expired) throw new SignInRequiredError('The cloud does not take the sign-in. Sign in again.');
    return devices;
  }

  /**
   * Every access token of an account. Its e-mail address, password and one-time code are asked for anew: they are not kept.
   * @throws CloudError `wrong_password`, `unknown_account`, `otp_required`, `wrong_otp`, `rate_limited`; UpstreamError
   * `cloud_failed`
   */
  async listTokens(credentials: AccountCredentials): Promise<readonly CloudToken[]> {
    return await fetchTokens(this.settings, credentials);
  }

  /**
   * Makes an access token of an account unusable.
   * @throws CloudError `token_not_found`, `wrong_password`, `unknown_account`, `otp_required`, `wrong_otp`, `rate_limited`;
   * UpstreamError `cloud_failed`
   */
  async revokeToken(token: string, credentials: AccountCredentials): Promise<void> {
    await deleteToken(this.settings, token, credentials);
  }

  /**
   * Removes the person's tokens, signs out of Passport and destroys the session.
   * @throws UnavailableError there is no session, or the token store is away, and nobody was signed out
   */
  async signOut(req: IncomingMessage): Promise<void> {
    await signOutHere(req, this);
  }

  private keyOf(req: IncomingMessage): string {
    const key = tokenKeyOf(req, this);
    if (key === undefined) throw new SignInRequiredError();
    return key;
  }

  private async handle(req: PassportRequest, { challenge }: CloudAuthenticateOptions): Promise<void> {
    ownSessionKey(req, this);
    const signIn = challenge ? await this.secondStep(req, challenge) : await this.firstStep(req);
    if (!signIn) return;
    const { user, info } = await this.userOf(req, signIn.username);
    if (!user) {
      this.fail(info ?? { message: 'The application refused this person.', code: 'access_denied' }, 403);
      return;
    }
    coverLogIn(req, { user, tokens: signIn.tokens, origin: { grant: signIn.way } }, this);
    this.success(user, info);
  }

  private async firstStep(req: PassportRequest): Promise<CloudSignIn | undefined> {
    const { usernameField, passwordField } = this.settings;
    const username = field(req, usernameField);
    const password = field(req, passwordField);
    if (username !== undefined && password !== undefined) return await this.grants.signIn(username, password);
    this.missing(`${usernameField} and ${passwordField}`);
    return undefined;
  }

  private async secondStep(req: PassportRequest, challenge: MfaChallenge): Promise<CloudSignIn | undefined> {
    const otp = field(req, this.settings.otpField);
    if (otp !== undefined) return await this.grants.finishMfa(challenge, otp);
    this.missing(this.settings.otpField);
    return undefined;
  }

  private missing(fields: string): void {
    const message = `The form lacks ${fields}, or no body parser stands before passport.authenticate.`;
    this.fail({ message, code: 'fields_missing' }, 400);
  }

  private async userOf(req: PassportRequest, username: string): Promise<Verified> {
    const profile: CloudProfile = {
      provider: 'spark-cloud',
      id: username,
      displayName: username,
      emails: [{ value: username }],
    };
    const { verify } = this;
    if (!verify) return { user: profile, info: undefined };
    return await verified((done) => verify(...(this.settings.passReqToCallback ? [req] : []), profile, done));
  }

  /** What the person can mend fails, with the error as Passport's `info`; everything else is an error. */
  private refuse(error: unknown): void {
    if (error instanceof MfaRequiredError || error instanceof CloudError) this.fail(error, error.status);
    else this.error(error as Error); // passed on as it was thrown
  }
}

/** A field of the form, as a parser left it. Never of the query: addresses are logged. */
function field(req: IncomingMessage, name: string): string | undefined {
  const { body } = req as { body?: unknown };
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return undefined;
  const value = (body as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
