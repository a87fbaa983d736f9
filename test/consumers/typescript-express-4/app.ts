import type { AddressInfo } from 'node:net';

import express = require('express');
import session = require('express-session');
import passport = require('passport');

import { SparkStrategy, sparkProxy } from 'passport-spark';
import { createSparkEmulator } from 'passport-spark/emulator';
import { createLoginSite } from 'passport-spark/login-site';

async function main(): Promise<void> {
  const spark = await createSparkEmulator().listen(0);
  const app = express();
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const strategy = new SparkStrategy(
    {
      clientID: 'emulator-client',
      clientSecret: 'emulator-secret',
      callbackURL: `${url}/auth/spark/callback`,
      userAgent: 'Consumer/1.0',
      platformURL: spark.url,
      apiURL: spark.url,
      passReqToCallback: true,
    },
    (req: express.Request, accessToken, _refreshToken, profile, done) => {
      console.error(req.path, accessToken.length > 0);
      done(null, { id: profile.id });
    },
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
    res.json({ user: req.user, link: req.session.spark?.key.length });
  });

  process.stdin.on('end', () => process.exit()).resume();
  console.log(url);
}

main();
