import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { type Authenticator, Passport } from 'passport';
import { sparkProxy, UnavailableError } from '../src/index.js';
import { accountRoutes } from './account.js';
import { cloudCalls, cloudRoutes } from './cloud.js';
import { logError } from './log.js';
import { basePath, type LoginSiteOptions, parseSiteOptions, type SiteSettings } from './options.js';
import { guardPages, sendProblem } from './page.js';
import { failure, type Problem } from './problem.js';
import { createOwnSession } from './session.js';
import { callbackRoute, signInRoutes } from './sign-in.js';
import type { Site } from './site.js';

/** An Express application, typed so that Express 4 and 5 both take it in `app.use`. */
export type LoginSite = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Creates the reference login site: people choose how to sign in with Spark, see who they are, their listings (which the
 * browser gets through `sparkProxy`) and how their sign-in stands, and sign out. Mount it anywhere: its links follow the mount.
 *
 * @example
 * const site = createLoginSite({ strategy: spark, baseURL: 'https://app.example.com/members' });
 * app.use('/members', site);
 *
 * @throws ConfigError that lists every problem with the options and its remedy
 */
export function createLoginSite(options: LoginSiteOptions): LoginSite {
  const settings = parseSiteOptions(options);
  const { strategy, allow } = settings;
  const app = express();
  const site: Site = {
    settings,
    passport: settings.passport ?? ownPassport(),
    ownSession: settings.session === false ? undefined : createOwnSession(app, settings.base, settings.session),
  };

  app.disable('x-powered-by');
  app.use(checkMount(settings));
  app.use('/assets', express.static(path.join(__dirname, 'public'), { index: false, redirect: false }));
  if (site.ownSession) app.use(site.ownSession.middleware);
  app.use(requireSession);
  app.use(callbackRoute(site)); // before the proxy: the callback is often /auth/spark/callback
  app.use('/spark', sparkProxy({ strategy, ...(allow === undefined ? {} : { allow }) })); // before Passport: the proxy needs the session alone
  if (settings.cloud) app.use('/cloud', cloudCalls(settings.cloud));
  app.use(guardPages(settings));
  app.use(site.passport.session() as RequestHandler); // typed `any` by @types/passport
  app.use(signInRoutes(site));
  app.use(accountRoutes(site));
  if (settings.cloud) app.use(cloudRoutes(site, settings.cloud));
  app.use((req, res) => sendProblem(req, res, settings, NOT_FOUND));
  app.use(errorHandler(settings));
  return app as Express & LoginSite;
}

const NOT_FOUND: Problem = {
  status: 404,
  code: 'not_found',
  title: 'There is no such page',
  reason: 'The address leads nowhere on this site.',
  advice: 'Start from the first page.',
};

/** A Passport that knows nobody else's people: it keeps the whole user in the session, and reads it back. */
function ownPassport(): Authenticator {
  // The constructor's type names the module's own copy of Authenticator, which TypeScript holds for another one.
  const passport = new Passport() as unknown as Authenticator;
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user as Express.User)); // what serializeUser wrote
  return passport;
}

/**
 * Links and redirects begin with the path of the mount. Where that is a pattern (`/:tenant`), the visitor writes it:
 * `/\elsewhere.example` would turn every redirect into one to another site.
 */
function checkMount({ base }: SiteSettings): RequestHandler {
  const canonical = basePath(base);
  return (req, res, next) => {
    const mount = req.baseUrl;
    if (!/^(?:\/[\w.~%!$&'()*+,;=:@-]+)*$/.test(mount)) {
      res.status(400).type('text').send('This address can not be used.');
    } else if (mount !== canonical && mount.toLowerCase() === canonical.toLowerCase()) {
      res.redirect(308, canonical + req.url); // Express ignores case where cookies don't
    } else {
      next();
    }
  };
}

/** Without its store express-session goes on without a session, and nobody is to be told that they are signed out. */
const requireSession: RequestHandler = (req, _res, next) => {
  if (req.session) next();
  else next(new UnavailableError(NO_SESSION, { code: 'no_session' }));
};

const NO_SESSION =
  'The request has no session: its store is away, or the host mounts no session() before createLoginSite; mount one, or give "session" options.';

/** Errors may come from before the pages' own headers are set: those are set here again. */
function errorHandler(settings: SiteSettings): ErrorRequestHandler {
  const guard = guardPages(settings);
  return (error: unknown, req, res, next) => {
    const problem = failure(error);
    if (problem.status >= 500) logError(error);
    if (res.headersSent) next(error);
    else guard(req, res, () => sendProblem(req, res, settings, problem));
  };
}
