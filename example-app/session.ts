import { randomBytes } from 'node:crypto';
import type { Express, Request, RequestHandler, Response } from 'express';
import session, { type SessionOptions } from 'express-session';
import { UnavailableError } from '../src/index.js';
import { logNote } from './log.js';
import { basePath } from './options.js';
import { hostStepsAside } from './step-aside.js';

/** The site's own session: its own cookie, sent to the site alone, and none of the host's. */
export interface OwnSession {
  readonly middleware: RequestHandler;
  /** Takes the cookie away, which express-session leaves behind when a session is destroyed. */
  clearCookie(req: Request, res: Response): void;
  /** Says once in the log why a sign-in is not kept: express-session sends no `Secure` cookie to what looks like plain HTTP. */
  checkArrival(req: Request): void;
}

/** Not `strict`: the redirect that ends a sign-in comes from Spark, and would then arrive without the cookie. */
const SAFE = { httpOnly: true, sameSite: 'lax' } as const;

/** Creates the session. `site` is asked where it is mounted when the first request arrives. */
export function createOwnSession(site: Express, base: URL, options: Partial<SessionOptions>): OwnSession {
  const secure = base.protocol === 'https:';
  const name = options.name ?? (secure ? '__Secure-spark-login.sid' : 'spark-login.sid');
  const complete: SessionOptions = {
    resave: false,
    ...options,
    name,
    saveUninitialized: false,
    secret: options.secret ?? randomBytes(32).toString('base64url'),
    store: options.store ?? new session.MemoryStore(),
    // Behind a proxy that ends TLS the request itself is plain HTTP, and X-Forwarded-Proto says what the browser's is.
    proxy: options.proxy ?? (secure ? true : undefined),
  };
  let told = false;
  const byPath = new Map<string, RequestHandler>(); // one entry, or a few: candidates are fixed when the site is mounted

  function sessionAt(path: string): RequestHandler {
    const known = byPath.get(path);
    if (known) return known;
    const made = session({ ...complete, cookie: { ...options.cookie, ...SAFE, secure, path } });
    byPath.set(path, made);
    return made;
  }

  return {
    middleware: (req, res, next) => {
      const enclose = hostStepsAside(req, res);
      sessionAt(cookiePath(req, site, base))(req, res, (error?: unknown) => {
        enclose();
        next(error && !res.headersSent ? storeAway(error) : error);
      });
    },
    clearCookie: (req, res) => {
      res.clearCookie(name, { ...SAFE, secure, path: cookiePath(req, site, base) });
    },
    checkArrival: (req) => {
      if (!secure || told || isEncrypted(req, complete.proxy)) return;
      told = true;
      logNote(NOT_ENCRYPTED);
    },
  };
}

const NOT_ENCRYPTED =
  '"baseURL" is https, but somebody signed in by a request that is neither encrypted nor comes with X-Forwarded-Proto: https, so that its session cookie was not set. Have the proxy that ends TLS send that header.';

function storeAway(cause: unknown): UnavailableError {
  return new UnavailableError('The session store did not answer.', { code: 'session_store_unavailable', cause });
}

/** As express-session sees it, which `proxy` tells whether to believe the header. */
function isEncrypted(req: Request, proxy: boolean | undefined): boolean {
  if ('encrypted' in req.socket) return true;
  const [first = ''] = String(req.headers['x-forwarded-proto'] ?? '').split(',');
  return proxy === true && first.trim().toLowerCase() === 'https';
}

/**
 * The mount, from what is known before any request: the base URL's path, or Express' own record of `app.use`.
 * Never from the request's spelling: `/MEMBERS` reaches a mount at `/members`, and cookie paths are case-sensitive.
 */
function cookiePath(req: Request, site: Express, base: URL): string {
  const candidates = [basePath(base), site.path()];
  const fitting = candidates.filter((path) => path !== '' && `${req.baseUrl}/`.startsWith(`${path}/`));
  return fitting.sort((a, b) => b.length - a.length)[0] ?? '/';
}
