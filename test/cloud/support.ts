import express, { type Express } from 'express';
import session from 'express-session';
import { Passport } from 'passport';
import request from 'supertest';
import type TestAgent from 'supertest/lib/agent.js';
import { SparkCloudStrategy, type SparkCloudStrategyOptions } from '../../src/cloud/index.js';
import {
  createSparkCloudEmulator,
  type SparkCloudEmulatorHandle,
  type SparkCloudEmulatorOptions,
} from '../../src/emulator/index.js';
import { type SparkProxyOptions, sparkProxy } from '../../src/index.js';
import { serve } from '../support/server.js';

export const MAKER = { username: 'maker@example.com', password: 'spark' };
export const CAREFUL = { username: 'careful@example.com', password: 'spark' };

const clouds: SparkCloudEmulatorHandle[] = [];

afterEach(async () => {
  await Promise.all(clouds.splice(0).map((cloud) => cloud.close()));
});

export async function startCloud(options?: SparkCloudEmulatorOptions): Promise<SparkCloudEmulatorHandle> {
  const cloud = await createSparkCloudEmulator(options).listen(0);
  clouds.push(cloud);
  return cloud;
}

/** The options of a strategy for this cloud, for either way to sign in. */
export function addressesOf(cloud: { readonly url: string }, way: 'oauth' | 'session'): SparkCloudStrategyOptions {
  return {
    way,
    apiURL: cloud.url,
    ...(way === 'session' ? { signInURL: `${cloud.url}/sign-in`, accessTokenURL: `${cloud.url}/access-token` } : {}),
  };
}

export interface CloudApp {
  readonly url: string;
  readonly cloud: SparkCloudEmulatorHandle;
  readonly strategy: SparkCloudStrategy;
  readonly passport: InstanceType<typeof Passport>;
  /** What `passport.authenticate` gave as `info` when it failed. */
  readonly failures: unknown[];
  /** A person with a browser that keeps cookies. */
  visitor(): CloudVisitor;
}

export interface CloudAppOptions {
  readonly way?: 'oauth' | 'session';
  readonly cloud?: SparkCloudEmulatorOptions;
  readonly strategy?: SparkCloudStrategyOptions;
  readonly proxy?: Partial<SparkProxyOptions>;
  readonly store?: session.Store;
  readonly routes?: (app: Express, strategy: SparkCloudStrategy) => void;
}

/** An application with a sign-in form, the second factor, and the proxy at `/cloud`, against an emulator of its own. */
export async function startCloudApp(options: CloudAppOptions = {}): Promise<CloudApp> {
  const cloud = await startCloud(options.cloud);
  const passport = new Passport();
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  const strategy = new SparkCloudStrategy({
    ...addressesOf(cloud, options.way ?? 'oauth'),
    ...options.strategy,
  });
  passport.use(strategy);
  const failures: unknown[] = [];
  const app = express();
  app.use(
    session({
      secret: 'test secret',
      resave: false,
      saveUninitialized: false,
      ...(options.store ? { store: options.store } : {}),
    }),
  );
  app.use('/cloud', sparkProxy({ strategy, ...options.proxy }));
  app.use(passport.session());
  app.use(express.urlencoded({ extended: true }));
  app.post('/login', (req, res, next) => {
    const kept = req.session as { challenge?: { mfaToken: string; username: string } };
    const challenge = req.body?.otp === undefined ? undefined : kept.challenge;
    passport.authenticate(
      'spark-cloud',
      { challenge } as object,
      (error: unknown, user?: Express.User | false | null, info?: object, status?: number | (number | undefined)[]) => {
        if (error) return next(error);
        if (user) return req.logIn(user, (failed) => (failed ? next(failed) : res.json({ user })));
        failures.push(info);
        const { code, challenge: asked } = info as { code?: string; challenge?: typeof kept.challenge };
        if (asked) kept.challenge = asked;
        return res.status(Number(status)).json({ code });
      },
    )(req, res, next);
  });
  app.post('/simple', passport.authenticate('spark-cloud'), (req, res) => {
    res.json({ user: req.user });
  });
  app.get('/devices', (req, res, next) => {
    strategy.listDevices(req).then((devices) => res.json(devices), next);
  });
  app.get('/session', (req, res) => {
    res.json(req.session);
  });
  app.post('/logout', (req, res, next) => {
    strategy.signOut(req).then(() => res.json({}), next);
  });
  options.routes?.(app, strategy);
  const { url } = await serve(app);
  return { url, cloud, strategy, passport, failures, visitor: () => new CloudVisitor(url) };
}

export class CloudVisitor {
  readonly agent: TestAgent;

  constructor(url: string) {
    this.agent = request.agent(url);
  }

  signIn(fields: object = MAKER, path = '/login'): request.Test {
    return this.agent.post(path).type('form').send(fields);
  }

  /** Calls the cloud through the proxy, as a page's script would. */
  call(path: string): request.Test {
    return this.agent.get(`/cloud${path}`).set('Sec-Fetch-Site', 'same-origin');
  }
}
