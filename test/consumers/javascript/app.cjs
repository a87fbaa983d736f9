const { once } = require('node:events');
const express = require('express');
const session = require('express-session');
const { Passport } = require('passport');
const { SparkStrategy, sparkProxy } = require('passport-spark');
const { createSparkEmulator } = require('passport-spark/emulator');

/** Starts an application with the sign-in wall and the proxy, and the emulator that it signs people in with. */
exports.startApp = async function startApp() {
  const spark = await createSparkEmulator().listen(0);
  const app = express();
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;

  const passport = new Passport();
  const strategy = new SparkStrategy(
    {
      clientID: 'emulator-client',
      clientSecret: 'emulator-secret',
      callbackURL: `${url}/auth/spark/callback`,
      userAgent: 'Consumer/1.0',
      platformURL: spark.url,
      apiURL: spark.url,
    },
    (_accessToken, _refreshToken, _params, profile, done) => done(null, { id: profile.id }),
  );
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user));
  passport.use(strategy);
  app.use(session({ secret: 'consumer secret', resave: false, saveUninitialized: false }));
  app.use('/spark', sparkProxy({ strategy }));
  app.use(passport.session());
  app.use(passport.authenticate('spark'));
  app.get('/', (req, res) => res.json({ user: req.user }));

  return {
    url,
    spark,
    async close() {
      server.close();
      server.closeAllConnections();
      await spark.close();
    },
  };
};
