import express, { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
import {
  type CloudAuthenticateOptions,
  CloudError,
  type CloudToken,
  type MfaChallenge,
  MfaRequiredError,
  type SparkCloudStrategy,
} from '../src/cloud/index.js';
import { SignInRequiredError, sparkProxy } from '../src/index.js';
import { type CloudView, cloudPage } from './cloud-page.js';
import { handler, refuseOtherSites, sendPage } from './page.js';
import type { Site } from './site.js';

/** What waits in the session between a password and the one-time code. */
interface Waiting {
  cloudChallenge?: MfaChallenge;
}

/** Calls of the browser, `/cloud/v1/…`, with the token of the person who is signed in at the cloud. */
export function cloudCalls(cloud: SparkCloudStrategy): RequestHandler {
  const proxy = sparkProxy({ strategy: cloud });
  return (req, res, next) => (req.path.startsWith('/v1/') ? proxy(req, res, next) : next());
}

/** The Spark Core cloud: sign in by name and password, and see devices and tokens together. */
export function cloudRoutes(site: Site, cloud: SparkCloudStrategy): Router {
  const { settings, passport } = site;
  const router = Router();
  const fromOwnPage = refuseOtherSites(settings);
  const form = express.urlencoded({ extended: false, limit: '4kb' });

  const show = (req: Request, res: Response, view: CloudView, status = 200): void =>
    sendPage(req, res, settings, cloudPage(req.baseUrl, view), status);

  const authenticate = (req: Request, res: Response, next: NextFunction, options: CloudAuthenticateOptions): void => {
    const finish = passport.authenticate(cloud, options, (error: unknown, user: unknown, info: unknown) => {
      if (error) next(error);
      else if (!user) refused(req, res, info);
      else
        req.logIn(user as Express.User, (failed: unknown) => {
          if (failed) next(failed);
          else showAccount(req, res).catch(next);
        });
    }) as RequestHandler; // typed `any` by @types/passport
    finish(req, res, next);
  };

  const refused = (req: Request, res: Response, info: unknown): void => {
    if (info instanceof MfaRequiredError) {
      (req.session as Waiting).cloudChallenge = info.challenge;
      show(req, res, { kind: 'code' });
      return;
    }
    const { message } = info as { message?: unknown };
    show(req, res, { kind: 'form', problem: typeof message === 'string' ? message : 'The sign-in failed.' }, 401);
  };

  /** Devices by the token; the account's tokens by its password, which is in this request and nowhere else. */
  const showAccount = async (req: Request, res: Response): Promise<void> => {
    const devices = await cloud.listDevices(req);
    show(req, res, { kind: 'account', devices, tokens: await tokensOf(cloud, req) });
  };

  router.get(
    '/cloud',
    handler(async (req, res) => {
      try {
        await showAccount(req, res);
      } catch (error) {
        if (!(error instanceof SignInRequiredError)) throw error;
        show(req, res, { kind: 'form' });
      }
    }),
  );
  router.post('/cloud', fromOwnPage, form, (req, res, next) => authenticate(req, res, next, {}));
  router.post('/cloud/code', fromOwnPage, form, (req, res, next) => {
    const session = req.session as Waiting;
    const { cloudChallenge: challenge } = session;
    delete session.cloudChallenge; // good for one try
    if (challenge) authenticate(req, res, next, { challenge });
    else show(req, res, { kind: 'form', problem: 'Begin with your name and password.' }, 400);
  });
  router.post(
    '/cloud/sign-out',
    fromOwnPage,
    handler(async (req, res) => {
      await cloud.signOut(req);
      res.redirect(303, `${req.baseUrl}/cloud`);
    }),
  );
  return router;
}

/** Undefined where this request brings no password: there is no other way to list them. */
async function tokensOf(cloud: SparkCloudStrategy, req: Request): Promise<readonly CloudToken[] | undefined> {
  const { username, password } = (req.body ?? {}) as { username?: unknown; password?: unknown };
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  try {
    return await cloud.listTokens({ username, password });
  } catch (error) {
    if (error instanceof CloudError) return undefined; // an account with a second factor keeps its list to itself
    throw error;
  }
}
