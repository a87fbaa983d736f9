// Compiled, never run: functions whose request is written as what it is in the application, Express' own.
import { subscribe } from 'node:diagnostics_channel';
import type { Request } from 'express';
import session from 'express-session';
import passport from 'passport';
import {
  RENEWAL_CHANNEL,
  REQUEST_CHANNEL,
  type RenewalEvent,
  type RequestEvent,
  type SparkAuthenticateOptions,
  SparkError,
  type SparkProxyOptions,
  SparkStrategy,
  sparkProxy,
} from 'passport-spark';
import { SparkCloudStrategy } from 'passport-spark/cloud';

const strategy = new SparkStrategy(
  { clientID: 'id', clientSecret: 'secret', callbackURL: 'https://app.example.com/auth/spark/callback' },
  (_accessToken, _refreshToken, profile, done) => done(null, { id: profile.id }),
);

export const lane = sparkProxy({
  strategy,
  session: { store: new session.MemoryStore(), secret: 'a secret', resave: false, saveUninitialized: false },
  authorize: (kept, req: Request) => kept.cookie !== undefined && req.secure,
});

export const callbacks: SparkProxyOptions = {
  strategy,
  tokenKey: (req: Request) => req.hostname,
  authorize: (caller: Request, req: Request) => caller.secure && req.hostname !== '',
  allow: [{ methods: ['GET'], path: '/v1/listings' }],
  onRequest: (headers, req: Request) => headers.set('X-Asked-By', req.hostname),
  onResponse: (headers, req: Request, status) => headers.set('X-Answer', `${req.hostname} ${status}`),
  onError: (error, req: Request) => console.error(error instanceof SparkError ? error.code : error, req.path),
};
export const proxy = sparkProxy(callbacks);

export const options: SparkAuthenticateOptions = { role: 'vow', portal: async (req: Request) => req.hostname };
passport.use(
  new SparkCloudStrategy({ passReqToCallback: true }, (req: Request, profile, done) =>
    done(null, { id: `${req.hostname} ${profile.id}` }),
  ),
);

// What is published, with its type.
subscribe(REQUEST_CHANNEL, (message) => {
  const { outcome, durationMs } = message as RequestEvent;
  console.error(outcome, durationMs);
});
subscribe(RENEWAL_CHANNEL, (message) => {
  const { outcome, key } = message as RenewalEvent;
  console.error(outcome, key);
});
