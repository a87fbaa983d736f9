import { TokenError } from '../errors.js';
import { type Grant, type GrantEndpoint, requestGrant, revokeAtEndpoint } from '../grant.js';
import { clientBasic } from '../http-authorization.js';
import type { Tokens } from '../tokens/record.js';
import type { OAuth2Settings } from './options.js';

/** Parameters of a grant; those that are undefined are left out. */
export type GrantParameters = Readonly<Record<string, string | undefined>>;

/**
 * The token endpoint of a standard server, and the one that revokes, with the client's authentication (RFC 6749 §2.3.1) put
 * where it wants it.
 */
export class TokenEndpoint {
  private readonly endpoint: GrantEndpoint;
  private readonly revocationURL: string | undefined;
  private readonly credentials: Readonly<Record<string, string>>;

  constructor({
    tokenURL,
    revocationURL,
    format,
    timeoutMs,
    defaultLifetimeMs,
    customHeaders,
    clientAuthentication,
    clientID,
    clientSecret,
  }: OAuth2Settings) {
    const basic = clientAuthentication === 'basic' && clientSecret !== undefined;
    this.revocationURL = revocationURL;
    this.endpoint = {
      url: tokenURL,
      format,
      timeoutMs,
      defaultLifetimeMs,
      headers: { ...customHeaders, ...(basic ? { authorization: clientBasic(clientID, clientSecret) } : {}) },
    };
    // Never in both places: a client uses one method per request (RFC 6749 §2.3).
    this.credentials = basic
      ? {}
      : { client_id: clientID, ...(clientSecret === undefined ? {} : { client_secret: clientSecret }) };
  }

  /** @throws TokenError */
  async ask(grantType: string, params: GrantParameters): Promise<Grant> {
    const given = Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const grant = await requestGrant(this.endpoint, {
      ...Object.fromEntries(given),
      grant_type: grantType,
      ...this.credentials,
    });
    refuseOtherTypes(grant);
    return grant;
  }

  /**
   * Revokes the refresh token, with which its access tokens end (RFC 7009 §2.1), or else the access token. Does nothing for a
   * server whose address for it is not known. @throws SparkError `revocation_failed`
   */
  async revoke({ accessToken, refreshToken }: Tokens): Promise<void> {
    if (this.revocationURL === undefined) return;
    const hint = refreshToken === undefined ? 'access_token' : 'refresh_token';
    await revokeAtEndpoint(
      { ...this.endpoint, url: this.revocationURL },
      { token: refreshToken ?? accessToken, token_type_hint: hint, ...this.credentials },
    );
  }
}

/** Some servers name no type, or spell it out. */
const BEARER = /^bearer(?:token)?$/i;

/** A client must not use a token of a type that it does not know (RFC 6749 §7.1). */
function refuseOtherTypes({ params }: Grant): void {
  if (BEARER.test(String(params.token_type ?? 'bearer'))) return;
  const message = 'The token endpoint gave a token of another type than bearer, the only one known here.';
  // It will do so again: a matter of configuration, which has to be loud, and no passing fault.
  throw new TokenError(message, 'unsupported_token_type', { status: 502, outcome: 'refused' });
}
