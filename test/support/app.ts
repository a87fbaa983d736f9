import express, { type Express } from 'express';
import session from 'express-session';
import express4 from 'express4';
import { Passport } from 'passport';
import { Passport as Passport6 } from 'passport6';
import { createSparkEmulator, type SparkEmulatorHandle, type SparkEmulatorOptions } from '../../src/emulator/index.js';
import {
  type SparkProfile,
  type SparkProxyOptions,
  SparkStrategy,
  type SparkStrategyOptions,
  sparkProxy,
} from '../../src/index.js';
import { serve } from './server.js';

export interface TestApp {
  readonly url: string;
  readonly app: Express;
  readonly spark: SparkEmulatorHandle;
  readonly strategy: SparkStrategy;
  readonly passport: InstanceType<typeof Passport>;
}

export interface TestAppOptions {
  /** Default: Express 5 and Passport 0.7. */
  readonly versions?: { readonly express?: 4 | 5; readonly passport?: '0.6' | '0.7' };
  readonly emulator?: SparkEmulatorOptions;
  readonly strategy?: Partial<SparkStrategyOptions>;
  /** Told the profile of everybody who signs in. */
  readonly verify?: (profile: SparkProfile | undefined) => void;
  /** Told the refresh token of everybody who signs in. */
  readonly tokens?: (refreshToken: string | undefined) => void;
  readonly proxy?: Partial<SparkProxyOptions>;
  readonly session?: Partial<session.SessionOptions>;
  /** What comes after the proxy and `passport.session()`. Default: the wall, and a page that tells the user. */
  readonly routes?: (app: Express, passport: InstanceType<typeof Passport>, strategy: SparkStrategy) => void;
}

const emulators: SparkEmulatorHandle[] = [];

afterEach(async () => {
  await Promise.all(emulators.splice(0).map((spark) => spark.close()));
});

export const CLIENT = {
  clientID: 'emulator-client',
  clientSecret: 'emulator-secret',
  userAgent: 'TestApp/1.0',
} as const;

/** The application of the quick start, against an emulator of its own. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const spark = await createSparkEmulator(options.emulator).listen(0);
  emulators.push(spark);
  const passport = options.versions?.passport === '0.6' ? new Passport6() : new Passport();
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  const app = options.versions?.express === 4 ? express4() : express();
  const { url } = await serve(app);
  const strategy = new SparkStrategy(
    {
      ...CLIENT,
      callbackURL: `${url}/auth/spark/callback`,
      platformURL: spark.url,
      apiURL: spark.url,
      ...options.strategy,
      passReqToCallback: false,
    },
    (_accessToken, refreshToken, _params, profile: SparkProfile | undefined, done) => {
      options.verify?.(profile);
      options.tokens?.(refreshToken);
      done(null, { id: profile?.id, name: profile?.displayName });
    },
  );
  passport.use(strategy);
  app.use(session({ secret: 'test secret', resave: false, saveUninitialized: false, ...options.session }));
  app.use('/spark', sparkProxy({ strategy, ...options.proxy }));
  app.use(passport.session());
  (options.routes ?? wallAndPage)(app, passport, strategy);
  return { url, app, spark, strategy, passport };
}

function wallAndPage(app: Express, passport: InstanceType<typeof Passport>): void {
  app.use(passport.authenticate('spark'));
  app.use((req, res) => {
    res.json({ user: req.user, url: req.originalUrl });
  });
}
