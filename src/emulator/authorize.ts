import type { Request, Response } from 'express';
import { formFields, readBody } from './body.js';
import { answerDoor, refuseClient } from './door.js';
import { queryOf, redirectTo } from './http.js';
import { sendMessagePage } from './page.js';
import { type Client, type Door, roleOfClient } from './people.js';
import { challengeProblem, PKCE_PARAMETERS } from './pkce.js';
import { appendQuery, fallbackURI, isRegistered } from './redirect-uri.js';
import type { EmulatorState } from './state.js';

const PARAMETERS = ['response_type', 'client_id', 'redirect_uri', 'state', ...PKCE_PARAMETERS] as const;

/** `/oauth2`: sign-in of agents for Private and IDX keys. */
export async function authorizeAgent(state: EmulatorState, req: Request, res: Response): Promise<Response> {
  return authorize(state, req, res, { kind: 'agent' });
}

/** `/auth/vow` and `/auth/vow/:portal`: sign-in of a portal's consumers. */
export async function authorizeConsumer(state: EmulatorState, req: Request, res: Response): Promise<Response> {
  const given = req.params.portal;
  if (given === undefined) return authorize(state, req, res, { kind: 'vow', portal: null });

  const portal = String(given).toLowerCase();
  if (!state.settings.portals.some((name) => name.toLowerCase() === portal)) {
    return sendMessagePage(res, 404, 'Unknown portal', `There is no portal with the name "${portal}".`);
  }
  return authorize(state, req, res, { kind: 'vow', portal });
}

/** The authorization endpoint of OAuth 2.0 draft 10, as the vendor's OAuth 2 page describes it. */
async function authorize(state: EmulatorState, req: Request, res: Response, door: Door): Promise<Response> {
  const form = req.method === 'POST' ? (formFields(req, await readBody(req)) ?? new URLSearchParams()) : null;
  const request = form ?? queryOf(req);

  const clientId = request.get('client_id');
  const client = clientId === null ? undefined : state.clientById(clientId);
  if (client === undefined) return refuseClient(res, clientId);

  const redirectURI = request.get('redirect_uri');
  if (redirectURI === null) {
    return callBackElsewhere(res, client, request, 'invalid_request', missing('redirect_uri'));
  }
  if (!isRegistered(client, redirectURI)) {
    const description = 'Parameter redirect_uri does not match registered URI';
    return callBackElsewhere(res, client, request, 'redirect_uri_mismatch', description);
  }

  const refuse = (error: string, description: string): Response =>
    redirectTo(res, errorCallback(redirectURI, request, error, description));

  const responseType = request.get('response_type');
  if (responseType === null) return refuse('invalid_request', missing('response_type'));
  if (responseType !== 'code') {
    return refuse('unsupported_response_type', 'Parameter response_type must be "code"');
  }
  const problem = challengeProblem(request);
  if (problem !== undefined) return refuse('invalid_request', problem);
  if (roleOfClient(client, door) === null) {
    return refuse('unauthorized_client', 'The role of this key does not allow this sign-in');
  }

  return answerDoor(state, req, res, form, {
    client,
    door,
    parameters: PARAMETERS.flatMap((name) => {
      const value = request.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
    onAllow: (grantee) => {
      const code = state.codes.issue({ grantee, redirectURI, challenge: request.get('code_challenge') });
      return redirectTo(res, appendQuery(redirectURI, [['code', code], ...echoedState(request)]));
    },
    onDeny: () => refuse('access_denied', 'The user denied you access'),
  });
}

/** Without a usable redirect URI the error goes to the URI on record, or stays on the page where there is none. */
function callBackElsewhere(
  res: Response,
  client: Client,
  request: URLSearchParams,
  error: string,
  description: string,
): Response {
  const uri = fallbackURI(client);
  if (uri === null) return sendMessagePage(res, 400, 'Sign-in is not possible', `${description} (${error}).`);
  return redirectTo(res, errorCallback(uri, request, error, description));
}

function errorCallback(uri: string, request: URLSearchParams, error: string, description: string): string {
  return appendQuery(uri, [['error', error], ['error_description', description], ...echoedState(request)]);
}

function echoedState(request: URLSearchParams): (readonly [string, string])[] {
  const state = request.get('state');
  return state === null ? [] : [['state', state]];
}

function missing(parameter: string): string {
  return `Missing required parameter ${parameter}`;
}
