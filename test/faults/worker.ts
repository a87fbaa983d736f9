/**
 * One process of an application: the proxy before two kinds of sessions. Started by the runner with its settings in
 * WORKER, told over IPC where to stop, and gone when the runner is.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisStore } from 'connect-redis';
import express, { type NextFunction, type Request, type Response } from 'express';
import session from 'express-session';
import { Cluster, Redis } from 'ioredis';
import { Passport } from 'passport';
import { RedisTokenStore, SparkStrategy, sparkProxy } from '../../src/index.js';
import { tokenKeyOf } from '../../src/session.js';
import type { ClaimAnswer, CommitAnswer } from '../../src/tokens/store.js';

export type RedisAddress =
  | { readonly kind: 'one'; readonly port: number }
  | { readonly kind: 'cluster'; readonly ports: readonly number[] };

export interface WorkerSettings {
  readonly spark: string;
  readonly redis: RedisAddress;
  readonly onUnknown: 'retry' | 'defer';
  /** How the grants of this process are recognised in the emulator's log. */
  readonly name: string;
}

/** A point of a renewal: the claim is ours, the tokens are there but not stored, they are stored but nobody knows. */
export type Step = 'claimed' | 'committing' | 'committed';

export interface Watch {
  readonly watch: Step;
  /** Go no further from there. */
  readonly stop: boolean;
}

export type FromWorker = { readonly url: string } | { readonly reached: Step } | { readonly lagMs: number };

/** The store, with points at which the process can be told to stop, so that it can be killed just there. */
class SteppedStore extends RedisTokenStore {
  private watch: Watch | undefined;
  /** Attempts between claim and commit or settlement. */
  private readonly open = new Set<string>();
  private readonly stopped = new Set<string>();

  watchFor(watch: Watch): void {
    this.watch = watch;
  }

  override async claim(...args: Parameters<RedisTokenStore['claim']>): Promise<ClaimAnswer> {
    const answer = await super.claim(...args);
    if (answer.kind === 'granted') {
      this.open.add(args[2]);
      await this.reached('claimed', args[2]);
    }
    return answer;
  }

  override async commit(...args: Parameters<RedisTokenStore['commit']>): Promise<CommitAnswer> {
    await this.reached('committing', args[2]);
    const answer = await super.commit(...args);
    await this.reached('committed', args[2]);
    this.close(args[2]);
    return answer;
  }

  override async settle(...args: Parameters<RedisTokenStore['settle']>): Promise<void> {
    await super.settle(...args);
    this.close(args[1]);
  }

  private close(attemptId: string): void {
    this.open.delete(attemptId);
    this.tellWhenStill();
  }

  /** After the first renewal has stopped, none begins; those under way go on to the step, or to their end. */
  private async reached(step: Step, attemptId: string): Promise<void> {
    const { watch } = this;
    if (!watch) return;
    const begins = step === 'claimed' && this.stopped.size > 0;
    if (watch.watch !== step && !begins) return;
    if (!watch.stop) {
      tell({ reached: step });
      return;
    }
    this.stopped.add(attemptId);
    this.tellWhenStill();
    await new Promise<never>(() => undefined);
  }

  private tellWhenStill(): void {
    const still = [...this.open].every((attemptId) => this.stopped.has(attemptId));
    if (this.watch && this.stopped.size > 0 && still) tell({ reached: this.watch.watch });
  }
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  process.on('disconnect', () => process.exit());
  const settings = JSON.parse(process.env.WORKER ?? '{}') as WorkerSettings; // written by the runner
  const app = express();
  const server = createServer(app);
  server.keepAliveTimeout = 120_000; // a connection that ends just when a request goes out is none of the faults here
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a string only for pipes

  const redis = connect(settings.redis);
  const tokenStore = new SteppedStore(redis);
  process.on('message', (message) => {
    tokenStore.watchFor(message as Watch); // the runner sends nothing else
  });
  const strategy = new SparkStrategy(
    {
      clientID: 'emulator-client',
      clientSecret: 'emulator-secret',
      callbackURL: `${url}/app/auth/spark/callback`,
      platformURL: settings.spark,
      apiURL: settings.spark,
      userAgent: settings.name,
      tokenStore,
      onUnknown: settings.onUnknown,
      passReqToCallback: false,
    },
    (_accessToken, _refreshToken, _params, profile, done) => done(null, { id: profile.id }),
  );
  app.use('/seeded', seededSession, sparkProxy({ strategy }));
  app.post('/sign-out', seededSession, (req, res, next) => {
    strategy.signOut(req).then(() => res.sendStatus(204), next);
  });
  app.use('/app', realApplication(strategy, redis));
  tell({ url });
  reportLag();
}

/** Says how late a timer came, when it was late: this process did not get the machine. */
function reportLag(): void {
  const everyMs = 100;
  let due = performance.now() + everyMs;
  setInterval(() => {
    const lagMs = Math.round(performance.now() - due);
    if (lagMs > everyMs) tell({ lagMs });
    due = performance.now() + everyMs;
  }, everyMs);
}

function connect(address: RedisAddress): Redis | Cluster {
  const client =
    address.kind === 'one'
      ? new Redis(address.port, '127.0.0.1')
      : new Cluster(address.ports.map((port) => ({ host: '127.0.0.1', port })));
  client.on('error', () => undefined); // Redis goes away on purpose here
  return client;
}

/** The session of a person whose tokens the runner stored: all that the link holds comes with the request. */
function seededSession(req: Request, _res: Response, next: NextFunction): void {
  const key = req.get('x-key');
  const user = { id: key };
  const digest = createHash('sha256').update(JSON.stringify(user)).digest('base64url');
  const seeded: object = key === undefined ? {} : { passport: { user }, spark: { key, user: digest } };
  Object.assign(req, { session: seeded });
  next();
}

/** An application as the README shows it, with pages that treat their sessions roughly. */
function realApplication(strategy: SparkStrategy, redis: Redis | Cluster): express.Router {
  const passport = new Passport();
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  passport.use(strategy);
  const app = express.Router();
  app.use(
    session({
      store: new RedisStore({ client: redis }),
      secret: 'test secret',
      resave: false,
      saveUninitialized: false,
    }),
  );
  app.use('/spark', sparkProxy({ strategy }));
  app.use(passport.session());
  app.get('/auth/spark', passport.authenticate('spark', { wall: false, returnTo: '/app/' } as object));
  app.get('/auth/spark/callback', passport.authenticate('spark'), (_req, res) => {
    res.redirect('/app/');
  });
  app.get('/slow', (req, res, next) => {
    const { sessionID } = req;
    sleep(Number(req.query.ms))
      .then(() => {
        Object.assign(req.session, { seenAt: Date.now() }); // makes express-session save it whole
        res.json({ sessionID });
      })
      .catch(next);
  });
  app.get('/regenerate', (req, res, next) => {
    const { id: _id, cookie: _cookie, ...kept } = req.session;
    req.session.regenerate((error) => {
      if (error) return next(error);
      Object.assign(req.session, kept);
      return res.sendStatus(204);
    });
  });
  app.post('/sign-out', (req, res, next) => {
    strategy.signOut(req).then(() => res.sendStatus(204), next);
  });
  app.get('/key', (req, res) => {
    res.json({ key: tokenKeyOf(req, strategy) });
  });
  return app;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
