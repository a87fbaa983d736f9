import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sign } from 'cookie-signature';
import express from 'express';
import session, { MemoryStore, type SessionData } from 'express-session';
import { createFastServer } from '../../src/fast-server/index.js';
import { SparkStrategy, sparkProxy } from '../../src/index.js';
import { writeLink } from '../../src/signin/link.js';

/** The proxy that is measured, a program of its own: `proxy.js <road> <origin of the API>`. */
const DAY_MS = 86_400_000;
const SECRET = 'the secret of the streams';
const [, , road = '', api = ''] = process.argv;

async function main(): Promise<void> {
  const store = new MemoryStore();
  const strategy = new SparkStrategy(
    {
      clientID: 'streams',
      clientSecret: 'streams-secret-of-some-length',
      callbackURL: 'http://127.0.0.1/auth/spark/callback',
      apiURL: api,
      platformURL: api,
    },
    (_accessToken, _refreshToken, profile, done) => done(null, profile),
  );
  const signedIn = { passport: { user: { id: 'agent' } } };
  const tokens = { accessToken: 'streams-access-token', refreshToken: 'streams-refresh-token', lifetimeMs: DAY_MS };
  writeLink(signedIn, 'spark', await strategy.tokens.create(tokens, { role: 'private' }));
  const cookie = { originalMaxAge: DAY_MS, expires: new Date(Date.now() + DAY_MS), httpOnly: true, path: '/' };
  store.set('streams', { cookie, ...signedIn } as unknown as SessionData);

  const options = { store, secret: SECRET, resave: false, saveUninitialized: false };
  const app = express();
  if (road === 'lane') app.use('/spark', sparkProxy({ strategy, session: options }));
  app.use(session(options));
  if (road === 'session') app.use('/spark', sparkProxy({ strategy }));
  const server = road === 'lane' ? createFastServer(app) : createServer(app);
  server.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    process.stdout.write(
      JSON.stringify({ url, cookie: `connect.sid=${encodeURIComponent(`s:${sign('streams', SECRET)}`)}` }),
    );
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
