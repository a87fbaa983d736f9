import { setTimeout as wait } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { formFields, jsonObject, type ReceivedBody, readBody } from './body.js';
import { messageOfCode, statusOfCode } from './envelope.js';
import type { GrantFault } from './faults.js';
import { exchange, type GrantAnswer, GrantRefusal } from './grant-types.js';
import { breakConnection } from './http.js';
import type { Draft, GrantSeen } from './log.js';
import type { EmulatorState } from './state.js';

/** `POST /v1/oauth2/grant`: logs the request, does the work and answers, or fails as the fault plan says. */
export async function grant(state: EmulatorState, req: Request, res: Response): Promise<Response> {
  if (req.method !== 'POST') {
    const description = 'The grant endpoint takes POST requests only';
    return res.set('Allow', 'POST').status(405).json({ error: 'invalid_request', error_description: description });
  }
  const parameters = grantParameters(req, await readBody(req));
  const entry = newEntry(state, req, parameters);
  state.log.addGrant(entry);
  res.on('finish', () => {
    entry.status = res.statusCode;
    entry.answeredAt = state.clock.now();
  });

  // Taken at arrival, so that "the next request" is the next one to come, however long each of them takes.
  const fault = state.faults.takeGrantFault();
  const delay = state.faults.takeGrantDelay();
  entry.fault = fault?.kind ?? null;

  res.set('Cache-Control', 'no-store');
  if (delay?.when === 'before') await pause(delay.ms);
  if (fault !== undefined && isWithoutWork(fault)) return failEarly(res, entry, fault);
  const answer = answerGrant(state, parameters, entry);
  if (delay?.when === 'after') await pause(delay.ms);
  if (fault !== undefined) return failLate(res, fault, answer);
  return res.status(answer.status).json(answer.body);
}

function newEntry(
  state: EmulatorState,
  req: Request,
  parameters: ReadonlyMap<string, string> | null,
): Draft<GrantSeen> {
  return {
    at: state.clock.now(),
    type: parameters?.get('grant_type') ?? null,
    clientId: parameters?.get('client_id') ?? null,
    redirectURI: parameters?.get('redirect_uri') ?? null,
    refreshToken: parameters?.get('refresh_token') ?? null,
    code: parameters?.get('code') ?? null,
    person: null,
    issued: null,
    status: null,
    answeredAt: null,
    error: null,
    fault: null,
    headers: { ...req.headers },
  };
}

/** JSON as the vendor documents it, or a form as every other OAuth client sends it; `null` for anything else. */
function grantParameters(req: Request, body: ReceivedBody): ReadonlyMap<string, string> | null {
  const form = formFields(req, body);
  if (form !== null) return new Map(form);
  const json = jsonObject(req, body);
  if (json === null) return null;
  return new Map(Object.entries(json).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function answerGrant(
  state: EmulatorState,
  parameters: ReadonlyMap<string, string> | null,
  entry: Draft<GrantSeen>,
): GrantAnswer {
  try {
    const { grantee, tokens, body } = exchange(state, parameters);
    entry.person = grantee.person.username;
    entry.issued = { accessToken: tokens.accessToken, refreshToken: tokens.refreshToken };
    return { status: 200, body };
  } catch (error) {
    if (!(error instanceof GrantRefusal)) throw error;
    entry.error = error.error;
    return { status: error.status, body: { error: error.error, error_description: error.message } };
  }
}

type LateFault = Extract<GrantFault, { kind: 'drop-after' | 'cut-after' | 'hang-after' }>;

function isWithoutWork(fault: GrantFault): fault is Exclude<GrantFault, LateFault> {
  return !fault.kind.endsWith('-after');
}

function failEarly(res: Response, entry: Draft<GrantSeen>, fault: Exclude<GrantFault, LateFault>): Response {
  switch (fault.kind) {
    case 'refuse': {
      entry.error = fault.error;
      const description = fault.description === undefined ? {} : { error_description: fault.description };
      return res.status(fault.status ?? 400).json({ error: fault.error, ...description });
    }
    case 'status':
      if (fault.retryAfter !== undefined) res.set('Retry-After', String(fault.retryAfter));
      return res
        .status(fault.status)
        .type('text/plain')
        .send(fault.body ?? '');
    case 'envelope':
      if (fault.retryAfter !== undefined) res.set('Retry-After', String(fault.retryAfter));
      return res
        .status(statusOfCode(fault.code))
        .json({ D: { Success: false, Message: messageOfCode(fault.code), Code: fault.code } });
    case 'html':
      return res
        .status(200)
        .type('html')
        .send('<!doctype html><title>Service</title><p>This is not the answer you want.</p>');
    case 'empty':
      return res.status(200).type('application/json').end();
    case 'reset':
      return breakConnection(res);
    case 'hang':
      return res;
  }
}

function failLate(res: Response, fault: GrantFault, answer: GrantAnswer): Response {
  if (fault.kind === 'hang-after') return res;
  if (fault.kind === 'drop-after') return breakConnection(res);
  const body = JSON.stringify(answer.body);
  res
    .status(answer.status)
    .type('application/json')
    .set('Content-Length', String(Buffer.byteLength(body)));
  // Ended gently: a reset could overtake the half that is to arrive.
  res.write(body.slice(0, Math.floor(body.length / 2)), () => res.socket?.destroySoon());
  return res;
}

/** Does not keep a process alive that has nothing else to do. */
async function pause(ms: number): Promise<void> {
  await wait(ms, undefined, { ref: false });
}
