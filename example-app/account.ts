import { type Request, type Response, Router } from 'express';
import { SparkError } from '../src/index.js';
import { accountPage } from './account-page.js';
import { logError } from './log.js';
import { handler, refuseOtherSites, sendPage } from './page.js';
import { readPerson } from './person.js';
import type { Site } from './site.js';

/** What a signed-in person sees and does. */
export function accountRoutes(site: Site): Router {
  const { settings } = site;
  const { strategy, emulator } = settings;
  const router = Router();
  const fromOwnPage = refuseOtherSites(settings);

  router.get(
    '/account',
    handler(async (req, res) => {
      const status = await strategy.status(req);
      const person = readPerson(req.user);
      if (status && person) sendPage(req, res, settings, accountPage(req, settings, person, status));
      else res.redirect(303, `${req.baseUrl}/?notice=sign-in`);
    }),
  );

  // For the panel. It says how the sign-in stands; the tokens stay on the server.
  router.get(
    '/status',
    handler(async (req, res) => {
      const status = await strategy.status(req);
      res.status(status ? 200 : 401).json(status ? { signedIn: true, ...status } : { signedIn: false });
    }),
  );

  if (emulator) {
    router.post(
      '/expire',
      fromOwnPage,
      handler(async (req, res) => {
        emulator.expireAccessToken(await strategy.accessToken(req));
        res.redirect(303, `${req.baseUrl}/account`);
      }),
    );
  }

  router.post(
    '/logout',
    fromOwnPage,
    handler(async (req, res) => {
      await signOut(site, req, res);
      res.redirect(303, `${req.baseUrl}/?notice=signed-out`);
    }),
  );

  return router;
}

/** Signs out, here and at Spark. Where Spark can't be told, signing out here is what counts. */
async function signOut({ settings, ownSession }: Site, req: Request, res: Response): Promise<void> {
  const { strategy } = settings;
  try {
    await strategy.signOut(req, { revoke: true });
  } catch (error) {
    if (!(error instanceof SparkError) || error.code !== 'revocation_failed') throw error;
    logError(error); // the person is signed out here all the same
  }
  ownSession?.clearCookie(req, res);
}
