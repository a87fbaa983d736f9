/** What came back, after redirects were followed. */
export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface VisitOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** Follow redirects. Default true. */
  readonly follow?: boolean;
}

interface SparkAnswer {
  readonly decision?: 'allow' | 'deny';
  /** Come back from Spark. Default true. */
  readonly follow?: boolean;
}

interface JarEntry {
  readonly value: string;
  readonly path: string;
}

/** A browser as far as HTTP goes: keeps cookies by host and path, says where its navigations come from, follows redirects. */
export class Visitor {
  private readonly jar = new Map<string, JarEntry>();
  /** Every `Set-Cookie` so far. */
  readonly cookiesSet: string[] = [];

  async visit(url: string, options: VisitOptions = {}): Promise<Visit> {
    let { method = 'GET', form } = options;
    let next = url;
    for (let hops = 0; hops < 10; hops += 1) {
      // Stands in for the proxy that ends TLS before the application.
      const behindProxy = next.startsWith('https:');
      const response = await fetch(next.replace(/^https:/, 'http:'), {
        method,
        redirect: 'manual',
        headers: {
          accept: 'text/html',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-site': method === 'POST' ? 'same-origin' : 'none',
          cookie: this.cookiesFor(next),
          ...(behindProxy ? { 'x-forwarded-proto': 'https' } : {}),
          ...options.headers,
        },
        ...(form ? { body: new URLSearchParams(form) } : {}),
      });
      this.keep(response, next);
      const location = response.headers.get('location');
      if (location === null || options.follow === false) {
        return { url: next, status: response.status, headers: response.headers, text: await response.text() };
      }
      await response.arrayBuffer();
      next = new URL(location, next).href;
      method = 'GET';
      form = undefined;
    }
    throw new Error(`Too many redirects, last to ${next}`);
  }

  /** Goes to Spark by this link, fills in the form there and comes back. */
  async signIn(link: string, username: string, decision: 'allow' | 'deny' = 'allow'): Promise<Visit> {
    const answer = await this.goToSpark(link);
    return await answer(username, { decision });
  }

  /** Goes to Spark by this link. Answers what sends the form there, once or, as by Back, once more. */
  async goToSpark(link: string): Promise<(username: string, options?: SparkAnswer) => Promise<Visit>> {
    const page = await this.visit(link);
    const form = page.text.match(/<form method="post" action="([^"]+)"/);
    if (!form) throw new Error(`No sign-in form at ${page.url}: ${page.status} ${page.text.slice(0, 500)}`);
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
    const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescaped(value)]));
    return (username, { decision = 'allow', follow = true } = {}) =>
      this.visit(new URL(unescaped(form[1] ?? ''), page.url).href, {
        method: 'POST',
        form: { ...fields, username, password: 'spark', decision },
        follow,
      });
  }

  /** Names of the cookies that would be sent to this address. */
  cookieNames(url: string): string[] {
    return this.entriesFor(url).map(([name]) => name);
  }

  private cookiesFor(url: string): string {
    return this.entriesFor(url)
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  private entriesFor(url: string): [string, JarEntry][] {
    const { hostname, pathname } = new URL(url); // cookies know no ports
    return [...this.jar].flatMap(([key, entry]) => {
      const [host = '', name = ''] = key.split(' ');
      const within = entry.path === '/' || pathname === entry.path || pathname.startsWith(`${entry.path}/`);
      return host === hostname && within ? [[name, entry]] : [];
    });
  }

  private keep(response: Response, url: string): void {
    for (const header of response.headers.getSetCookie()) {
      this.cookiesSet.push(header);
      const [pair = '', ...attributes] = header.split('; ');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      const path = attributes.find((attribute) => attribute.startsWith('Path='))?.slice(5) ?? '/';
      const gone = attributes.some(
        (attribute) => attribute === 'Max-Age=0' || attribute.startsWith('Expires=Thu, 01 Jan 1970'),
      );
      const key = `${new URL(url).hostname} ${name} ${path}`;
      if (gone) this.jar.delete(key);
      else this.jar.set(key, { value, path });
    }
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
