import { OAuth2Client, type OAuth2ClientOptions } from '../../src/oauth2/index.js';
import { serve } from '../support/server.js';

/** A request that the server received. */
export interface Asked {
  readonly path: string;
  readonly method: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
  /** The body as a form. */
  readonly form: Readonly<Record<string, string>>;
}

/** What the server answers with. Default 200 and a bearer token. */
export interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server that notes what it is asked, and answers as the test says. Serves until the test ends. */
export async function startStub(answer: (asked: Asked, count: number) => Answer | Promise<Answer> = () => ({})) {
  const asked: Asked[] = [];
  const { url } = await serve((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    req.on('end', async () => {
      const { url: path = '', method, headers } = req;
      const form = Object.fromEntries(new URLSearchParams(body));
      const one: Asked = { path, method, authorization: headers.authorization, body, form };
      asked.push(one);
      const { status = 200, body: text, headers: more = {} } = await answer(one, asked.length);
      res.writeHead(status, more).end(text ?? `{"access_token":"token-${asked.length}","token_type":"bearer"}`);
    });
  });
  const clientOf = (options: Partial<OAuth2ClientOptions> = {}): OAuth2Client =>
    new OAuth2Client({ tokenURL: `${url}/token`, clientID: 'app', clientSecret: 'app-secret', ...options });
  return { url, asked, clientOf };
}
