import { request as httpRequest, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import express, { type Express } from 'express';
import {
  MemoryTokenStore,
  type SparkProxyOptions,
  sparkProxy,
  TokenService,
  type TokenServiceOptions,
} from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { writeLink } from '../../src/signin/link.js';
import { serve } from '../support/server.js';

/** One request as the upstream read it. */
export interface Seen {
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Upstream {
  readonly url: string;
  /** Requests whose body has arrived whole. */
  readonly seen: Seen[];
}

/** An API of the test's own, over `node:http`: reads the body, notes the request, and answers with `answer` or `{}`. */
export async function startUpstream(
  answer?: (seen: Seen, ...rest: Parameters<RequestListener>) => void,
): Promise<Upstream> {
  const seen: Seen[] = [];
  const { url } = await serve((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { method = '', url: target = '', rawHeaders, headers } = req;
      const one: Seen = { method, target, rawHeaders, headers, body: Buffer.concat(chunks) };
      seen.push(one);
      if (answer) answer(one, req, res);
      else res.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  return { url, seen };
}

const sockets = new Set<Socket>();
const rawServers: { close(): void }[] = [];

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of rawServers.splice(0)) server.close();
});

export interface RawUpstream {
  readonly url: string;
  readonly port: number;
  /** What each connection has received so far. */
  readonly connections: { readonly socket: Socket; received: string }[];
  /** How many requests were begun, over all connections. */
  requests(): number;
}

/**
 * An API that may misbehave: `act` is called whenever a connection has received the end of a request's headers, with
 * the number of that request over all connections, from 1.
 */
export async function startRawUpstream(act: (socket: Socket, request: number) => void): Promise<RawUpstream> {
  const connections: RawUpstream['connections'] = [];
  let requests = 0;
  const server = createServer((socket) => {
    const connection = { socket, received: '' };
    connections.push(connection);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      connection.received += text;
      if (!/^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /.test(text)) return;
      requests += 1;
      act(socket, requests);
    });
  });
  rawServers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, connections, requests: () => requests };
}

export const ORIGIN = 'https://app.example.com';

export interface TestProxy {
  readonly url: string;
  readonly tokens: TokenService;
  /** How often a refresh token was spent. */
  renewals(): number;
  /** What `onError` was told. */
  readonly errors: Error[];
}

export interface TestProxyOptions {
  readonly target: string;
  readonly proxy?: Partial<SparkProxyOptions>;
  readonly tokens?: Partial<TokenServiceOptions>;
  /** What stands before the proxy, and after the session. */
  readonly before?: (app: Express) => void;
  /** No session at all, as while the session store is away. */
  readonly noSession?: boolean;
}

/**
 * An application in which everybody is signed in already, as the person that the header `X-Person` names: access token
 * `<person>-0`, after a renewal `<person>-1` and so on.
 */
export async function startProxy({ target, proxy, tokens, before, noSession }: TestProxyOptions): Promise<TestProxy> {
  let renewals = 0;
  const service = new TokenService({
    store: new MemoryTokenStore(),
    clientID: 'test-client',
    upstream: SPARK_UPSTREAM,
    renew: async ({ accessToken, refreshToken, generation }) => {
      renewals += 1;
      const person = accessToken.replace(/-\d+$/, '');
      return { accessToken: `${person}-${generation + 1}`, refreshToken: `${refreshToken}'`, lifetimeMs: 86_400_000 };
    },
    ...tokens,
  });
  const strategy = {
    tokens: service,
    sessionKey: 'spark',
    apiURL: target,
    userAgent: 'TestApp/1.0',
    origin: ORIGIN,
  };
  const keys = new Map<string, Promise<string>>();
  const app = express();
  app.use(async (req, _res, next) => {
    if (noSession) return next();
    const person = req.get('X-Person') ?? 'agent';
    const fresh = { accessToken: `${person}-0`, refreshToken: `${person}-r`, lifetimeMs: 86_400_000 };
    if (!keys.has(person)) keys.set(person, service.create(fresh, {}));
    const session = { passport: { user: person } };
    writeLink(session, 'spark', await (keys.get(person) ?? ''));
    Object.assign(req, { session });
    next();
  });
  before?.(app);
  const errors: Error[] = [];
  app.use('/spark', sparkProxy({ strategy, onError: (error) => errors.push(error), ...proxy }));
  const { url } = await serve(app);
  return { url, tokens: service, renewals: () => renewals, errors };
}

export interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: Buffer | string;
  /** Leave `Sec-Fetch-Site: same-origin` out. */
  readonly bare?: boolean;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The connection was cut before the answer was whole. */
  readonly broken: boolean;
  /** The body as JSON; an empty object where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly json: any;
}

/** Calls over `node:http`, which sends the path as it is and unpacks nothing. */
export async function call(address: string, { method = 'GET', headers = {}, body, bare }: Call = {}): Promise<Reply> {
  const [, host = '', port = '', path = ''] = /^http:\/\/([^:/]+):(\d+)(.*)$/.exec(address) ?? [];
  const all = bare ? headers : { 'Sec-Fetch-Site': 'same-origin', ...headers };
  return await new Promise((resolve, reject) => {
    const req = httpRequest({ host, port, path, method, headers: all, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', () => undefined); // told by `complete`
      res.on('close', () => {
        const whole = Buffer.concat(chunks);
        const { statusCode: status = 0, headers: found, rawHeaders, complete } = res;
        resolve({ status, headers: found, rawHeaders, body: whole, broken: !complete, json: parsed(whole) });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return {};
  }
}

/** Opens a raw connection to a server; closed at the end of the test at the latest. */
export function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.add(socket);
  socket.on('error', () => undefined);
  return socket;
}

/** Sends these bytes and answers all that comes back until the server closes: put `Connection: close` in. */
export async function rawCall(url: string, text: string): Promise<string> {
  const socket = dial(url);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.write(Buffer.from(text, 'latin1'));
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

/** Waits until `condition` holds; fails the test after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i += 1) {
    if (condition()) return;
    await pause(5);
  }
  throw new Error(`never came true: ${condition}`);
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** The API's answer to an access token that has expired. */
export const EXPIRED = JSON.stringify({ D: { Success: false, Message: 'Session token has expired', Code: 1020 } });
