import { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
import type { AuthenticateOptions } from 'passport';
import { type SparkAuthenticateOptions, SparkError, UnavailableError } from '../src/index.js';
import { readChoice } from './choice.js';
import { homePage } from './home-page.js';
import { guardPages, handler, sendPage, sendProblem } from './page.js';
import { readPerson } from './person.js';
import { refusal } from './problem.js';
import type { Site } from './site.js';

type Options = AuthenticateOptions & SparkAuthenticateOptions;

/** The first page, and the way to Spark. */
export function signInRoutes(site: Site): Router {
  const { settings, passport } = site;
  const { strategy } = settings;
  const router = Router();

  router.get(
    '/',
    handler(async (req, res) => {
      const status = await strategy.status(req);
      sendPage(
        req,
        res,
        settings,
        homePage(req, settings, { withSpark: status !== undefined, person: readPerson(req.user) }),
      );
    }),
  );

  router.get('/login', (req, res, next) => {
    const choice = readChoice(req.query, strategy);
    if (typeof choice === 'string') {
      sendProblem(req, res, settings, {
        status: 400,
        code: 'bad_choice',
        title: 'That choice does not work',
        reason: choice,
        advice: 'Go back to the first page and choose again.',
      });
      return;
    }
    const options: Options = { ...choice, wall: false, returnTo: `${req.baseUrl}/account` };
    passport.authenticate(strategy, options)(req, res, next);
  });

  return router;
}

/**
 * The way back. One for every role and flow: the strategy's sealed cookie knows which it was. Whoever is signed in and
 * comes by it again (Back, a second answer at Spark) goes on to the account, so Passport looks who it is.
 */
export function callbackRoute(site: Site): RequestHandler {
  const { callbackPath } = site.settings.strategy;
  const guard = guardPages(site.settings);
  const restore = site.passport.session() as RequestHandler; // typed `any` by @types/passport
  return (req, res, next) => {
    if (req.method !== 'GET' || req.baseUrl + req.path !== callbackPath) {
      next();
      return;
    }
    guard(req, res, () =>
      restore(req, res, (error?: unknown) => {
        if (error) next(error);
        else finishSignIn(site, req, res, next);
      }),
    );
  };
}

/** The custom callback shows the reason on this very page; `failureRedirect` could only carry it in a session or a URL. */
function finishSignIn({ settings, passport, ownSession }: Site, req: Request, res: Response, next: NextFunction): void {
  const account = `${req.baseUrl}/account`;
  const options: Options = { wall: false, returnTo: account };
  const finish = passport.authenticate(
    settings.strategy,
    options,
    (error: unknown, user: unknown, info: unknown, status: unknown) => {
      if (error) {
        next(error);
      } else if (!user) {
        sendProblem(req, res, settings, refusal(info, typeof status === 'number' ? status : undefined));
      } else {
        req.logIn(user as Express.User, (failed: unknown) => {
          if (failed) {
            next(failed instanceof SparkError ? failed : notKept(failed));
            return;
          }
          ownSession?.checkArrival(req);
          res.redirect(303, account);
        });
      }
    },
  );
  finish(req, res, next);
}

/** The session store did not take the session, or `serializeUser` failed: the log says which. */
function notKept(cause: unknown): UnavailableError {
  return new UnavailableError('The session could not be saved.', { code: 'session_failed', cause });
}
