import { OptionCheck } from '../options.js';
import { isAccessToken } from './record.js';

const TOKENS =
  'write { accessToken, refreshToken, lifetimeMs }: access_token and expires_in (in seconds) of a token answer go by these names here.';

/** `expires_in` has a remedy of its own. */
const NAMES = ['accessToken', 'refreshToken', 'lifetimeMs', 'expires_in'];

/**
 * Checks what an application hands to `tokens.adopt`: else the first call to the API would be refused, and say nothing of
 * the cause. Problems name types, never values: these are tokens.
 * @throws ConfigError
 */
export function checkAdopted(name: unknown, tokens: unknown, options: object): void {
  const check = new OptionCheck('tokens.adopt');
  check.text('name', name, "write a name of your own, like 'office'.");
  const given = (typeof tokens === 'object' && tokens !== null ? tokens : {}) as Readonly<Record<string, unknown>>;
  const { accessToken, refreshToken, lifetimeMs, expires_in } = given;
  // A misspelt lifetime would make tokens that never expire. A whole token answer is told of below.
  if (accessToken !== undefined) check.known(given, NAMES);
  const text = check.text('accessToken', accessToken, TOKENS);
  if (text !== '' && !isAccessToken(text))
    check.problem('"accessToken" holds characters that no header may; write the token alone, without a line break.');
  if (refreshToken !== undefined) {
    const refresh = check.text(
      'refreshToken',
      refreshToken,
      'write the refresh token, or leave it out where there is none.',
    );
    if (refresh !== '' && !isAccessToken(refresh))
      check.problem('"refreshToken" holds characters that no token may; write the token alone, without a line break.');
  }
  if (lifetimeMs === undefined && expires_in !== undefined) {
    check.problem('"expires_in" is not read here; write lifetimeMs: expires_in * 1000.');
  } else if (lifetimeMs !== undefined && !isLifetime(lifetimeMs)) {
    const found = typeof lifetimeMs === 'number' ? lifetimeMs : `of type ${typeof lifetimeMs}`;
    check.problem(
      `"lifetimeMs" is ${found}; write how many milliseconds the access token lives from now on (0: it has expired), or leave it out for one that never expires.`,
    );
  }
  check.object(options, "write { redirectURI: 'https://app.example.com/auth/spark/callback' }, or leave them out.");
  check.known(options, ['replace', 'role', 'portal', 'redirectURI', 'grant', 'scope', 'params']);
  const { replace, params } = options as { readonly replace?: unknown; readonly params?: unknown };
  check.flag('replace', replace, false);
  check.params('params', params);
  check.done();
}

function isLifetime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
