import type { Request, Response } from 'express';
import { queryOf } from '../http.js';
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

/** What everything under `/v1` has in common: the log, planned faults, refusals. */
export function call(state: CloudState, req: Request, res: Response, act: () => unknown): void {
  const seen = {
    at: state.clock.now(),
    method: req.method,
    url: req.originalUrl,
    authorization: req.headers.authorization ?? null,
  };
  try {
    failAsPlanned(state.callFaults, res);
    const body = act();
    state.requests.push({ ...seen, status: 200 });
    answer(state, res, 200, body);
  } catch (error) {
    state.requests.push({ ...seen, status: answerRefusal(state, res, error) });
  }
}

/** `GET /v1/devices`, and `GET /v1/devices/<id or name>`. */
export function devices(state: CloudState, req: Request): unknown {
  const { account } = signedIn(state, req);
  const { id } = req.params;
  if (id === undefined) return account.devices;
  const device = account.devices.find((known) => known.id === id || known.name === id);
  if (!device) throw new CloudRefusal(404, 'device_not_found', 'This account has no such device.');
  return device;
}

/** `GET /v1/access_tokens`: with the account's own name and password, never the client's (the cloud's API of 2014). */
export function listTokens(state: CloudState, req: Request): unknown {
  return state.vault.access.of(basicAccount(state, req)).map(({ token, expiresAt, client }) => ({
    token,
    expires_at: new Date(expiresAt).toISOString(),
    client,
  }));
}

/** `DELETE /v1/access_tokens/<token>`. */
export function revokeToken(state: CloudState, req: Request): unknown {
  const account = basicAccount(state, req);
  const { token = '' } = req.params;
  const found = state.vault.access.live(String(token));
  if (found?.account !== account) throw new CloudRefusal(404, 'token_not_found', 'This account has no such token.');
  state.vault.access.take(found.token);
  return { ok: true };
}

/** An account with a second factor needs the one-time code in the query too: how today's cloud is asked by its own client. */
function basicAccount(state: CloudState, req: Request): CloudAccount {
  const [username, password] = basicCredentials(req) ?? [];
  const account = accountWith(state, username, password, { status: 401, error: 'unauthorized' });
  if (account.otp === null) return account;
  const otp = queryOf(req).get('otp');
  if (otp === null) throw new CloudRefusal(403, 'mfa_required', 'Multi-factor authentication required');
  if (otp !== account.otp) throw new CloudRefusal(403, 'invalid_otp', 'The code is not right.');
  return account;
}

function signedIn(state: CloudState, req: Request): AccessToken {
  const given = bearerToken(req) ?? queryOf(req).get('access_token');
  if (given === null) throw new CloudRefusal(400, 'invalid_request', 'The access token was not found');
  const token = state.vault.access.live(given);
  if (token) return token;
  const { badTokenStatus: status } = state.settings;
  // The code of the standard where the status is (RFC 6750 §3.1), and the cloud's own where its own is.
  const error = status === 401 ? 'invalid_token' : 'invalid_grant';
  throw new CloudRefusal(status, error, 'The access token provided is invalid.');
}
