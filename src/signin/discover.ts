import type { IncomingMessage } from 'node:http';
import { ConfigError, SignInRequiredError, SparkError } from '../errors.js';
import { SPARK_UPSTREAM, SYSTEM_PATH } from '../platform.js';
import { type SignedInTokens, tokenKeyOf } from '../session.js';
import { adoptedKey } from '../tokens/service.js';
import { type Api, type ApiAnswer, askSpark } from './ask.js';
import { type DiscoveredPortal, readPortal } from './portal.js';

/** Whose tokens ask: those of a request's person, a token at hand, or tokens stored under a name. */
export type PortalSource = IncomingMessage | string | { readonly tokenKey: string };

/** Asks `/v1/system` for an account's portal, and renews the tokens if need be. */
export async function discoverPortal(api: Api & SignedInTokens, from: PortalSource): Promise<DiscoveredPortal> {
  checkSource(from);
  if (typeof from === 'string') return readPortal(await askSystem(api, from));
  const key = 'tokenKey' in from ? adoptedKey(from.tokenKey) : tokenKeyOf(from, api);
  if (key === undefined) throw new SignInRequiredError();
  const answer = await api.tokens.use(key, async ({ accessToken }) => {
    const value = await askSystem(api, accessToken);
    return { value, expired: SPARK_UPSTREAM.isExpired(value.wwwAuthenticate, value.body), replayable: true };
  });
  return readPortal(answer);
}

/** @throws ConfigError */
function checkSource(from: PortalSource | null | undefined): void {
  if (typeof from === 'string') return;
  if (typeof from === 'object' && from !== null) {
    if ('tokenKey' in from ? typeof from.tokenKey === 'string' : 'headers' in from) return;
  }
  throw new ConfigError('strategy.discoverPortal', [
    "nothing says whose portal; write the request, an access token, or { tokenKey: 'office' } of tokens that were adopted.",
  ]);
}

async function askSystem(api: Api, accessToken: string): Promise<ApiAnswer> {
  try {
    return await askSpark(api, accessToken, SYSTEM_PATH);
  } catch (cause) {
    throw new SparkError('/v1/system did not answer.', { code: 'system_failed', status: 502, cause });
  }
}
