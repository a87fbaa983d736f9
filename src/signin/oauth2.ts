import { OAuth2, type oauth2tokenCallback } from 'oauth';
import { conceal } from '../conceal.js';
import { TokenError } from '../errors.js';
import { type Grant, type GrantEndpoint, lifetimeFrom, requestGrant } from '../grant.js';

/** The base class's callback as it is really called: the success has no error, the error no tokens. */
type TokenCallback = (error: unknown, accessToken?: string, refreshToken?: string, params?: object) => void;

/**
 * The `_oauth2` of the strategy: the `oauth` package's client, which other packages (passport-oauth2-refresh) build anew
 * from its fields (so no constructor of its own, but the six arguments of the base class), but asking for tokens the way
 * Spark wants it and with limits of time and size.
 */
export class SparkOAuth2 extends OAuth2 {
  private grantEndpoint!: GrantEndpoint; // set by useEndpoint, right after the constructor
  private redirectURI: string | undefined;

  /** Sets what the six arguments can't say. `redirectURI` goes up with a refresh that names none. */
  useEndpoint(endpoint: GrantEndpoint, redirectURI: string | undefined): void {
    this.grantEndpoint = endpoint;
    this.redirectURI = redirectURI;
    // passport-oauth2-refresh puts this function on the client that it builds from the fields, where the two above are missing.
    this.getOAuthAccessToken = this.getOAuthAccessToken.bind(this);
    conceal(this, 'grantEndpoint', 'getOAuthAccessToken', '_clientSecret', '_customHeaders');
  }

  override getOAuthAccessToken(
    code: string,
    paramsOrCallback: object | oauth2tokenCallback,
    maybeCallback?: oauth2tokenCallback,
  ): void {
    const params = typeof paramsOrCallback === 'function' ? {} : paramsOrCallback;
    // The base class takes the callback in either place; its type says that every call has one.
    const callback = (typeof paramsOrCallback === 'function' ? paramsOrCallback : maybeCallback) as TokenCallback;
    const { _clientId, _clientSecret } = this as unknown as { _clientId: string; _clientSecret: string }; // not in @types/oauth
    const given = params as Record<string, string>;
    const refresh = given.grant_type === 'refresh_token';
    const request = {
      // The vendor's OAuth 2 page lists it for a refresh too: its domain must be the registered one.
      ...(refresh && this.redirectURI !== undefined ? { redirect_uri: this.redirectURI } : {}),
      ...given,
      client_id: _clientId,
      client_secret: _clientSecret,
      [refresh ? 'refresh_token' : 'code']: code,
    };
    requestGrant(this.grantEndpoint, request).then(
      ({ tokens, params: answer }) => callback(null, tokens.accessToken, tokens.refreshToken, answer),
      (error: unknown) => callback(error),
    );
  }
}

/** Exchanges a code through a strategy's `_oauth2`, which applications and their tests may have replaced. */
export async function exchangeCode(
  oauth2: OAuth2,
  code: string,
  params: Readonly<Record<string, string>>,
): Promise<Grant> {
  return await new Promise((resolve, reject) => {
    oauth2.getOAuthAccessToken(code, { ...params }, (error, accessToken, refreshToken, answer: unknown) => {
      if (error) return reject(error);
      if (!accessToken) return reject(new TokenError('The token endpoint gave no access token.', 'bad_response'));
      const given = (answer ?? {}) as Grant['params'];
      const lifetimeMs = lifetimeFrom(given.expires_in);
      resolve({ tokens: { accessToken, refreshToken: refreshToken || undefined, lifetimeMs }, params: given });
    });
  });
}
