import request from 'supertest';
import type TestAgent from 'supertest/lib/agent.js';

export interface SignInChoice {
  readonly username?: string;
  readonly password?: string;
  readonly decision?: 'allow' | 'deny';
}

/** A person with a browser that keeps cookies and follows no redirect by itself. */
export class Visitor {
  readonly agent: TestAgent;

  constructor(readonly url: string) {
    this.agent = request.agent(url);
  }

  /** Goes to a page, as by its address. */
  page(path: string): request.Test {
    return this.agent.get(path).set('Accept', 'text/html');
  }

  /** Calls the proxy, as the page's script would. */
  call(path: string): request.Test {
    return this.agent.get(path).set('Sec-Fetch-Site', 'same-origin').set('Accept', 'application/json');
  }

  /** Goes to a page that leads to Spark, and answers where Spark leads back to. */
  async goToSpark(path: string, choice: SignInChoice = {}): Promise<string> {
    const away = await this.page(path);
    if (away.status !== 302) throw new Error(`${path} answered ${away.status} ${away.text}`);
    return await answerSpark(away.headers.location as string, choice);
  }

  /** Opens an address of the application that Spark redirected to. */
  back(address: string): request.Test {
    const { pathname, search } = new URL(address);
    return this.page(pathname + search);
  }

  /** The whole sign-in; answers what the callback answered. */
  async signIn(path = '/', choice: SignInChoice = {}): Promise<request.Response> {
    return await this.back(await this.goToSpark(path, choice));
  }

  cookies(): string[] {
    const all = (
      this.agent as unknown as {
        jar: { getCookies(access: unknown): { name: string }[] & { toValueString(): string } };
      }
    ).jar;
    const access = { domain: '127.0.0.1', path: '/', secure: false, script: false };
    return [...all.getCookies(access)].map(({ name }) => name);
  }
}

/** Fills in the emulator's sign-in form. */
export async function answerSpark(
  address: string,
  { username = 'agent', password = 'spark', decision = 'allow' }: SignInChoice = {},
): Promise<string> {
  const page = await fetch(address, { redirect: 'manual' });
  if (page.status >= 300 && page.status < 400) return page.headers.get('location') ?? '';
  const html = await page.text();
  const fields = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
    ([, name = '', value = '']) => [unescapeHTML(name), unescapeHTML(value)],
  );
  const action = /<form method="post" action="([^"]*)"/.exec(html)?.[1];
  if (action === undefined) throw new Error(`${page.status}: no form at Spark`);
  const body = new URLSearchParams([
    ...(fields as [string, string][]),
    ['username', username],
    ['password', password],
    ['decision', decision],
  ]);
  const answer = await fetch(new URL(unescapeHTML(action), address), { method: 'POST', body, redirect: 'manual' });
  const location = answer.headers.get('location');
  if (location === null) throw new Error(`Spark answered ${answer.status}`);
  return location;
}

function unescapeHTML(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
