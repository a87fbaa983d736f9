import { createSparkEmulator, type SparkEmulatorHandle, type SparkEmulatorOptions } from '../../src/emulator/index.js';

export const CALLBACK = 'http://127.0.0.1:9/auth/spark/callback';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

export interface Spark extends SparkEmulatorHandle {
  get(path: string, init?: RequestInit): Promise<Response>;
  postForm(path: string, fields: Record<string, string>, init?: RequestInit): Promise<Response>;
  /** A grant request of the default client; fields given here come on top. */
  grant(fields: Record<string, string>): Promise<Response>;
  /** A grant that must succeed. */
  tokens(fields: Record<string, string>): Promise<Tokens>;
  /** Fills in the sign-in form of an address and returns where it leads. */
  signIn(address: string, username: string, password?: string): Promise<URL>;
  /** Tokens of the person, by the password grant. */
  tokensOf(username: string): Promise<Tokens>;
  call(path: string, accessToken: string, init?: RequestInit): Promise<Response>;
}

const running: SparkEmulatorHandle[] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(running.splice(0).map((spark) => spark.close()));
});

export async function startEmulator(options?: SparkEmulatorOptions): Promise<Spark> {
  const handle = await createSparkEmulator(options).listen(0);
  running.push(handle);
  return spark(handle);
}

export function spark(handle: SparkEmulatorHandle): Spark {
  const send = (path: string, init?: RequestInit) => fetch(new URL(path, handle.url), { redirect: 'manual', ...init });
  const self: Spark = {
    ...handle,
    get: send,
    postForm: (path, fields, init) => send(path, { method: 'POST', body: new URLSearchParams(fields), ...init }),
    grant: (fields) =>
      send('/v1/oauth2/grant', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_id: 'emulator-client', client_secret: 'emulator-secret', ...fields }),
      }),
    async tokens(fields) {
      const response = await self.grant(fields);
      const body = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} ${body}`);
      return JSON.parse(body) as Tokens;
    },
    async signIn(address, username, password = 'spark') {
      const { action, fields } = readForm(await (await send(address)).text());
      const response = await self.postForm(action, { ...fields, username, password, decision: 'allow' });
      return locationOf(response);
    },
    tokensOf: (username) => self.tokens({ grant_type: 'password', username, password: 'spark' }),
    call: (path, accessToken, init) =>
      send(path, { ...init, headers: { authorization: `OAuth ${accessToken}`, ...init?.headers } }),
  };
  return self;
}

/** Until the end of the test only `clock.advance` moves the emulator's time. */
export function stopTheClock(): void {
  jest.spyOn(Date, 'now').mockReturnValue(Date.now());
}

/** The form of a sign-in page, as a browser would send it. */
export function readForm(html: string): { action: string; fields: Record<string, string> } {
  const action = /<form method="post" action="([^"]*)"/.exec(html)?.[1];
  if (action === undefined) throw new Error(`No form in ${html}`);
  const hidden = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return {
    action: unescapeHTML(action),
    fields: Object.fromEntries(hidden.map(([, name = '', value = '']) => [unescapeHTML(name), unescapeHTML(value)])),
  };
}

export function locationOf(response: Response): URL {
  const location = response.headers.get('location');
  if (location === null) throw new Error(`No redirect but ${response.status}`);
  return new URL(location);
}

/** The content of an API answer's envelope. */
export interface Envelope {
  readonly Success: boolean;
  readonly Code?: number;
  readonly Message?: string;
  readonly Results: readonly Record<string, unknown>[];
  readonly Pagination?: Record<string, number>;
}

export async function envelopeOf(response: Response): Promise<Envelope> {
  return ((await response.json()) as { D: Envelope }).D;
}

export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** The text of the page's alert. */
export function alertOf(html: string): string | undefined {
  return /<p role="alert"[^>]*>([^<]*)</.exec(html)?.[1];
}

/** Waits until `condition` holds, for as long as the test has. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function unescapeHTML(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
