import { once } from 'node:events';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { SparkStrategy, sparkProxy } from 'passport-spark';
import { createSparkEmulator } from 'passport-spark/emulator';

const spark = await createSparkEmulator().listen(0);
const app = express();
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;

const strategy = new SparkStrategy(
  {
    clientID: 'emulator-client',
    clientSecret: 'emulator-secret',
    callbackURL: `${url}/auth/spark/callback`,
    userAgent: 'Consumer/1.0',
    platformURL: spark.url,
    apiURL: spark.url,
  },
  (_accessToken, _refreshToken, profile, done) => done(null, { id: profile.id }),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));
passport.use(strategy);
app.use(session({ secret: 'consumer secret', resave: false, saveUninitialized: false }));
app.use('/spark', sparkProxy({ strategy }));
app.use(passport.session());
app.use(passport.authenticate('spark'));
app.get('/', (req, res) => res.json({ user: req.user }));

process.stdin.on('end', () => process.exit()).resume();
console.log(url);
