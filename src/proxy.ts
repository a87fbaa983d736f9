import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SessionOptions } from 'express-session';
import { type AllowedRequest, METHODS } from './allow.js';
import { bodyUp, formUp } from './body-up.js';
import { refuseCrossSite } from './cross-site.js';
import { RequestRefusedError, SignInRequiredError, SparkError, safeCause, UnavailableError } from './errors.js';
import { ClientGone, Exchange } from './exchange.js';
import { type HeaderEditor, ListEditor } from './header-editor.js';
import { isOursInAnswer, requestHeadersUp, staysHere, type WayDown } from './headers.js';
import { shareHiddenClasses } from './hidden-class.js';
import type { ExpressLane } from './lane.js';
import { refuseTarget } from './paths.js';
import {
  type ExpressLaneOptions,
  type ProxySettings,
  parseProxyOptions,
  type SparkProxyOptions,
} from './proxy-options.js';
import { isWatched, outcomeOf, publishRequest, type RequestEvent } from './report.js';
import { ownSessionKey, tokenKeyInLane, tokenKeyOf } from './session.js';
import { adoptedKey } from './tokens/service.js';

export type { AllowedRequest, AllowRule } from './allow.js';
export type { HeaderEditor } from './header-editor.js';
export type { Caller, ExpressLaneOptions, ProxyStrategy, SparkProxyOptions } from './proxy-options.js';
export { REQUEST_CHANNEL, type RequestEvent } from './report.js';

export type ProxyHandler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Creates the middleware that calls the Spark API for the person who is signed in: streams both ways, attaches the
 * session's access token and renews it unseen.
 * @throws ConfigError that lists every problem with the options and its remedy
 * @example app.use('/spark', sparkProxy({ strategy })); // /spark/v1/listings → https://sparkapi.com/v1/listings
 */
export function sparkProxy<Session extends SessionOptions | undefined = undefined>(
  options: SparkProxyOptions<Session>,
): ProxyHandler {
  const settings = parseProxyOptions(options as SparkProxyOptions | ExpressLaneOptions); // the two kinds that there are

  return function sparkProxyMiddleware(req, res, next) {
    shareHiddenClasses(req, res);
    const trip: Trip = { req, res, startedAt: performance.now(), exchange: undefined };
    relay(trip, settings).then(
      () => report(trip, 'answered'),
      (error: unknown) => settle(trip, error, settings).catch(next), // what the application's own functions threw
    );
  };
}

/** One request to the proxy. */
interface Trip {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly startedAt: number;
  exchange: Exchange | undefined;
}

async function relay(trip: Trip, settings: ProxySettings): Promise<void> {
  const { req, res } = trip;
  const request = checkRequest(req, settings);
  const key = await tokenKey(req, res, settings);
  const headers = requestHeadersUp(req.rawHeaders);
  if (settings.onRequest) await edited(headers, staysHere, (editor) => settings.onRequest?.(editor, req));
  addOurs(headers, request, settings);
  if (res.destroyed || req.socket.destroyed) throw new ClientGone(); // while sessions or the application's functions were asked
  const body = request.override ? await formUp(req, settings) : bodyUp(req, headers, settings);
  const outgoing = { method: request.method, path: req.url ?? '/', headers, body };
  const exchange = new Exchange(
    req,
    res,
    outgoing,
    settings.upstream,
    settings.tokens.upstream,
    wayDown(req, settings),
  );
  trip.exchange = exchange;
  try {
    await settings.tokens.use(key, (record) => exchange.send(record.accessToken));
    exchange.passOn();
  } finally {
    exchange.release();
  }
}

/** Answers what went wrong. Rejects with what is not ours to answer. */
async function settle(trip: Trip, error: unknown, settings: ProxySettings): Promise<void> {
  const begun = trip.exchange?.begun ?? false;
  if (error instanceof ClientGone) return report(trip, 'client-gone');
  try {
    settings.onError?.(error instanceof Error ? error : safeCause(error), trip.req);
    if (!(error instanceof SparkError)) throw error;
    answerError(trip.res, error, settings);
  } finally {
    report(trip, outcomeOf(error, begun));
  }
}

function report({ req, res, startedAt, exchange }: Trip, outcome: RequestEvent['outcome']): void {
  if (!isWatched()) return;
  const upstreamMs = exchange?.upstreamMs;
  publishRequest({
    outcome,
    method: req.method ?? '',
    ...(res.headersSent ? { status: res.statusCode } : {}),
    durationMs: performance.now() - startedAt,
    ...(upstreamMs === undefined ? {} : { upstreamMs }),
  });
}

/** Refuses what must not go up, before anything is looked up or read. */
function checkRequest(req: IncomingMessage, settings: ProxySettings): AllowedRequest {
  const method = req.method ?? '';
  if (!METHODS.has(method)) throw refused(405, 'method_refused', `${method} does not pass through the proxy.`);
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    // Node takes the chunks off and leaves the rest, which nothing would tell the API of (RFC 9112 §6.1).
    throw refused(501, 'transfer_coding', 'The only transfer coding that passes is "chunked".');
  }
  const crossSite = refuseCrossSite(req, settings);
  if (crossSite) throw refused(403, 'cross_site', crossSite);
  const target = req.url ?? ''; // Express takes the mount off, and leaves a scheme and host where they are
  const refusal = refuseTarget(target, settings.pathRules);
  if (refusal) throw refused(refusal.status, refusal.code, refusal.message);
  const request: AllowedRequest = { method, path: target.split('?', 1)[0] ?? '', override: hasOverride(req) };
  if (settings.allow && !settings.allow(request)) {
    throw refused(403, 'not_allowed', 'This method and path are not among those that the proxy allows.');
  }
  return request;
}

/** A long query may travel as a form: POST with `X-HTTP-Method-Override: GET`. No other override passes. */
function hasOverride(req: IncomingMessage): boolean {
  if (req.headers['x-http-method'] !== undefined || req.headers['x-method-override'] !== undefined) {
    throw refused(400, 'method_override', 'Write the override as X-HTTP-Method-Override.');
  }
  // Repeated headers arrive joined with a comma, and so fail the comparison.
  const override = req.headers['x-http-method-override'];
  if (override === undefined) return false;
  const [type = '', ...more] = req.headersDistinct['content-type'] ?? [];
  const form = /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type) && more.length === 0;
  if (override === 'GET' && req.method === 'POST' && form) return true;
  throw refused(400, 'method_override', 'X-HTTP-Method-Override passes as GET, once, on a POST with a form body.');
}

function tokenKey(req: IncomingMessage, res: ServerResponse, settings: ProxySettings): string | Promise<string> {
  if (settings.lane) return laneKey(settings.lane, req, res, settings);
  if (settings.tokenKey) return namedKey(settings.tokenKey, req, settings);
  if (!(req as { session?: unknown }).session) {
    // express-session leaves it out while its store is away: that is no reason to ask anybody to sign in.
    throw new UnavailableError(
      'The request has no session: its store is away, or session() is not mounted before the proxy; mount it there.',
      {
        code: 'no_session',
      },
    );
  }
  ownSessionKey(req, settings);
  const key = tokenKeyOf(req, settings);
  if (key === undefined) throw new SignInRequiredError();
  return key;
}

async function namedKey(
  nameOf: NonNullable<ProxySettings['tokenKey']>,
  req: IncomingMessage,
  { authorize }: ProxySettings,
): Promise<string> {
  if (authorize && (await authorize(req, req)) !== true) throw notAuthorized();
  return adoptedKey(await nameOf(req));
}

async function laneKey(
  lane: ExpressLane,
  req: IncomingMessage,
  res: ServerResponse,
  settings: ProxySettings,
): Promise<string> {
  const session = await lane.read(req);
  const key = session && (await tokenKeyInLane(lane, session, settings, { req, res }));
  if (!session || key === undefined) throw new SignInRequiredError();
  if (settings.authorizeSession && (await settings.authorizeSession(session, req)) !== true) throw notAuthorized();
  return key;
}

/** What the proxy says to the API, whatever the client and the application's functions do. The token comes last. */
function addOurs(headers: string[], request: AllowedRequest, settings: ProxySettings): void {
  headers.push(...settings.setHeaders);
  if (request.override) headers.push('X-HTTP-Method-Override', 'GET');
}

async function edited(
  headers: string[],
  isOurs: (lower: string) => boolean,
  edit: (editor: HeaderEditor) => void | Promise<void>,
): Promise<void> {
  const editor = new ListEditor(headers, isOurs);
  await edit(editor);
  editor.close();
}

function wayDown(req: IncomingMessage, { upstream, onResponse }: ProxySettings): WayDown {
  const { baseUrl = '' } = req as { baseUrl?: string };
  if (!onResponse) return { target: upstream.origin, baseUrl };
  const edit = (headers: string[], status: number): void => {
    const editor = new ListEditor(headers, isOursInAnswer);
    onResponse(editor, req, status);
    editor.close();
  };
  return { target: upstream.origin, baseUrl, edit };
}

function answerError(res: ServerResponse, error: SparkError, { tokens }: ProxySettings): void {
  if (res.headersSent || res.destroyed) return; // cut off by the exchange, or answered by somebody else
  res.statusCode = error.status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  if (error.status === 408) res.setHeader('Connection', 'close'); // its body has no end that a next request could follow
  if (error.status === 405) res.setHeader('Allow', [...METHODS].join(', '));
  if (error instanceof UnavailableError)
    res.setHeader('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  const body = Buffer.from(JSON.stringify(tokens.upstream.errorBody(error.status, error.code, error.message)));
  res.setHeader('Content-Length', body.length); // told, or an answer that express-session holds back goes down in chunks
  res.end(body);
}

function notAuthorized(): RequestRefusedError {
  return refused(403, 'not_authorized', 'You may not call the API here.');
}

function refused(status: number, code: string, message: string): RequestRefusedError {
  return new RequestRefusedError(message, { code, status });
}
