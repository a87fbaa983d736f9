import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, type Server } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import fastifyProxy from '@fastify/http-proxy';
import expressHttpProxy from 'express-http-proxy';
import Fastify from 'fastify';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { ACCESS_TOKEN, type Setting } from '../setting.js';
import { startPeer } from './stack.js';

interface SignedIn extends IncomingMessage {
  readonly session?: { readonly accessToken?: string };
}

function tokenOf(req: IncomingMessage): string {
  return `OAuth ${(req as SignedIn).session?.accessToken ?? ''}`;
}

function keepAliveAgent({ upstream }: Setting): HttpAgent {
  return upstream.startsWith('https:') ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
}

/** With a keep-alive agent, as a careful user sets it up, or with its defaults: a new connection per call. */
export async function startHpm(setting: Setting, name: string, keepAlive: boolean): Promise<Server> {
  const proxy = createProxyMiddleware({
    target: setting.upstream,
    changeOrigin: true,
    ...(keepAlive ? { agent: keepAliveAgent(setting) } : {}),
    on: {
      proxyReq: (up: ClientRequest, req: IncomingMessage) => {
        up.setHeader('Authorization', tokenOf(req));
      },
    },
  });
  return await startPeer(setting, name, proxy as never); // typed for the Express 4 types that it brings
}

export async function startExpressHttpProxy(setting: Setting, name: string): Promise<Server> {
  const agent = keepAliveAgent(setting);
  const proxy = expressHttpProxy(setting.upstream, {
    parseReqBody: false, // else it holds a body back until it is whole, and refuses more than 1 MB
    proxyReqOptDecorator: (options, req) => ({
      ...options,
      agent,
      // It asks every connection to close, whatever its agent.
      headers: { ...options.headers, connection: 'keep-alive', authorization: tokenOf(req) },
    }),
  });
  return await startPeer(setting, name, proxy);
}

/** A framework of its own, without sessions: what a team that leaves Express could have. */
export async function startFastify({ upstream }: Setting): Promise<Server> {
  const app = Fastify();
  await app.register(fastifyProxy, {
    upstream,
    prefix: '/spark',
    replyOptions: {
      rewriteRequestHeaders: (_req, headers) => ({ ...headers, authorization: `OAuth ${ACCESS_TOKEN}` }),
    },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server;
}
