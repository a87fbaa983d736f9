import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisStore } from 'connect-redis';
import { sign } from 'cookie-signature';
import express, { type Express, type RequestHandler } from 'express';
import session, { type SessionOptions } from 'express-session';
import { Redis } from 'ioredis';
import { Passport } from 'passport';
import { createFastServer } from '../../src/fast-server/index.js';
import { RedisTokenStore, SparkStrategy, sparkProxy } from '../../src/index.js';
import { writeLink } from '../../src/signin/link.js';
import { ACCESS_TOKEN, BIG_BYTES, type Listening, POST_ANSWER, SECRET, type Setting, SMALL_BYTES } from '../setting.js';

const DAY_MS = 86_400_000;
const USER = { id: 'agent', name: 'An Agent', email: 'agent@example.com' };

/** An Express application as people write it: sessions in Redis, Passport. */
export interface Stack {
  readonly app: Express;
  readonly redis: Redis;
  readonly passport: InstanceType<typeof Passport>;
  readonly sessionOptions: SessionOptions;
  /** Puts the sessions of everybody into the store. */
  signIn(more: () => object | Promise<object>): Promise<void>;
}

export function createStack({ redisPort, sessions, autoPipelining }: Setting, name: string): Stack {
  const redis = new Redis(redisPort, '127.0.0.1', { enableAutoPipelining: autoPipelining ?? false });
  const store = new RedisStore({ client: redis, prefix: `${name}:` });
  const passport = new Passport();
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  const sessionOptions = {
    store,
    secret: SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: DAY_MS },
  };
  const signIn: Stack['signIn'] = async (more) => {
    for (const id of sessionIds(sessions)) {
      const cookie = { originalMaxAge: DAY_MS, expires: new Date(Date.now() + DAY_MS), httpOnly: true, path: '/' };
      await store.set(id, { cookie, passport: { user: USER }, ...(await more()) } as never);
    }
  };
  return { app: express(), redis, passport, sessionOptions, signIn };
}

export function sessionCookies({ sessions }: Setting): string[] {
  return sessionIds(sessions).map((id) => `connect.sid=${encodeURIComponent(`s:${sign(id, SECRET)}`)}`);
}

function sessionIds(sessions: number): string[] {
  return Array.from({ length: sessions }, (_, i) => `bench-session-${i}`);
}

/** A peer's proxy in the stack: the token lies in the session, as their documentation shows it. */
export async function startPeer(setting: Setting, name: string, proxy: RequestHandler): Promise<Server> {
  const { app, passport, sessionOptions, signIn } = createStack(setting, name);
  await signIn(() => ({ accessToken: ACCESS_TOKEN }));
  app.use(session(sessionOptions), passport.session());
  app.use('/spark', (req, res, next) => (req.user ? next() : res.sendStatus(401)), proxy);
  return await listening(app.listen(0, '127.0.0.1'));
}

/** Sessions, and an answer of this process's own: no proxy, no API. */
export async function startStack(setting: Setting, name: string): Promise<Server> {
  const { app, sessionOptions, signIn } = createStack(setting, name);
  await signIn(() => ({}));
  const small = Buffer.alloc(SMALL_BYTES, 'x');
  const big = Buffer.alloc(BIG_BYTES, 'x');
  app.use(session(sessionOptions));
  app.use('/spark', (req, res) => {
    const body = req.path === '/v1/big' ? big : small;
    res.setHeader('Content-Type', 'application/json');
    res.setHeader('Content-Length', req.method === 'POST' ? POST_ANSWER.length : body.length);
    if (req.method === 'POST') req.resume().on('end', () => res.end(POST_ANSWER));
    else res.end(body);
  });
  return await listening(app.listen(0, '127.0.0.1'));
}

export type Road = 'ours' | 'ours-fast' | 'ours-lane';

/** Ours, mounted where its README says: before `passport.session()`, the lane before `session()`. */
export async function startOurs(setting: Setting, road: Road): Promise<Server> {
  const { app, redis, passport, sessionOptions, signIn } = createStack(setting, road);
  const strategy = new SparkStrategy(
    {
      clientID: 'bench',
      clientSecret: 'bench-secret-of-some-length',
      callbackURL: 'http://127.0.0.1/auth/spark/callback',
      apiURL: setting.upstream,
      platformURL: setting.upstream,
      tokenStore: new RedisTokenStore(redis),
    },
    (_accessToken, _refreshToken, profile, done) => done(null, profile),
  );
  const tokens = { accessToken: ACCESS_TOKEN, refreshToken: 'bench-refresh-token', lifetimeMs: DAY_MS };
  await signIn(async () => {
    const signedIn = { passport: { user: USER } };
    writeLink(signedIn, 'spark', await strategy.tokens.create(tokens, { role: 'private' }));
    return signedIn;
  });
  if (road === 'ours-lane') app.use('/spark', sparkProxy({ strategy, session: sessionOptions }));
  app.use(session(sessionOptions));
  if (road !== 'ours-lane') app.use('/spark', sparkProxy({ strategy }));
  app.use(passport.session());
  return await listening(road === 'ours' ? app.listen(0, '127.0.0.1') : createFastServer(app).listen(0, '127.0.0.1'));
}

export async function listening(server: Server): Promise<Server> {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

export function tell(server: Server, cookies: readonly string[]): void {
  const { port } = server.address() as AddressInfo;
  const answer: Listening = { url: `http://127.0.0.1:${port}`, cookies };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
