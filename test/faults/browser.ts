import { answerSpark } from '../support/visitor.js';
import type { Worker } from './application.js';
import type { Person } from './people.js';

/** Cookies go to the host, whatever the port: one browser in front of all processes. */
export class Browser {
  private readonly cookies = new Map<string, string>();

  header(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Another browser with the same cookies: a second tab that does not notice what the first one does. */
  copy(): Browser {
    const copy = new Browser();
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  async go(worker: Worker, path: string, method: 'GET' | 'POST' = 'GET'): Promise<Response> {
    const answer = await fetch(worker.url + path, { method, headers: { cookie: this.header() }, redirect: 'manual' });
    for (const cookie of answer.headers.getSetCookie()) this.keep(cookie);
    return answer;
  }

  /** Signs in through Spark's page, as a person does. */
  async signIn(worker: Worker, username: string): Promise<void> {
    await this.finishSignIn(worker, await this.beginSignIn(worker), username);
  }

  /** Answers the address at Spark. */
  async beginSignIn(worker: Worker): Promise<string> {
    const away = await this.go(worker, '/app/auth/spark');
    const address = away.headers.get('location');
    if (address === null) throw new Error(`The application answered ${away.status} instead of leading to Spark.`);
    return address;
  }

  async finishSignIn(worker: Worker, address: string, username: string): Promise<void> {
    const { pathname, search } = new URL(await answerSpark(address, { username }));
    const back = await this.go(worker, pathname + search);
    if (back.status !== 302) throw new Error(`The callback answered ${back.status}.`);
  }

  /** The key of the session's tokens. */
  async key(worker: Worker): Promise<string> {
    const { key } = (await (await this.go(worker, '/app/key')).json()) as { key?: string };
    return key ?? '';
  }

  private keep(cookie: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    if (value === '' || /;\s*expires=thu, 01 jan 1970/i.test(cookie)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** A person with a real session, signed in through a browser. */
export interface BrowsingPerson extends Person {
  readonly browser: Browser;
}

export async function browsingPerson(worker: Worker, username: string): Promise<BrowsingPerson> {
  const browser = new Browser();
  await browser.signIn(worker, username);
  return {
    username,
    key: await browser.key(worker),
    browser,
    headers: () => ({ cookie: browser.header() }),
    path: '/app/spark/v1/my/account',
    lost: false,
    asked: false,
  };
}
