import type { Request, Response } from 'express';
import { formFields, jsonObject, readBody } from '../body.js';
import type { CloudAccount } from './options.js';
import {
  accountWith,
  answer,
  answerRefusal,
  basicCredentials,
  bearerToken,
  CloudRefusal,
  type CloudState,
  failAsPlanned,
} from './state.js';
import type { AccessToken } from './vault.js';

/** What a grant did, for the log. */
interface Granted {
  readonly account: CloudAccount;
  readonly body: unknown;
}

/** `POST /sign-in` of 2014: name and password as JSON for an `auth_token`. */
export async function signIn(state: CloudState, req: Request, res: Response): Promise<void> {
  const body = await readBody(req);
  await grant(state, res, 'sign-in', () => {
    const input = jsonObject(req, body);
    if (!input) throw new CloudRefusal(400, 'invalid_request', 'The body must be JSON with username and password.');
    const account = accountWith(state, input.username, input.password, { status: 401, error: 'unauthorized' });
    const { token, expiresAt } = state.vault.newAuthToken(account);
    return { account, body: { username: account.username, auth_token: { token, expires_at: iso(expiresAt) } } };
  });
}

/** `GET /access-token` of 2014: an `auth_token` for the account's access token, the same one while that lives. */
export async function accessToken(state: CloudState, req: Request, res: Response): Promise<void> {
  await grant(state, res, 'access-token', () => {
    const auth = state.vault.auth.live(bearerToken(req) ?? '');
    if (!auth) throw new CloudRefusal(401, 'unauthorized', 'The auth token is not valid, or no longer.');
    const { account } = auth;
    const present = state.vault.access.of(account).find(({ client }) => client === 'spark-ide');
    const { token, expiresAt } = present ?? state.vault.newAccessToken(account, 'spark-ide');
    return {
      account,
      body: { access_token: token, access_token_expires_at: iso(expiresAt).replace('Z', '+00:00') },
    };
  });
}

/** `POST /oauth/token`: a form, with the client in HTTP Basic or in the body. */
export async function oauthToken(state: CloudState, req: Request, res: Response): Promise<void> {
  const form = formFields(req, await readBody(req));
  const type = form?.get('grant_type') ?? '';
  await grant(state, res, type, () => {
    if (!form) throw new CloudRefusal(400, 'invalid_request', 'The body must be a form.');
    const client = clientOf(state, req, form);
    const token = tokenFor(state, type, form, client);
    const { account } = token;
    const refresh = state.settings.refreshTokens ? state.vault.newRefreshToken(account, client) : undefined;
    return {
      account,
      body: {
        access_token: token.token,
        token_type: 'bearer',
        expires_in: Math.round(state.settings.lifetimeMs / 1_000),
        ...(refresh ? { refresh_token: refresh.token } : {}),
      },
    };
  });
}

function tokenFor(state: CloudState, type: string, form: URLSearchParams, client: string): AccessToken {
  const { vault } = state;
  switch (type) {
    case 'password': {
      const refusal = { status: 400, error: 'invalid_grant' };
      const account = accountWith(state, form.get('username'), form.get('password'), refusal);
      if (account.otp === null) return vault.newAccessToken(account, client);
      const mfa_token = vault.newMfaToken(account, client).token;
      throw new CloudRefusal(403, 'mfa_required', 'Multi-factor authentication required', { mfa_token });
    }
    case 'urn:custom:mfa-otp': {
      const step = vault.mfa.live(form.get('mfa_token') ?? '');
      if (!step) throw new CloudRefusal(400, 'invalid_grant', 'The MFA token is not valid, or no longer.');
      if (step.account.otp !== form.get('otp')) throw new CloudRefusal(403, 'invalid_otp', 'The code is not right.');
      vault.mfa.take(step.token);
      return vault.newAccessToken(step.account, client);
    }
    case 'refresh_token': {
      const spent = vault.refresh.take(form.get('refresh_token') ?? '');
      if (spent?.client !== client) throw new CloudRefusal(400, 'invalid_grant', 'Invalid refresh token');
      return vault.newAccessToken(spent.account, client);
    }
    default:
      throw new CloudRefusal(400, 'unsupported_grant_type', 'This grant type is not known here.');
  }
}

function clientOf({ settings }: CloudState, req: Request, form: URLSearchParams): string {
  const [id, secret] = basicCredentials(req) ?? [form.get('client_id'), form.get('client_secret')];
  const client = settings.clients.find((known) => known.id === id && known.secret === secret);
  if (!client) throw new CloudRefusal(400, 'invalid_client', 'Client credentials are invalid');
  return client.id;
}

async function grant(state: CloudState, res: Response, type: string, act: () => Granted): Promise<void> {
  const at = state.clock.now();
  try {
    failAsPlanned(state.grantFaults, res);
    const { account, body } = act();
    state.grants.push({ at, type, username: account.username, status: 200 });
    answer(state, res, 200, body);
  } catch (error) {
    state.grants.push({ at, type, username: null, status: answerRefusal(state, res, error) });
  }
}

function iso(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+/, '');
}
