import type { Request, Response } from 'express';
import { type SignInPage, sendMessagePage, sendSignInPage } from './page.js';
import { admit, type Client, type Door, type Grantee } from './people.js';
import type { EmulatorState } from './state.js';

/** A sign-in request that was found in order, before the person has answered it. */
export interface OpenDoor {
  readonly client: Client;
  readonly door: Door;
  /** The parameters of the request; they travel in the form. */
  readonly parameters: readonly (readonly [string, string])[];
  readonly onAllow: (grantee: Grantee) => Response;
  readonly onDeny: () => Response;
}

/** Shows the sign-in form, or acts on the form that was sent. Both flows and every endpoint meet here. */
export function answerDoor(
  state: EmulatorState,
  req: Request,
  res: Response,
  form: URLSearchParams | null,
  open: OpenDoor,
): Response {
  const page: SignInPage = {
    action: `${req.baseUrl}${req.path}`,
    hidden: open.parameters,
    clientId: open.client.id,
    place: placeName(open.door),
  };
  if (form === null) return sendSignInPage(res, 200, page);

  const decision = form.get('decision');
  if (decision === 'deny') return open.onDeny();
  const username = form.get('username') ?? '';
  if (decision !== 'allow') {
    return sendSignInPage(res, 400, { ...page, username, message: 'Please choose Allow or Deny.' });
  }

  const admission = admit(state.settings.people, open.client, open.door, username, form.get('password') ?? '');
  if (admission.grantee === null) {
    return sendSignInPage(res, admission.status, { ...page, username, message: admission.message });
  }
  return open.onAllow(admission.grantee);
}

/** Only ever on the provider's own page: a client that is unknown has no address that could be trusted. */
export function refuseClient(res: Response, clientId: string | null): Response {
  const message =
    clientId === null
      ? 'The sign-in request does not name its application: the parameter client_id is missing.'
      : `No application is registered with the client_id "${clientId}".`;
  return sendMessagePage(res, 400, 'Unknown application', message);
}

function placeName(door: Door): string {
  if (door.kind === 'agent') return 'Sign-in for agents';
  return door.portal === null
    ? 'Sign-in for consumers of any portal'
    : `Sign-in for consumers of the portal ${door.portal}`;
}
