import { TokenError } from '../errors.js';
import { type Grant, type GrantEndpoint, requestGrant } from '../grant.js';
import { clientBasic } from '../http-authorization.js';
import type { TokenRecord, Tokens } from '../tokens/record.js';
import type { CloudWay } from './addresses.js';
import { type AskedWith, cloudRefusal, readAccessToken, readAuthToken } from './answers.js';
import { CloudError, type MfaChallenge, MfaRequiredError } from './errors.js';
import type { CloudSettings } from './options.js';

/** What a sign-in brought. Secret: it holds tokens. */
export interface CloudSignIn {
  /** The account's e-mail address, as the cloud spells it where it says it, else as it was typed. */
  readonly username: string;
  /** Access token, its lifetime in milliseconds, and what renews it: a refresh token, or with way `session` the `auth_token`. */
  readonly tokens: Tokens;
  /** How the tokens are renewed. */
  readonly way: CloudWay;
}

/** Everything that the cloud gives tokens for. Keeps nothing: the password goes out with its request, and is gone. */
export class CloudGrants {
  constructor(private readonly settings: CloudSettings) {}

  /** @throws CloudError `wrong_password`, `unknown_account`, `rate_limited`; MfaRequiredError; TokenError */
  async signIn(username: string, password: string): Promise<CloudSignIn> {
    return this.settings.way === 'oauth'
      ? await this.passwordGrant(username, password)
      : await this.sessionSignIn(username, password);
  }

  /** The second step of a sign-in that was answered with {@link MfaRequiredError}. @throws CloudError `wrong_otp`, `mfa_expired` */
  async finishMfa({ mfaToken, username }: MfaChallenge, otp: string): Promise<CloudSignIn> {
    const params = { grant_type: 'urn:custom:mfa-otp', mfa_token: mfaToken, otp };
    const { tokens } = await requestGrant(this.oauth('otp', username), params);
    return { username, tokens, way: 'oauth' };
  }

  /**
   * The next tokens of a record, by the way that it came.
   * @throws TokenError `invalid_grant` when nothing but a new sign-in helps
   */
  async renew({ refreshToken = '', grant }: TokenRecord): Promise<Tokens> {
    if (grant !== 'session') {
      const params = { grant_type: 'refresh_token', refresh_token: refreshToken };
      return (await requestGrant(this.oauth('refresh token', ''), params)).tokens;
    }
    try {
      return await this.accessToken(refreshToken);
    } catch (error) {
      // The auth token is to such a record what a refresh token is to others.
      if (error instanceof CloudError && error.code === 'auth_token_expired')
        throw new TokenError(error.message, 'invalid_grant', { cause: error });
      throw error;
    }
  }

  /** An access token for an auth token (`GET`, `Bearer`). @throws CloudError `auth_token_expired` */
  async accessToken(authToken: string): Promise<Tokens> {
    const endpoint = this.endpoint(this.settings.accessTokenURL, 'auth token', '');
    const headers = { authorization: `Bearer ${authToken}` };
    return (await requestGrant({ ...endpoint, method: 'GET', headers, readTokens: readAccessToken }, {})).tokens;
  }

  private async passwordGrant(username: string, password: string): Promise<CloudSignIn> {
    const params = { grant_type: 'password', username, password };
    const { tokens } = await requestGrant(this.oauth('password', username), params);
    return { username, tokens, way: 'oauth' };
  }

  private async sessionSignIn(username: string, password: string): Promise<CloudSignIn> {
    const endpoint = this.endpoint(this.settings.signInURL, 'password', username);
    const auth: Grant = await requestGrant(
      { ...endpoint, format: 'json', readTokens: readAuthToken },
      { username, password },
    );
    const { accessToken: authToken } = auth.tokens;
    const tokens = await this.accessToken(authToken);
    const { username: known } = auth.params;
    return {
      username: typeof known === 'string' && known !== '' ? known : username,
      tokens: { ...tokens, refreshToken: authToken },
      way: 'session',
    };
  }

  private oauth(asked: AskedWith, username: string): GrantEndpoint {
    const { tokenURL, clientID, clientSecret } = this.settings;
    return {
      ...this.endpoint(tokenURL, asked, username),
      headers: { authorization: clientBasic(clientID, clientSecret) },
    };
  }

  private endpoint(url: string, asked: AskedWith, username: string): GrantEndpoint {
    return {
      url,
      format: 'form',
      headers: {},
      timeoutMs: this.settings.timeoutMs,
      readRefusal: (answer, status, retryAfterMs) => {
        const { error, mfa_token: mfaToken } = answer;
        if (error === 'mfa_required' && typeof mfaToken === 'string')
          return new MfaRequiredError({ mfaToken, username });
        return cloudRefusal(asked, answer, status, retryAfterMs);
      },
    };
  }
}
