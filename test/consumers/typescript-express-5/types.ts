// Compiled, never run: what the declarations infer and what they refuse.
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import { Redis } from 'ioredis';
import passport, { type AuthenticateOptions } from 'passport';
import {
  type GrantParams,
  MemoryTokenStore,
  RedisTokenStore,
  type SparkAuthenticateOptions,
  type SparkProfile,
  SparkStrategy,
  type SparkStrategyOptions,
  Strategy,
  type TokenStore,
  type VerifyCallback,
} from 'passport-spark';

/** Are A and B the very same type? (`any` equals nothing but `any`.) */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `inferred(value).as<T>()` compiles only when the value's type is exactly T. */
function inferred<A>(_value: A): {
  as<B>(...proof: Same<A, B> extends true ? [] : ['another type was inferred']): void;
} {
  return { as: () => undefined };
}

const options = {
  clientID: 'id',
  clientSecret: 'secret',
  callbackURL: 'https://app.example.com/auth/spark/callback',
  userAgent: 'Consumer/1.0',
} satisfies SparkStrategyOptions;

export const four = new SparkStrategy(options, (accessToken, refreshToken, profile, done) => {
  inferred(accessToken).as<string>();
  inferred(refreshToken).as<string | undefined>();
  inferred(profile).as<SparkProfile>();
  inferred(done).as<VerifyCallback>();
  done(null, { id: profile.id });
});

export const five = new SparkStrategy(options, (accessToken, refreshToken, params, profile, done) => {
  inferred(accessToken).as<string>();
  inferred(refreshToken).as<string | undefined>();
  inferred(params).as<GrantParams>();
  inferred(profile).as<SparkProfile>();
  inferred(done).as<VerifyCallback>();
  done(null, false, { message: 'not you' });
});

export const fourWithRequest = new SparkStrategy(
  { ...options, passReqToCallback: true },
  (req, accessToken, refreshToken, profile, done) => {
    inferred(req).as<IncomingMessage>();
    inferred(accessToken).as<string>();
    inferred(refreshToken).as<string | undefined>();
    inferred(profile).as<SparkProfile>();
    done(new Error('no'));
  },
);

export const fiveWithRequest = new Strategy(
  { ...options, passReqToCallback: true },
  (req, accessToken, refreshToken, params, profile, done) => {
    inferred(req).as<IncomingMessage>();
    inferred(accessToken).as<string>();
    inferred(refreshToken).as<string | undefined>();
    inferred(params).as<GrantParams>();
    inferred(profile).as<SparkProfile>();
    inferred(done).as<VerifyCallback>();
    done();
  },
);

// People write the request as what it is in their application.
export const expressRequest = new SparkStrategy(
  { ...options, passReqToCallback: true },
  (req: Request, accessToken, _refreshToken, params, profile, done) => {
    inferred(accessToken).as<string>();
    inferred(params).as<GrantParams>();
    done(null, { id: `${profile.id} ${req.session.id}` });
  },
);

// @ts-expect-error without passReqToCallback there is no request to pass
new SparkStrategy(options, (_req, _accessToken, _refreshToken, _params, _profile, done: VerifyCallback) => done());
// @ts-expect-error a name that does not exist (it is clientID)
new SparkStrategy({ ...options, clientId: 'id' }, (_accessToken, _refreshToken, _profile, done) => done());
// @ts-expect-error a role that does not exist
new SparkStrategy({ ...options, role: 'admin' }, (_accessToken, _refreshToken, _profile, done) => done());

// A client of ioredis is one of ours, though our declarations don't know ioredis.
export const stores: TokenStore[] = [new MemoryTokenStore(), new RedisTokenStore(new Redis({ lazyConnect: true }))];

// Options of one call go through passport.authenticate.
const vow: AuthenticateOptions & SparkAuthenticateOptions = { role: 'vow', portal: 'myportal', wall: true };
passport.authenticate('spark', vow);
passport.authenticate('spark', { failureRedirect: '/sorry' });

export async function account(req: IncomingMessage): Promise<void> {
  inferred(await four.accessToken(req)).as<string>();
  const status = await four.status(req);
  inferred(status?.renewable).as<boolean | undefined>();
  await four.signOut(req, { revoke: true });
  await four.adopt(req, { access_token: 'a' }, { role: 'vow', portal: 'myportal' });
  await four.adopt('office', { accessToken: 'a', refreshToken: 'r', lifetimeMs: 86_400_000 }, { replace: true });
  // @ts-expect-error a name with a token answer as it came
  await four.adopt('office', { access_token: 'a' });
}
