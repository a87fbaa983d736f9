// Compiled, never run: a standard server and the Spark Core cloud, as an application would write them.
import type { RequestHandler } from 'express';
import passport from 'passport';
import { sparkProxy } from 'passport-spark';
import {
  type CloudAuthenticateOptions,
  CloudError,
  type MfaChallenge,
  MfaRequiredError,
  SPARK_CLOUD_2014,
  SparkCloudStrategy,
} from 'passport-spark/cloud';
import { type FragmentPage, fragmentPage, OAuth2Client } from 'passport-spark/oauth2';

const cloud = new SparkCloudStrategy({ ...SPARK_CLOUD_2014, passReqToCallback: true }, (req, profile, done) =>
  done(null, req.url ? { id: profile.id } : false),
);
passport.use(cloud);
passport.use(new SparkCloudStrategy({}, (profile, done) => done(null, { id: profile.emails[0]?.value ?? '' })));

// The second step, as docs/cloud.md has it.
declare module 'express-session' {
  interface SessionData {
    challenge?: MfaChallenge;
  }
}
export const codeStep: RequestHandler = (req, res, next) => {
  const { challenge } = req.session;
  delete req.session.challenge;
  const secondStep: CloudAuthenticateOptions = { challenge };
  passport.authenticate('spark-cloud', secondStep)(req, res, next);
};
export const linkStep: RequestHandler = async (req, res) => {
  await cloud.adopt(req, await cloud.signIn({ username: 'maker@example.com', password: 'spark' }));
  await cloud.revokeToken('token', { username: 'maker@example.com', password: 'spark', otp: '123456' });
  res.end();
};

export const client = new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app', scope: ['a'] });
export const page: FragmentPage = fragmentPage({ postPath: '/fragment', scriptPath: '/fragment.js' });
export const proxies = [
  sparkProxy({ strategy: cloud }),
  sparkProxy({
    tokens: client.tokens,
    target: 'https://api.example.com',
    tokenKey: () => 'reports',
    authorize: (req) => req.headers['x-key'] === 'ours',
    allow: [{ methods: ['GET'], path: '/v1/*' }],
  }),
];

export function isAsked(error: unknown): string | undefined {
  if (error instanceof MfaRequiredError) return error.challenge.username;
  return error instanceof CloudError ? error.code : undefined;
}
