import { ConfigError, SparkError } from '../errors.js';
import { SPARK_UPSTREAM, SYSTEM_PATH } from '../platform.js';
import { keyOfSource, type TokenSource } from '../session.js';
import { isAccessToken } from '../tokens/record.js';
import { type Api, type ApiAnswer, askSpark } from './ask.js';
import type { SignedInTokens } from './link.js';
import { type DiscoveredPortal, readPortal } from './portal.js';

/** Whose tokens ask; a text is an access token at hand. */
export type PortalSource = TokenSource | string;

/** Asks `/v1/system` for an account's portal, and renews the tokens if need be. */
export async function discoverPortal(api: Api & SignedInTokens, from: PortalSource): Promise<DiscoveredPortal> {
  if (typeof from === 'string') {
    if (isAccessToken(from)) return readPortal(await askSystem(api, from));
    throw new ConfigError('strategy.discoverPortal', [
      'the access token holds characters that no header may; write the token alone, without a line break.',
    ]);
  }
  const key = keyOfSource(from, api, 'strategy.discoverPortal', 'the request, an access token');
  const answer = await api.tokens.use(key, async ({ accessToken }) => {
    const value = await askSystem(api, accessToken);
    return { value, expired: SPARK_UPSTREAM.isExpired(value.wwwAuthenticate, value.body), replayable: true };
  });
  return readPortal(answer);
}

async function askSystem(api: Api, accessToken: string): Promise<ApiAnswer> {
  try {
    return await askSpark(api, accessToken, SYSTEM_PATH);
  } catch (cause) {
    throw new SparkError('/v1/system did not answer.', { code: 'system_failed', status: 502, cause });
  }
}
