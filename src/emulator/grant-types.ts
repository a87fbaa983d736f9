import { admit, type Client, type Door, type Grantee } from './people.js';
import { isVerified } from './pkce.js';
import { isRegisteredDomain } from './redirect-uri.js';
import type { Settings } from './settings.js';
import type { EmulatorState } from './state.js';
import type { TokenAnswer } from './tokens.js';

/** What the grant endpoint says. */
export interface GrantAnswer {
  readonly status: number;
  readonly body: object;
}

/** A refusal in OAuth's terms (draft 10 §4.3). */
export class GrantRefusal extends Error {
  override readonly name = 'GrantRefusal';

  constructor(
    readonly error: string,
    description: string,
    readonly status = 400,
  ) {
    super(description);
  }
}

/** A grant that was given. */
export interface Exchanged {
  readonly grantee: Grantee;
  readonly tokens: TokenAnswer;
  /** The plain JSON object of the answer: no `token_type`, no `scope`, no envelope. */
  readonly body: object;
}

/**
 * Exchanges what the request offers for tokens.
 *
 * @param parameters - the body's fields, `null` when it was neither JSON nor a form
 * @throws GrantRefusal
 */
export function exchange(state: EmulatorState, parameters: ReadonlyMap<string, string> | null): Exchanged {
  if (parameters === null) throw new GrantRefusal('invalid_request', 'The body is neither a JSON object nor a form');
  const grantType = required(parameters, 'grant_type');
  const client = authenticate(state, parameters);
  const { grantee, tokens } = exchangeAs(grantType, state, client, parameters);
  return { grantee, tokens, body: tokenBody(state.settings, tokens) };
}

type Given = Pick<Exchanged, 'grantee' | 'tokens'>;

function exchangeAs(
  grantType: string,
  state: EmulatorState,
  client: Client,
  parameters: ReadonlyMap<string, string>,
): Given {
  switch (grantType) {
    case 'authorization_code':
      return exchangeCode(state, client, parameters);
    case 'refresh_token':
      return exchangeRefreshToken(state, client, parameters);
    case 'password':
      return exchangePassword(state, client, parameters);
    default:
      throw new GrantRefusal('unsupported_grant_type', `The grant type ${grantType} is not supported`);
  }
}

function authenticate(state: EmulatorState, parameters: ReadonlyMap<string, string>): Client {
  const client = state.clientById(required(parameters, 'client_id'));
  const secret = required(parameters, 'client_secret');
  if (client === undefined) throw new GrantRefusal('invalid_client', 'Unknown client_id', 401);
  if (client.secret !== secret) {
    throw new GrantRefusal('invalid_client', 'Parameter client_secret does not match', 401);
  }
  return client;
}

function exchangeCode(state: EmulatorState, client: Client, parameters: ReadonlyMap<string, string>): Given {
  const code = required(parameters, 'code');
  const redirectURI = required(parameters, 'redirect_uri');
  const issued = state.codes.find(code, client.id);
  if (issued === null) throw invalidGrant();
  if (issued.redirectURI !== redirectURI) throw redirectMismatch();
  if (!isVerified(issued.challenge, parameters.get('code_verifier'))) throw invalidGrant();
  state.codes.spend(code);
  return { grantee: issued.grantee, tokens: state.tokens.issue(issued.grantee) };
}

function exchangeRefreshToken(state: EmulatorState, client: Client, parameters: ReadonlyMap<string, string>): Given {
  const refreshToken = required(parameters, 'refresh_token');
  const needed = state.settings.refreshNeedsRedirectURI;
  const redirectURI = needed ? required(parameters, 'redirect_uri') : parameters.get('redirect_uri');
  // Checked first: a refusal must not spend the token.
  if (redirectURI !== undefined && !isRegisteredDomain(client, redirectURI)) throw redirectMismatch();
  const refreshed = state.tokens.refresh(refreshToken, client.id);
  if (refreshed === null) throw invalidGrant();
  return { grantee: refreshed.grantee, tokens: refreshed.answer };
}

/** The vendor's own mobile client uses it: agents and consumers sign in alike, each in their own role. */
function exchangePassword(state: EmulatorState, client: Client, parameters: ReadonlyMap<string, string>): Given {
  const username = required(parameters, 'username');
  const password = required(parameters, 'password');
  const doors: readonly Door[] = [{ kind: 'agent' }, { kind: 'vow', portal: null }];
  for (const door of doors) {
    if (door.kind === 'vow' && !client.roles.includes('vow')) continue;
    const { grantee } = admit(state.settings.people, client, door, username, password);
    if (grantee !== null) return { grantee, tokens: state.tokens.issue(grantee) };
  }
  throw invalidGrant();
}

function tokenBody(settings: Settings, tokens: TokenAnswer): object {
  const refresh = tokens.refreshToken === null ? {} : { refresh_token: tokens.refreshToken };
  return { access_token: tokens.accessToken, ...refresh, ...expiresIn(settings, tokens.leftMs) };
}

function expiresIn(settings: Settings, leftMs: number): object {
  // Rounded up: 0 would be read as "not stated", although a fraction of a second is left.
  const seconds = Math.ceil(leftMs / 1_000);
  switch (settings.expiresInFormat) {
    case 'number':
      return { expires_in: seconds };
    case 'string':
      return { expires_in: String(seconds) };
    case 'zero':
      return { expires_in: 0 };
    case 'missing':
      return {};
  }
}

function required(parameters: ReadonlyMap<string, string>, name: string): string {
  const value = parameters.get(name);
  if (value === undefined || value === '') {
    throw new GrantRefusal('invalid_request', `Missing required parameter ${name}`);
  }
  return value;
}

function invalidGrant(): GrantRefusal {
  return new GrantRefusal('invalid_grant', 'The access grant you supplied is invalid');
}

function redirectMismatch(): GrantRefusal {
  return new GrantRefusal('redirect_uri_mismatch', 'Parameter redirect_uri does not match registered URI');
}
