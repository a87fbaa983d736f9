import type { ServerResponse } from 'node:http';
import { RequestRefusedError } from '../errors.js';
import type { PassportRequest } from './login.js';

/** A request as Express and Passport have prepared it. Structural, so that Express 4 and 5 both fit. */
export type ExpressRequest = PassportRequest & {
  res?: ServerResponse;
  route?: unknown;
  originalUrl?: string;
  /** Where the router is mounted; empty at the root. */
  baseUrl?: string;
  protocol?: string;
  app?: { get?(name: string): unknown };
  logout?(options: object, done: (error?: unknown) => void): void;
  session?: { destroy?(done: (error?: unknown) => void): void };
};

/** The URL as the browser asked for it, whatever routers have stripped since. */
export function urlParts(req: ExpressRequest): { target: string; path: string; query: string } {
  const target = req.originalUrl ?? req.url ?? '/';
  const at = target.indexOf('?');
  return at === -1
    ? { target, path: target, query: '' }
    : { target, path: target.slice(0, at), query: target.slice(at + 1) };
}

/** The redirect URI: `callbackURL`, resolved by the request's own scheme and host where it is a path alone. */
export function redirectURIOf(req: ExpressRequest, settings: { callbackURL: string; proxy: boolean }): string {
  const { callbackURL } = settings;
  if (URL.canParse(callbackURL)) return callbackURL;
  const trusted = settings.proxy || isTrustedProxy(req);
  const forwarded = (name: string): string | undefined =>
    trusted ? (req.headers[name] as string | undefined)?.split(',')[0]?.trim() : undefined;
  const protocol = forwarded('x-forwarded-proto') ?? req.protocol ?? 'http';
  const host = forwarded('x-forwarded-host') ?? req.headers.host ?? 'localhost';
  const base = `${protocol}://${host}`;
  if (!URL.canParse(callbackURL, base)) {
    throw new RequestRefusedError('The Host of the request is no host.', { code: 'bad_host', status: 400 });
  }
  return new URL(callbackURL, base).href;
}

/** Is the sender of this request a proxy that Express trusts? `trust proxy` may name addresses, so its function is asked. */
function isTrustedProxy(req: ExpressRequest): boolean {
  const trust = req.app?.get?.('trust proxy fn');
  return typeof trust === 'function' && Boolean(trust(req.socket.remoteAddress, 0));
}
