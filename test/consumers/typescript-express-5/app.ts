import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { SparkStrategy, sparkProxy } from 'passport-spark';
import { createSparkEmulator } from 'passport-spark/emulator';
import { createLoginSite } from 'passport-spark/login-site';

declare global {
  namespace Express {
    interface User {
      id: string;
    }
  }
}

const spark = await createSparkEmulator().listen(0);
const app = express();
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const client = {
  clientID: 'emulator-client',
  clientSecret: 'emulator-secret',
  userAgent: 'Consumer/1.0',
  platformURL: spark.url,
  apiURL: spark.url,
};

const strategy = new SparkStrategy(
  { ...client, callbackURL: `${url}/auth/spark/callback` },
  (_accessToken, _refreshToken, _params, profile, done) => done(null, { id: profile.id }),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user: Express.User, done) => done(null, user));
passport.use(strategy);
app.use('/members', createLoginSite({ baseURL: `${url}/members`, emulator: spark }));
app.use(session({ secret: 'consumer secret', resave: false, saveUninitialized: false }));
app.use('/spark', sparkProxy({ strategy }));
app.use(passport.session());
app.use(passport.authenticate('spark'));
app.get('/', (req, res) => {
  res.json({ id: req.user?.id, link: req.session.spark?.key.length });
});

process.stdin.on('end', () => process.exit()).resume();
console.log(url);
