import type { Server } from 'node:http';
import { RedisTokenStore, sparkProxy } from '../../src/index.js';
import type { Setting } from '../setting.js';
import { createApplication, serve } from './application.js';

/** sparkProxy, mounted as the README shows it, with the tokens in Redis. */
export async function startOurs(setting: Setting): Promise<Server> {
  const application = createApplication(
    setting,
    'ours',
    (id) => ({ id }),
    ({ redis }) => ({ tokenStore: new RedisTokenStore(redis) }),
  );
  const { app, passport, strategy } = application;
  app.use('/spark', sparkProxy({ strategy }));
  app.use(passport.session());
  return await serve(application);
}
