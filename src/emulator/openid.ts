import type { Request, Response } from 'express';
import { attributeAnswer } from './attributes.js';
import { formFields, readBody } from './body.js';
import { answerDoor, refuseClient } from './door.js';
import { originOf, queryOf, redirectTo } from './http.js';
import { sendMessagePage } from './page.js';
import { type Client, type Grantee, roleOfClient } from './people.js';
import { challengeProblem, PKCE_PARAMETERS } from './pkce.js';
import { randomHexId } from './random.js';
import { appendQuery, fallbackURI, isRegistered } from './redirect-uri.js';
import type { EmulatorState } from './state.js';

const OPENID_NS = 'http://specs.openid.net/auth/2.0';
const SPARK_NS = 'http://sparkplatform.com/extensions/spark/1.0';
const SREG_NS = 'http://openid.net/extensions/sreg/1.1';

/** Fields of an OpenID message, by their names without `openid.`. */
type Fields = Map<string, string>;

/**
 * `/openid`: the OpenID + OAuth 2 hybrid flow of the vendor's hybrid page, for Private and IDX keys. The first
 * parameter of a name counts where one is sent twice.
 */
export async function openid(state: EmulatorState, req: Request, res: Response): Promise<Response> {
  const form = req.method === 'POST' ? (formFields(req, await readBody(req)) ?? new URLSearchParams()) : null;
  const request = form ?? queryOf(req);
  const fields = openidFields(request);

  // Only these two are asked by the application's server; everything else is a person's browser.
  if (form !== null && fields.get('mode') === 'check_authentication') return verifyDirectly(state, res, fields);
  if (form !== null && fields.get('mode') === 'associate') return refuseAssociation(res);
  return checkId(state, req, res, form, request, fields);
}

/** `/openid/logout`. No return parameter is known, so the person ends here. */
export function openidLogout(_req: Request, res: Response): Response {
  return sendMessagePage(res, 200, 'Signed out', 'You are signed out of the Spark emulator.');
}

function checkId(
  state: EmulatorState,
  req: Request,
  res: Response,
  form: URLSearchParams | null,
  request: URLSearchParams,
  fields: Fields,
): Response {
  const combined = fields.get('spark.combined_flow') === 'true';
  const clientId = fields.get('spark.client_id') ?? null;
  const client = clientId === null ? clientOfReturnTo(state, fields, combined) : state.clientById(clientId);
  if (client === undefined) return refuseClient(res, clientId);

  const returnTo = fields.get('return_to');
  if (returnTo === undefined || !isRegistered(client, returnTo)) {
    const problem =
      returnTo === undefined
        ? 'Missing required parameter openid.return_to'
        : 'Parameter openid.return_to does not match registered URI';
    const uri = fallbackURI(client);
    if (uri === null) return sendMessagePage(res, 400, 'Sign-in is not possible', `${problem}.`);
    return redirectTo(res, callback(uri, failure(problem), fields));
  }

  const answer = (content: ReadonlyMap<string, string>): Response =>
    redirectTo(res, callback(returnTo, content, fields));
  const mode = fields.get('mode');
  // Nobody is ever signed in already, so the silent form always needs the page (OpenID 2.0 §10.2.1).
  if (mode === 'checkid_immediate') return answer(outcome('setup_needed'));
  if (mode !== 'checkid_setup') return answer(failure(`Unsupported openid.mode ${mode ?? '(none)'}`));
  const problem = challengeProblem(request);
  if (problem !== undefined) return answer(failure(problem));
  if (roleOfClient(client, { kind: 'agent' }) === null) {
    return answer(failure('The role of this key does not allow this sign-in'));
  }

  return answerDoor(state, req, res, form, {
    client,
    door: { kind: 'agent' },
    parameters: [
      ...[...fields].map(([name, value]) => [`openid.${name}`, value] as const),
      ...PKCE_PARAMETERS.flatMap((name) => request.getAll(name).map((value) => [name, value] as const)),
    ],
    onAllow: (grantee) => {
      const challenge = request.get('code_challenge');
      const code = combined ? state.codes.issue({ grantee, redirectURI: returnTo, challenge }) : null;
      const minimal = state.settings.hybridCallback === 'minimal';
      return answer(minimal ? minimalAssertion(code) : fullAssertion(state, req, grantee, returnTo, code, fields));
    },
    onDeny: () => answer(outcome('cancel')),
  });
}

/** A request for identity alone may come without a key; then any client with this return address will do. */
function clientOfReturnTo(state: EmulatorState, fields: Fields, combined: boolean): Client | undefined {
  const returnTo = fields.get('return_to');
  if (combined || returnTo === undefined) return undefined;
  return state.settings.clients.find((client) => isRegistered(client, returnTo));
}

/** The form of the vendor's page: `openid.mode=id_res&openid.spark.code=<code>`. */
function minimalAssertion(code: string | null): Fields {
  const fields: Fields = new Map([['mode', 'id_res']]);
  if (code !== null) fields.set('spark.code', code);
  return fields;
}

/** The form of a captured callback: a positive assertion with the code as an extension and simple registration, unasked. */
function fullAssertion(
  state: EmulatorState,
  req: Request,
  grantee: Grantee,
  returnTo: string,
  code: string | null,
  request: Fields,
): ReadonlyMap<string, string> {
  const endpoint = `${originOf(req)}/openid`;
  const session = `session_id=${randomHexId()}`;
  const identity = `${endpoint}/userid/mo.${grantee.person.accountId.slice(-8)}?${session}`;
  const fields: Fields = new Map([
    ['ns', OPENID_NS],
    ['ns.sreg', SREG_NS],
    ['mode', 'id_res'],
    ['op_endpoint', `${endpoint}?${session}`],
    ['claimed_id', identity],
    ['identity', identity],
    ['return_to', returnTo],
    ['sreg.fullname', `${grantee.person.firstName} ${grantee.person.lastName}`],
    ['sreg.nickname', grantee.person.accountId],
    ...askedEmail(request, grantee.person),
    ...attributeAnswer(request, grantee.person),
  ]);
  if (code !== null) fields.set('ns.spark', SPARK_NS).set('spark.code', code);
  return state.assertions.sign(fields, state.clock.now());
}

/** Full name and nickname come unasked; an address only to who asks (Simple Registration 1.1 §3). */
function askedEmail(request: Fields, { email }: Grantee['person']): [string, string][] {
  const asked = [request.get('sreg.required'), request.get('sreg.optional')].flatMap((list) => (list ?? '').split(','));
  return asked.includes('email') ? [['sreg.email', email]] : [];
}

function verifyDirectly(state: EmulatorState, res: Response, fields: Fields): Response {
  return sendKeyValues(res, 200, { ns: OPENID_NS, is_valid: String(state.assertions.verify(fields)) });
}

/** Every client so far works without an association, so there is none to have (OpenID 2.0 §8.2.4). */
function refuseAssociation(res: Response): Response {
  return sendKeyValues(res, 400, {
    ns: OPENID_NS,
    error: 'Associations are not supported',
    error_code: 'unsupported-type',
  });
}

function sendKeyValues(res: Response, status: number, values: Record<string, string>): Response {
  const body = Object.entries(values).map(([name, value]) => `${name}:${value}\n`);
  return res.status(status).set('Cache-Control', 'no-store').type('text/plain').send(body.join(''));
}

function failure(text: string): Fields {
  return outcome('error').set('error', text);
}

/** A message without an assertion. */
function outcome(mode: 'cancel' | 'setup_needed' | 'error'): Fields {
  return new Map([
    ['ns', OPENID_NS],
    ['mode', mode],
  ]);
}

/**
 * The state comes back with every outcome: it is the application's protection against forged callbacks. It stands beside the
 * assertion, not in it: the captured list of signed fields has no `spark.state`.
 */
function callback(uri: string, content: ReadonlyMap<string, string>, request: Fields): string {
  const fields = new Map(content);
  const state = request.get('spark.state');
  if (state !== undefined) fields.set('spark.state', state);
  return appendQuery(
    uri,
    [...fields].map(([name, value]) => [`openid.${name}`, value] as const),
  );
}

function openidFields(parameters: URLSearchParams): Fields {
  const fields: Fields = new Map();
  for (const [name, value] of parameters) {
    const short = name.startsWith('openid.') ? name.slice('openid.'.length) : '';
    if (short !== '' && !fields.has(short)) fields.set(short, value);
  }
  return fields;
}
