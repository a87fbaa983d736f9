import { Agent, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastifyProxy from '@fastify/http-proxy';
import { sign } from 'cookie-signature';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import expressHttpProxy from 'express-http-proxy';
import session, { MemoryStore, type SessionData } from 'express-session';
import Fastify from 'fastify';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { MemoryTokenStore, sparkProxy, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { writeLink } from '../../src/signin/link.js';
import { freePort } from '../support/redis.js';
import { Api } from './api.js';

/** In the order of the table. */
export const CONTENDERS = [
  'http-proxy-middleware',
  '@fastify/http-proxy',
  'express-http-proxy',
  'passport-spark',
] as const;
export type Contender = (typeof CONTENDERS)[number];

const PEOPLE = ['ann', 'bob', 'cyd'] as const;
export type Person = (typeof PEOPLE)[number];

/**
 * Where the proxy is mounted. `/parsed`: behind `express.json()`. `/shared`: with a header that is the same for
 * everybody, and with tokens that are looked up first. `/down`: in front of an API that nobody serves.
 */
export type Mount = '/spark' | '/parsed' | '/shared' | '/down';

/** A site with people who are signed in, whose browsers call the API through one of the four. */
export interface Site {
  readonly url: string;
  readonly api: Api;
  /** Origin of the API that nobody serves. */
  readonly downURL: string;
  close(): Promise<void>;
}

const SECRET = 'the secret of the sites';
const APP = 'App/1.0';

export const tokenFor = (person: Person): string => `token-of-${person}`;

/** The session cookie, as express-session writes it. */
export const cookieOf = (person: Person): string => `connect.sid=${encodeURIComponent(`s:${sign(person, SECRET)}`)}`;

export async function startSites(): Promise<Record<Contender, Site>> {
  return {
    'http-proxy-middleware': await startHpm(),
    '@fastify/http-proxy': await startFastify(),
    'express-http-proxy': await startExpressHttpProxy(),
    'passport-spark': await startOurs(),
  };
}

async function startHpm(): Promise<Site> {
  const upstreams = await startUpstreams();
  const agent = new Agent({ keepAlive: true });
  const proxy = (target: string, headers = {}): RequestHandler =>
    createProxyMiddleware({
      target,
      changeOrigin: true,
      agent,
      headers,
      on: {
        proxyReq: (up: ClientRequest, req: IncomingMessage) => {
          up.setHeader('Authorization', tokenOf(req));
        },
      },
    }) as never; // typed for the Express 4 types that it brings
  const { api, downURL } = upstreams;
  const mounts: Mounts = {
    plain: proxy(api.url),
    shared: proxy(api.url, { 'x-sparkapi-user-agent': APP }),
    down: proxy(downURL),
  };
  return await expressSite(upstreams, mounts, () => agent.destroy());
}

async function startExpressHttpProxy(): Promise<Site> {
  const upstreams = await startUpstreams();
  const agent = new Agent({ keepAlive: true });
  const proxy = (target: string): RequestHandler =>
    expressHttpProxy(target, {
      parseReqBody: false, // else it gathers bodies, and refuses those of more than a megabyte
      proxyReqOptDecorator: (options, req) => ({
        ...options,
        agent,
        headers: { ...options.headers, authorization: tokenOf(req) },
      }),
    });
  const lookUp = answeringTogether();
  const shared = expressHttpProxy(upstreams.api.url, {
    parseReqBody: false,
    headers: { 'x-sparkapi-user-agent': APP },
    // As its documentation shows it: sets a header, and answers a promise.
    proxyReqOptDecorator: async (options, req) => {
      options.headers.authorization = await lookUp(tokenOf(req));
      return options;
    },
  });
  const mounts: Mounts = { plain: proxy(upstreams.api.url), shared, down: proxy(upstreams.downURL) };
  return await expressSite(upstreams, mounts, () => agent.destroy());
}

interface Mounts {
  readonly plain: RequestHandler;
  readonly shared: RequestHandler;
  readonly down: RequestHandler;
}

interface SignedIn extends IncomingMessage {
  readonly session?: { readonly accessToken?: string };
}

function tokenOf(req: IncomingMessage): string {
  return `OAuth ${(req as SignedIn).session?.accessToken ?? ''}`;
}

/** An Express application as people write it: the token lies in the session. */
async function expressSite(upstreams: Upstreams, { plain, shared, down }: Mounts, end: () => void): Promise<Site> {
  const store = new MemoryStore();
  for (const person of PEOPLE) await signIn(store, person, { accessToken: tokenFor(person) });
  const app = express();
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }));
  app.use((req, res, next) => {
    if ((req as SignedIn).session?.accessToken) next();
    else res.sendStatus(401);
  });
  app.use('/spark', plain);
  app.use('/parsed', express.json(), plain);
  app.use('/shared', shared);
  app.use('/down', down);
  app.use(quietly);
  return await listening(upstreams, app.listen(0, '127.0.0.1'), async () => end());
}

/** A framework of its own, without express-session: a map from cookies to people stands for its session plugin. */
async function startFastify(): Promise<Site> {
  const upstreams = await startUpstreams();
  const people = new Map(PEOPLE.map((person) => [cookieOf(person), person]));
  const lookUp = answeringTogether();
  const app = Fastify();
  const mount = async (prefix: Mount, upstream: string, more = {}): Promise<void> => {
    await app.register(fastifyProxy, {
      upstream,
      prefix,
      preHandler: async (req, reply) => {
        if (!people.has(req.headers.cookie ?? '')) await reply.code(401).send();
        if (prefix === '/shared') await lookUp('');
      },
      replyOptions: {
        rewriteRequestHeaders: (req, headers) => {
          const person = people.get(req.headers.cookie ?? '');
          return { ...headers, ...more, authorization: `OAuth ${person && tokenFor(person)}` };
        },
      },
    });
  };
  await mount('/spark', upstreams.api.url);
  await mount('/parsed', upstreams.api.url); // the framework parses JSON by itself
  await mount('/shared', upstreams.api.url, { 'x-sparkapi-user-agent': APP });
  await mount('/down', upstreams.downURL);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return await listening(upstreams, app.server, () => app.close());
}

async function startOurs(): Promise<Site> {
  const upstreams = await startUpstreams();
  const store = new MemoryStore();
  const tokens = new TokenService({
    store: new MemoryTokenStore(),
    clientID: 'test-client',
    upstream: SPARK_UPSTREAM,
    renew: async ({ accessToken }) => ({ accessToken: `${accessToken}-renewed`, lifetimeMs: 86_400_000 }),
  });
  for (const person of PEOPLE) {
    const signedIn = { passport: { user: person } };
    const fresh = { accessToken: tokenFor(person), refreshToken: `refresh-of-${person}`, lifetimeMs: 86_400_000 };
    writeLink(signedIn, 'spark', await tokens.create(fresh, {}));
    await signIn(store, person, signedIn);
  }
  const strategy = { tokens, sessionKey: 'spark', userAgent: APP, origin: 'https://app.example.com' };
  const [up, down] = [upstreams.api.url, upstreams.downURL].map((apiURL) => ({ strategy: { ...strategy, apiURL } }));
  const lookUp = answeringTogether();
  const app = express();
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }));
  app.use('/spark', sparkProxy(up ?? {}));
  app.use('/parsed', express.json(), sparkProxy(up ?? {}));
  app.use('/shared', sparkProxy({ ...up, onRequest: async (headers) => headers.set('X-App', await lookUp(APP)) }));
  app.use('/down', sparkProxy(down ?? {}));
  app.use(quietly);
  return await listening(upstreams, app.listen(0, '127.0.0.1'), async () => undefined);
}

/** Answers all that were asked for meanwhile in one go, as a client of Redis does that read several replies at once. */
function answeringTogether(): (value: string) => Promise<string> {
  let asked: (() => void)[] = [];
  return (value) =>
    new Promise((resolve) => {
      asked.push(() => resolve(value));
      if (asked.length > 1) return;
      setTimeout(() => {
        const all = asked;
        asked = [];
        for (const answer of all) answer();
      }, 2);
    });
}

/** Tells the browser nothing, as an application in production. */
const quietly: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) next(error);
  else res.status(500).send('Something went wrong.');
};

async function signIn(store: MemoryStore, person: Person, more: object): Promise<void> {
  const data: object = { cookie: { originalMaxAge: null, httpOnly: true, path: '/' }, ...more };
  await new Promise<void>((resolve, reject) => {
    store.set(person, data as SessionData, (error) => (error ? reject(error) : resolve()));
  });
}

interface Upstreams {
  readonly api: Api;
  readonly downURL: string;
}

async function startUpstreams(): Promise<Upstreams> {
  return { api: await Api.start(), downURL: `http://127.0.0.1:${await freePort()}` };
}

async function listening({ api, downURL }: Upstreams, server: Server, end: () => Promise<void>): Promise<Site> {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await end();
    await new Promise((resolve) => server.close(resolve));
    await api.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, api, downURL, close };
}
