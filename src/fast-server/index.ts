import { createServer, IncomingMessage, type Server, type ServerOptions, ServerResponse } from 'node:http';
import {
  createServer as createTlsServer,
  type ServerOptions as TlsOptions,
  type Server as TlsServer,
} from 'node:https';
import { keepsPrototype } from '../hidden-class.js';
import { OptionCheck } from '../options.js';
import { withPrototype } from './with-prototype.js';

/** An Express 4 or 5 application, typed so that both fit. */
export type ExpressApp = (req: IncomingMessage, res: ServerResponse) => unknown;

/** What `http.createServer` takes, apart from the two classes, which the application brings. */
export type FastServerOptions = Omit<ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

/** What `https.createServer` takes, apart from the two classes. */
export type FastTlsServerOptions = Omit<TlsOptions, 'IncomingMessage' | 'ServerResponse'> &
  (
    | { readonly key: NonNullable<TlsOptions['key']> }
    | { readonly pfx: NonNullable<TlsOptions['pfx']> }
    | { readonly SNICallback: NonNullable<TlsOptions['SNICallback']> }
  );

const TLS_OPTIONS = ['key', 'cert', 'pfx', 'SNICallback'];
/** Options that only Node's HTTP/2 server knows. */
const HTTP2_OPTIONS = ['http2', 'allowHTTP1', 'settings', 'peerMaxConcurrentStreams', 'Http2ServerRequest'];

/**
 * Creates the server of an Express application, 4 or 5: as `http.createServer(app)`, or `https.createServer(options, app)`
 * when `options` has a key. Under load a small answer through sessions and the proxy takes a half to three quarters of the
 * CPU time on Node 20 and 22. From Node 24 on, V8 by itself keeps what is gained here.
 *
 * Express changes the prototype of every request and response to `app.request` and `app.response`, and V8 then gives up
 * the fast form of objects that everything after it works with. Here they are made with these prototypes from the start,
 * so there is nothing left to change. Whatever else a server does, its time limits too, is Node's.
 *
 * @param options - those of `http.createServer` or `https.createServer`, handed on as they are
 * @throws ConfigError for anything but the root application, and for HTTP/2, which Express does not speak
 * @example createFastServer(app).listen(3000);
 */
export function createFastServer(app: ExpressApp, options: FastTlsServerOptions): TlsServer;
export function createFastServer(app: ExpressApp, options?: FastServerOptions): Server;
export function createFastServer(
  app: ExpressApp,
  options: FastServerOptions | FastTlsServerOptions = {},
): Server | TlsServer {
  const { request, response } = checkedPrototypes(app, options);
  keepsPrototype(request);
  const settings = {
    ...options,
    IncomingMessage: withPrototype(IncomingMessage, request),
    ServerResponse: withPrototype(ServerResponse, response),
  };
  return TLS_OPTIONS.some((name) => name in options) ? createTlsServer(settings, app) : createServer(settings, app);
}

interface Prototypes {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function checkedPrototypes(app: ExpressApp & Partial<Prototypes>, options: object): Prototypes {
  const check = new OptionCheck('createFastServer');
  const { request, response, parent } = (app ?? {}) as Partial<Prototypes> & { parent?: unknown };
  const isApp = typeof app === 'function' && request instanceof IncomingMessage && response instanceof ServerResponse;
  if (!isApp) {
    check.problem('the first argument is no Express application; write createFastServer(express()).');
  } else if (parent !== undefined) {
    // Requests get to a mounted application with the prototypes of its parent, so there would be nothing to gain.
    check.problem('this application is mounted in another one; give the outermost application to createFastServer.');
  }
  checkOptions(check, options as Readonly<Record<string, unknown>>);
  check.done();
  if (!isApp) throw new Error('unreachable: the check above has thrown');
  return { request, response };
}

function checkOptions(check: OptionCheck, options: Readonly<Record<string, unknown>>): void {
  const { ALPNProtocols: alpn } = options;
  const http2 = HTTP2_OPTIONS.filter((name) => options[name] !== undefined);
  if (alpn !== undefined && String(alpn).includes('h2')) http2.push('ALPNProtocols');
  if (http2.length > 0) {
    check.problem(`Express does not speak HTTP/2 (${http2.join(', ')}); leave it to a server in front.`);
  }
  for (const name of ['IncomingMessage', 'ServerResponse']) {
    if (options[name] !== undefined) check.problem(`"${name}" comes from the application; leave it out.`);
  }
}
