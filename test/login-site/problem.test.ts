import { createLoginSite } from '../../example-app/index.js';
import { failure, refusal } from '../../example-app/problem.js';
import { CloudError } from '../../src/cloud/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import {
  AuthorizationError,
  ConfigError,
  SignInRequiredError,
  SparkError,
  TokenError,
  UnavailableError,
  type VerifyFunctionWithParams,
} from '../../src/index.js';
import { serve, strategyAt, type TestServer } from './servers.js';
import { type Visit, Visitor } from './visitor.js';

const FOR_DEVELOPERS = 'mount session() before it';

describe('what a failure says to people', () => {
  it.each<[string, unknown, number, string]>([
    ['a code that came too late', new TokenError(FOR_DEVELOPERS, 'invalid_grant'), 403, 'This sign-in is over'],
    ['a wrong secret', new TokenError(FOR_DEVELOPERS, 'invalid_client'), 502, 'Spark did not finish the sign-in'],
    [
      'a store that is away',
      new UnavailableError(FOR_DEVELOPERS, { code: 'store_unavailable' }),
      503,
      'Not possible right now',
    ],
    ['nobody signed in', new SignInRequiredError(FOR_DEVELOPERS), 401, 'You are not signed in'],
    [
      'no profile',
      new SparkError(FOR_DEVELOPERS, { code: 'profile_failed', status: 502 }),
      502,
      'Spark did not say who you are',
    ],
    [
      'an assertion that could not be verified',
      new SparkError(FOR_DEVELOPERS, { code: 'verification_failed', status: 502 }),
      502,
      'That did not work',
    ],
    [
      'a Host that is none',
      new SparkError(FOR_DEVELOPERS, { code: 'bad_host', status: 400 }),
      400,
      'That did not work',
    ],
    ['a mistake in the set-up', new ConfigError('site', [FOR_DEVELOPERS]), 500, 'That did not work'],
    ['an error of others', new Error(FOR_DEVELOPERS), 500, 'That did not work'],
    [
      'an error of Spark',
      new AuthorizationError(FOR_DEVELOPERS, 'redirect_uri_mismatch'),
      500,
      'Spark could not sign you in',
    ],
  ])('%s', (_what, error, status, title) => {
    const problem = failure(error);

    expect(problem).toMatchObject({ status, title });
    expect(JSON.stringify(problem)).not.toContain(FOR_DEVELOPERS);
  });

  it('the cloud’s own words, which are for people', () => {
    expect(failure(new CloudError('rate_limited'))).toMatchObject({
      status: 429,
      reason: 'The cloud asked to slow down.',
    });
  });

  // The code comes with the address of the callback, where anybody can write.
  it('no code that Spark does not use', () => {
    expect(failure(new AuthorizationError('x', 'call_555_0100')).code).toBe('authorization_failed');
  });

  it('when to try again, where the error knows', () => {
    const error = new UnavailableError('x', { code: 'renewal_backoff', retryAfterMs: 2_500 });

    expect(failure(error).retryAfterS).toBe(3);
  });
});

describe('what a sign-in that failed says', () => {
  it.each(['attempt_unknown', 'callback_mismatch', 'state_mismatch', 'assertion_invalid'])(
    'of %s, that it is over, and to allow cookies',
    (code) => {
      const problem = refusal({ code, message: FOR_DEVELOPERS }, 403);

      expect(problem).toMatchObject({ status: 403, code: 'attempt_unknown', title: 'This sign-in is over' });
      expect(problem.advice).toContain('allow cookies');
      expect(problem.reason).not.toContain(FOR_DEVELOPERS);
    },
  );

  it('of others, that the site lets them not in', () => {
    const problem = refusal({ message: 'Members only.' }, 403);

    expect(problem).toMatchObject({ status: 403, title: 'You can not use this site', reason: 'Members only.' });
    expect(problem.advice).not.toContain('cookies');
  });
});

describe('on a page', () => {
  let spark: SparkEmulatorHandle;
  let server: TestServer;

  const signIn = async (verify: VerifyFunctionWithParams, prepare?: () => void): Promise<Visit> => {
    server = await serve((origin) => {
      const strategy = strategyAt(spark, `${origin}/auth/spark/callback`, {}, verify);
      return createLoginSite({ baseURL: origin, strategy });
    });
    prepare?.();
    return await new Visitor().signIn(`${server.origin}/login`, 'agent');
  };

  beforeEach(async () => {
    spark = await createSparkEmulator().listen(0);
  });
  afterEach(async () => {
    await server.close();
    await spark.close();
  });

  it.each([
    ['its words', { message: 'Members <only>.' }, 'Members &lt;only&gt;.'],
    ['none', undefined, 'does not let you in'],
  ])('a verify function that lets nobody in, with %s', async (_what, info, words) => {
    const page = await signIn((_accessToken, _refreshToken, _params, _profile, done) => done(null, false, info));

    expect(page.status).toBe(403);
    expect(page.text).toContain(words);
    expect(page.text).toContain('Ask the people who run this site');
    expect(page.text).not.toContain('cookies');
  });

  it('a code that Spark takes no more', async () => {
    const page = await signIn(
      (_accessToken, _refreshToken, _params, profile, done) => done(null, profile),
      () => spark.failNextGrant({ kind: 'refuse', error: 'invalid_grant' }),
    );

    expect(page.status).toBe(403);
    expect(page.text).toContain('This sign-in is over');
  });
});
