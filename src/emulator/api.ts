import { type NextFunction, type Request, type Response, Router } from 'express';
import { addAccountResources } from './accounts.js';
import { formFields, type ReceivedBody, readBody } from './body.js';
import { rememberContext } from './call.js';
import { addContactResources } from './contacts.js';
import { addEcho } from './echo.js';
import { ApiRefusal, expiredToken, messageOfCode, sendRefusal, sendResults } from './envelope.js';
import { handler } from './http.js';
import { addListingResources } from './listings.js';
import type { Draft, RequestSeen } from './log.js';
import type { Grantee } from './people.js';
import { addPhotos } from './photos.js';
import { randomHexId } from './random.js';
import { addResoResources } from './reso.js';
import type { EmulatorState } from './state.js';

/** The API: everything that an access token opens. Mount it after the grant endpoint. */
export function createAPI(state: EmulatorState): Router {
  const bodies = new WeakMap<Request, ReceivedBody>();
  const router = Router({ caseSensitive: true });

  router.use((req: Request, res: Response, next: NextFunction) => {
    res.set('X-Request-Id', randomHexId());
    logRequest(state, req, res)
      .then((body) => {
        bodies.set(req, body);
        injectFault(state);
      })
      .then(() => next(), next);
  });

  router.delete(
    '/v1/oauth2/token/:token',
    handler((req, res) => {
      // The vendor's page names the access token alone; a refresh token is none.
      if (!state.tokens.revokeAccess(String(req.params.token))) throw new ApiRefusal(404, 'There is no such token');
      sendResults(res, []);
    }),
  );

  router.use((req: Request, _res: Response, next: NextFunction) => {
    const body = bodies.get(req);
    if (body === undefined) return next(new Error('The body was not read.'));
    requireUserAgent(state, req);
    const grantee = authenticate(state, req);
    rememberContext(req, { grantee, body, overridden: overrideMethod(req, body) });
    return next();
  });

  addAccountResources(router, state);
  addListingResources(router);
  addPhotos(router);
  addContactResources(router);
  addResoResources(router);
  addEcho(router);

  router.use((req: Request) => {
    throw new ApiRefusal(404, `There is no resource at ${req.path}`);
  });
  router.use((error: unknown, req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent || res.destroyed) return next(error);
    return sendRefusal(res, asRefusal(error), isReso(req.path));
  });
  return router;
}

/** Entered at arrival, completed as the exchange goes on. */
async function logRequest(state: EmulatorState, req: Request, res: Response): Promise<ReceivedBody> {
  const entry: Draft<RequestSeen> = {
    at: state.clock.now(),
    method: req.method,
    url: req.originalUrl,
    headers: { ...req.headers },
    rawHeaders: [...req.rawHeaders],
    status: null,
    bodyLength: 0,
  };
  state.log.addRequest(entry);
  res.on('finish', () => {
    entry.status = res.statusCode;
  });
  return readBody(req, (length) => {
    entry.bodyLength = length;
  });
}

function injectFault(state: EmulatorState): void {
  const fault = state.faults.takeCallFault();
  if (fault !== undefined) {
    throw new ApiRefusal(fault.code, fault.message ?? messageOfCode(fault.code), fault.retryAfter);
  }
}

function requireUserAgent(state: EmulatorState, req: Request): void {
  if (state.settings.requireUserAgent && (req.get('X-SparkApi-User-Agent') ?? '').trim() === '') {
    throw new ApiRefusal(1016, 'The header X-SparkApi-User-Agent is required');
  }
}

function authenticate(state: EmulatorState, req: Request): Grantee {
  const [, token] = /^(?:oauth|bearer) +(\S+)$/i.exec((req.headers.authorization ?? '').trim()) ?? [];
  if (token === undefined) throw new ApiRefusal(1000, 'The Authorization header is missing or is not "OAuth <token>"');
  const status = state.tokens.status(token);
  switch (status.state) {
    case 'live':
      return status.grantee;
    case 'expired':
      throw expiredToken();
    case 'unknown':
      throw new ApiRefusal(1000, 'The access token is not valid');
  }
}

/**
 * The vendor's clients send long queries as a POST with `X-HTTP-Method-Override: GET` and the query as a form. From here on such a
 * request is a GET; the echo resource and the log keep what was sent.
 */
function overrideMethod(req: Request, body: ReceivedBody): URLSearchParams | null {
  const override = req.get('X-HTTP-Method-Override')?.toUpperCase();
  if (req.method !== 'POST' || override === undefined || req.path.startsWith('/v1/echo')) return null;
  if (override !== 'GET') throw new ApiRefusal(405, `X-HTTP-Method-Override: ${override} is not supported`);
  const form = formFields(req, body);
  if (form === null) throw new ApiRefusal(1035, 'An overridden method needs a form body');
  req.method = 'GET';
  return form;
}

function asRefusal(error: unknown): ApiRefusal {
  if (error instanceof ApiRefusal) return error;
  // Express reports a path that cannot be decoded this way.
  if (error instanceof URIError) return new ApiRefusal(1053, 'The path is not well encoded');
  return new ApiRefusal(1026, 'The emulator failed');
}

function isReso(path: string): boolean {
  return /^\/(?:Version\/3\/)?Reso\//.test(path);
}
