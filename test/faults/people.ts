import { sparkId } from '../../src/emulator/people.js';
import type { Worker } from './application.js';

/** Somebody who is signed in, and what became of the requests. */
export interface Person {
  readonly username: string;
  /** Of the token record. Changes with a new sign-in. */
  key: string;
  /** What the browser sends along. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly path: string;
  /** Was told to sign in although the store held a refresh token that Spark accepted. */
  lost: boolean;
  /** Is told to sign in when all is over. */
  asked: boolean;
}

/** What a request came to. `refused`: a 401 of the API's own that stands. */
export type Outcome = 'served' | 'asked' | 'refused' | 'unavailable' | 'failed' | 'foreign' | 'broken';

export interface Reply {
  readonly outcome: Outcome;
  readonly beganAt: number;
  readonly tookMs: number;
  /** For an outcome that a row does not expect. */
  readonly detail: string;
}

/** A person whose tokens were stored without a browser: the session comes with the request. */
export function seededPerson(username: string, key: string): Person {
  const person: Person = {
    username,
    key,
    headers: () => ({ 'x-key': person.key }),
    path: '/seeded/v1/my/account',
    lost: false,
    asked: false,
  };
  return person;
}

/** One request through the proxy. Never rejects. */
export async function ask(person: Person, worker: Worker): Promise<Reply> {
  const beganAt = Date.now();
  const reply = (outcome: Outcome, detail = ''): Reply => ({ outcome, beganAt, tookMs: Date.now() - beganAt, detail });
  try {
    const { statusCode, body } = await worker.http.request({
      method: 'GET',
      path: person.path,
      headers: person.headers(),
    });
    const text = await body.text();
    return reply(outcomeOf(person, statusCode, text), `${statusCode} ${text.slice(0, 200)}`);
  } catch (error) {
    return reply('broken', String(error));
  }
}

function outcomeOf(person: Person, status: number, body: string): Outcome {
  if (status === 503) return 'unavailable';
  if (status !== 200 && status !== 401) return 'failed';
  const { D } = JSON.parse(body) as { D: { Error?: string; Results?: { Id: string }[] } };
  if (status === 401) return D.Error === 'sign_in_required' ? 'asked' : 'refused';
  return D.Results?.[0]?.Id === sparkId(`account:${person.username}`) ? 'served' : 'foreign';
}
