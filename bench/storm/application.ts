import type { Server } from 'node:http';
import session from 'express-session';
import { SparkStrategy, type SparkStrategyOptions } from '../../src/index.js';
import { createStack, listening, type Stack } from '../candidates/stack.js';
import type { Setting } from '../setting.js';
import { PATHS } from './setting.js';

/** What a person who has just signed in is kept as in the session. */
export type Verify = (id: string, tokens: Tokens) => object;

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
}

export interface Application extends Stack {
  readonly strategy: SparkStrategy;
}

/** What all candidates have alike: sessions in Redis, and Passport with the same strategy for the sign-in. */
export function createApplication(
  setting: Setting,
  name: string,
  verify: Verify,
  more: (stack: Stack) => Partial<SparkStrategyOptions> = () => ({}),
): Application {
  const stack = createStack(setting, name);
  const strategy = new SparkStrategy(
    {
      clientID: 'emulator-client',
      clientSecret: 'emulator-secret',
      callbackURL: PATHS.callback,
      platformURL: setting.upstream,
      apiURL: setting.upstream,
      ...more(stack),
      passReqToCallback: false,
    },
    (accessToken, refreshToken, params, profile, done) => {
      const expiresAt = Date.now() + Number(params.expires_in) * 1_000;
      done(null, verify(profile.id, { accessToken, refreshToken: refreshToken ?? '', expiresAt }));
    },
  );
  stack.passport.use(strategy);
  stack.app.get(PATHS.health, (_req, res) => {
    res.json({});
  });
  stack.app.use(session(stack.sessionOptions));
  return { ...stack, strategy };
}

/** Mounts the sign-in, and listens. */
export async function serve({ app, passport }: Application): Promise<Server> {
  app.get(PATHS.signIn, passport.authenticate('spark'));
  app.get(PATHS.callback, passport.authenticate('spark', { successRedirect: '/' }));
  return await listening(app.listen(0, '127.0.0.1'));
}
