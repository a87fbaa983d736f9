import type { IncomingMessage } from 'node:http';
import { calledBack } from '../called-back.js';
import type { SparkProfile } from './profile.js';

/** Ends a verify function: `done(error)`, `done(null, false, info)` or `done(null, user)`. */
export type VerifyCallback = (error?: unknown, user?: Express.User | false | null, info?: object) => void;

/** What the grant endpoint answered: `access_token`, `refresh_token`, `expires_in`. Goes into `strategy.adopt`. */
export type GrantParams = Readonly<Record<string, unknown>>;

/**
 * Decides who may sign in, and what Passport's user is: called with what Spark gave. `profile` is undefined with
 * `skipUserProfile`, and with `onProfileFailure: 'continue'` when Spark did not say who it is; the type leaves that out, for
 * everybody else's sake. `refreshToken` is undefined where Spark gave none.
 */
export type VerifyFunction = (
  accessToken: string,
  refreshToken: string | undefined,
  profile: SparkProfile,
  done: VerifyCallback,
) => void;
/** {@link VerifyFunction} with the whole answer of the grant endpoint. */
export type VerifyFunctionWithParams = (
  accessToken: string,
  refreshToken: string | undefined,
  params: GrantParams,
  profile: SparkProfile,
  done: VerifyCallback,
) => void;
/** {@link VerifyFunction} with `passReqToCallback`. */
export type VerifyFunctionWithRequest<Req extends IncomingMessage = IncomingMessage> = (
  req: Req,
  accessToken: string,
  refreshToken: string | undefined,
  profile: SparkProfile,
  done: VerifyCallback,
) => void;
/** {@link VerifyFunctionWithParams} with `passReqToCallback`. */
export type VerifyFunctionWithRequestAndParams<Req extends IncomingMessage = IncomingMessage> = (
  req: Req,
  accessToken: string,
  refreshToken: string | undefined,
  params: GrantParams,
  profile: SparkProfile,
  done: VerifyCallback,
) => void;

type Generic<Fn extends (...args: never[]) => void> = <_T>(...args: Parameters<Fn>) => void;

/**
 * One of two verify functions, told apart by how many parameters it writes. Neither overloads nor a plain union can do
 * that: TypeScript gives a function the parameter types of the first overload, whatever their number, and none at all
 * where the members of a union differ. But it leaves out members with too few parameters, and those whose signatures
 * differ in type parameters. So a short function finds only the first member, and a long one only the second, which
 * it doesn't fit; what it fits is the third.
 */
export type ByArity<Short extends (...args: never[]) => void, Long extends (...args: never[]) => void> =
  | Short
  | (Long & Generic<Short>)
  | (Long & Generic<Long>);

/** What a verify function decided. `user` undefined: not let in. */
export interface Verified {
  readonly user: object | undefined;
  readonly info: object | undefined;
}

/**
 * Calls a verify function by its arity, as passport-oauth2 does. Arity 0 is a function that hides its parameters
 * (rest arguments, a mock, NestJS): it gets the default, without `params`.
 */
export async function callVerify(
  verify: (...args: unknown[]) => unknown,
  given: {
    readonly req: IncomingMessage | undefined;
    readonly accessToken: string;
    readonly refreshToken: string | undefined;
    readonly params: GrantParams;
    readonly profile: SparkProfile | undefined;
  },
): Promise<Verified> {
  const request = given.req ? [given.req] : [];
  const params = verify.length - request.length === 5 ? [given.params] : [];
  return await verified((done) =>
    verify(...request, given.accessToken, given.refreshToken, ...params, given.profile, done),
  );
}

/** Awaits what a verify function decides. */
export async function verified(verify: (done: VerifyCallback) => unknown): Promise<Verified> {
  const [user, info] = (await calledBack(verify)) as [user?: object | false | null, info?: object];
  return { user: user || undefined, info };
}
