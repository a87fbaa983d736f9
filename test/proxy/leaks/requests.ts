import { type Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { sign } from 'cookie-signature';
import type { Api } from './api.js';

export const SECRET = 'the secret of the leaks';

/** Where requests go, and what they need. */
export interface Stage {
  /** Name of the world, which is in its tokens. */
  readonly world: string;
  readonly url: string;
  readonly api: Api;
  readonly agent: Agent;
  /** Somebody with a token that has not expired. */
  readonly person: string;
  /** Somebody whose token expires at the first look, and who was not asked for before. */
  newcomer(): string;
  /** A name that no other request has. */
  name(): string;
}

/** What became of a request: its status, `cut` when the answer broke off, `left` when the client did. */
export type Outcome = number | 'cut' | 'left';

export interface Kind {
  readonly name: string;
  /** Of a hundred requests, so many. */
  readonly share: number;
  readonly outcome: Outcome;
  readonly run: (stage: Stage) => Promise<Outcome>;
}

const SAME_ORIGIN = { 'Sec-Fetch-Site': 'same-origin' };
const SMALL = Buffer.alloc(1_024, 'x');

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
  readonly person?: string | undefined;
}

/** One request over a kept connection. */
export async function ask(
  { url, agent }: Stage,
  path: string,
  { method, headers, body, person }: Asked,
): Promise<Outcome> {
  const cookie = person === undefined ? {} : { Cookie: cookieOf(person) };
  return await new Promise((resolve) => {
    const options = { method: method ?? 'GET', agent, headers: { ...SAME_ORIGIN, ...cookie, ...headers } };
    const req = request(`${url}/spark${path}`, options, (res) => {
      res.on('error', () => undefined); // told by `complete`
      res.on('close', () => resolve(res.complete ? (res.statusCode ?? 0) : 'cut'));
      res.resume();
    });
    req.on('error', () => resolve('cut'));
    req.end(body);
  });
}

function cookieOf(person: string): string {
  return `connect.sid=${encodeURIComponent(`s:${sign(person, SECRET)}`)}`;
}

/** Begins a request by hand, over a connection of its own. */
export async function begin(
  stage: Stage,
  path: string,
  { method, headers, person }: Asked,
  body = '',
): Promise<Socket> {
  const { hostname, port } = new URL(stage.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined); // the proxy may close first
  const all = { Host: 'app', ...SAME_ORIGIN, Cookie: cookieOf(person ?? stage.person), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method ?? 'GET'} /spark${path} HTTP/1.1`, ...lines].join('\r\n');
  await new Promise<void>((resolve) => {
    socket.write(`${head}\r\n\r\n${body}`, () => resolve());
  });
  return socket;
}

export async function leave(socket: Socket): Promise<Outcome> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
  return 'left';
}

/** Begins a request, and waits until it has arrived at the API. */
export async function arrive(
  stage: Stage,
  path: string,
  asked: Asked,
  body = '',
): Promise<{ readonly client: Socket; readonly name: string }> {
  const name = stage.name();
  const client = await begin(stage, `${path}?n=${name}`, asked, body);
  await stage.api.moments.at(`${name} arrived`);
  return { client, name };
}

/** Leaves when the API has the request, and waits until the proxy has left it, too. */
async function leaveWhenArrived(stage: Stage, path: string, asked: Asked, body = ''): Promise<Outcome> {
  const { client, name } = await arrive(stage, path, asked, body);
  await leave(client);
  await stage.api.moments.at(`${name} over`);
  return 'left';
}

const POST = { method: 'POST' };

export const KINDS: readonly Kind[] = [
  {
    name: 'is answered',
    share: 20,
    outcome: 200,
    run: (stage) => ask(stage, '/v1/plain', stage),
  },
  {
    name: 'is answered without a body, being a HEAD',
    share: 5,
    outcome: 200,
    run: (stage) => ask(stage, '/v1/plain', { method: 'HEAD', person: stage.person }),
  },
  {
    name: 'is answered with 304',
    share: 5,
    outcome: 304,
    run: (stage) => ask(stage, '/v1/unchanged', stage),
  },
  {
    name: 'has a body',
    share: 10,
    outcome: 200,
    run: (stage) => ask(stage, '/v1/plain', { ...POST, body: SMALL, person: stage.person }),
  },
  {
    name: 'has a body in chunks, too long to keep',
    share: 3,
    outcome: 200,
    run: (stage) => {
      const headers = { 'Transfer-Encoding': 'chunked' };
      return ask(stage, '/v1/plain', { ...POST, headers, body: Buffer.alloc(100_000), person: stage.person });
    },
  },
  {
    name: 'is refused for its path',
    share: 5,
    outcome: 400,
    run: (stage) => ask(stage, '/v1/a%2fb', stage),
  },
  {
    name: 'is refused as another site’s, body and all',
    share: 5,
    outcome: 403,
    run: (stage) => {
      const headers = { 'Sec-Fetch-Site': 'cross-site' };
      return ask(stage, '/v1/plain', { ...POST, headers, body: SMALL, person: stage.person });
    },
  },
  {
    name: 'comes from nobody',
    share: 5,
    outcome: 401,
    run: (stage) => ask(stage, '/v1/plain', {}),
  },
  {
    name: 'comes from nobody, with a body and a session that is gone',
    share: 5,
    outcome: 401,
    run: (stage) => ask(stage, '/v1/plain', { ...POST, body: SMALL, person: 'gone' }),
  },
  {
    name: 'is reset by the API',
    share: 4,
    outcome: 502,
    run: (stage) => ask(stage, '/v1/reset', stage),
  },
  {
    name: 'is reset by the API within its body',
    share: 4,
    outcome: 502,
    run: (stage) => ask(stage, '/v1/reset', { ...POST, body: Buffer.alloc(100_000), person: stage.person }),
  },
  {
    name: 'is cut by the API within the answer',
    share: 4,
    outcome: 'cut',
    run: (stage) => ask(stage, '/v1/half', stage),
  },
  {
    name: 'meets an expired token',
    share: 3,
    outcome: 200,
    run: (stage) => ask(stage, '/v1/expired', { person: stage.newcomer() }),
  },
  {
    name: 'meets an expired token, with a body that is sent again',
    share: 3,
    outcome: 200,
    run: (stage) => ask(stage, '/v1/expired', { ...POST, body: SMALL, person: stage.newcomer() }),
  },
  {
    name: 'is left at once',
    share: 4,
    outcome: 'left',
    run: async (stage) => await leave(await begin(stage, '/v1/plain', {})),
  },
  {
    name: 'is left before its body',
    share: 3,
    outcome: 'left',
    run: async (stage) =>
      await leave(await begin(stage, '/v1/plain', { ...POST, headers: { 'Content-Length': '1000' } })),
  },
  {
    name: 'is left within its body',
    share: 4,
    outcome: 'left',
    run: (stage) => leaveWhenArrived(stage, '/v1/plain', { ...POST, headers: { 'Content-Length': '1000' } }, 'some'),
  },
  {
    name: 'is left before the answer',
    share: 4,
    outcome: 'left',
    run: (stage) => leaveWhenArrived(stage, '/v1/silent', {}),
  },
  {
    name: 'is left within the answer, which nobody reads',
    share: 2,
    outcome: 'left',
    run: (stage) => leaveWhenArrived(stage, '/v1/endless', {}),
  },
  {
    name: 'is left while its token is being renewed',
    share: 2,
    outcome: 'left',
    run: async (stage) => {
      const person = stage.newcomer();
      const token = `${stage.world}-${person}-0`;
      const { moments, held } = stage.api;
      held.add(token);
      const socket = await begin(stage, '/v1/expired', { ...POST, headers: { 'Content-Length': '4' }, person }, 'body');
      await moments.at(`${token} asks`);
      await leave(socket);
      moments.come(`${token} granted`);
      // The renewal went on and was stored: the next request has the new token.
      const next = await ask(stage, '/v1/expired', { person });
      return next === 200 ? 'left' : next;
    },
  },
];
