import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createAPI } from './api.js';
import { authorizeAgent, authorizeConsumer } from './authorize.js';
import { createControlRoutes } from './control-routes.js';
import type { EmulatorControls } from './controls.js';
import { grant } from './grant.js';
import { handler } from './http.js';
import { openid, openidLogout } from './openid.js';
import { sendMessagePage } from './page.js';
import type { EmulatorState } from './state.js';

/** Puts Spark together: sign-in pages, grant endpoint and API on one origin. */
export function createApp(state: EmulatorState, controls: EmulatorControls): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  // Static paths of OAuth and OpenID are answered for GET and POST; anything else falls through to "not found".
  for (const method of ['get', 'post'] as const) {
    app[method](
      '/oauth2',
      handler((req, res) => authorizeAgent(state, req, res)),
    );
    app[method](
      '/auth/vow',
      handler((req, res) => authorizeConsumer(state, req, res)),
    );
    app[method](
      '/auth/vow/:portal',
      handler((req, res) => authorizeConsumer(state, req, res)),
    );
    app[method](
      '/openid',
      handler((req, res) => openid(state, req, res)),
    );
  }
  app.get('/openid/logout', openidLogout);

  app.all(
    '/v1/oauth2/grant',
    handler((req, res) => grant(state, req, res)),
  );
  if (state.settings.controls) app.use('/_emulator', createControlRoutes(controls));

  const api = createAPI(state);
  app.use((req: Request, res: Response, next: NextFunction) => {
    // Not mounted under a path, so that the resources see the whole one.
    if (/^\/(?:v1|Reso|Version)\//.test(req.path)) api(req, res, next);
    else next();
  });

  app.use((_req: Request, res: Response) => {
    sendMessagePage(res, 404, 'Not found', 'The Spark emulator has no page at this address.');
  });
  app.use((_error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    // A client that left in the middle of its request: Express's own handler would report it as an error.
    if (res.headersSent || res.destroyed) return res.destroy();
    return sendMessagePage(res, 500, 'The emulator failed', 'This request could not be answered.');
  });
  return app;
}
