import type { ErrorRequestHandler } from 'express';
import { ConfigError, SparkStrategy, type SparkStrategyOptions } from '../../src/index.js';
import { startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

const GOOD = {
  clientID: 'id',
  clientSecret: 'the secret itself',
  callbackURL: 'https://app.example.com/auth/spark/callback',
};
const verify = (
  _a: string,
  _r: string | undefined,
  _p: object,
  profile: object,
  done: (e: null, u: object) => void,
): void => done(null, profile);

function problemsOf(options: object, verifyFunction: unknown = verify): readonly string[] {
  try {
    new SparkStrategy(options as SparkStrategyOptions & { passReqToCallback?: false }, verifyFunction as typeof verify);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

it('takes the least: client and callback', () => {
  expect(problemsOf(GOOD)).toEqual([]);
});

it('tells what a call signs in with that says nothing else', () => {
  expect(new SparkStrategy(GOOD, verify)).toMatchObject({ role: 'private', flow: 'oauth2', portal: undefined });
  const vow = { role: 'vow', portal: 'myportal' } as const;
  expect(new SparkStrategy({ ...GOOD, ...vow }, verify)).toMatchObject({ ...vow, flow: 'oauth2' });
});

it('lists every problem and its remedy in one error', () => {
  const problems = problemsOf(
    {
      clientSecret: 42,
      callbackURL: 'http://app.example.com/callback',
      role: 'vow',
      flow: 'hybrid',
      apiURL: 'not a url',
      platformURL: 'ftp://sparkplatform.example.com',
      state: false,
      pkce: 'plain',
      clientId: 'id',
      tokenStore: {},
      cookieSecret: 'short',
    },
    null,
  );

  expect(problems).toEqual([
    '"clientId" is not an option; did you mean "clientID"?',
    'the verify function is missing; write (accessToken, refreshToken, params, profile, done) => done(null, profile).',
    `"apiURL" is 'not a url'; write the API's origin, like 'https://sparkapi.com'.`,
    '"clientID" is missing; write the client id of your API key.',
    '"clientSecret" is of type number; write the secret of your API key.',
    '"callbackURL" uses http: on the public host app.example.com; write https: (http: is for loopback hosts).',
    `flow 'hybrid' does not serve role 'vow'; write flow: 'oauth2'.`,
    '"tokenStore" has no create(); write new RedisTokenStore(redis), or an object with the TokenStore contract.',
    `"platformURL" is 'ftp://sparkplatform.example.com'; write the origin where people sign in, like 'https://sparkplatform.com'.`,
    '"state" can not be switched off: it keeps others from signing people in; leave it out.',
    `"pkce" is 'plain'; write true (S256): the plain method proves nothing.`,
    '"cookieSecret" is shorter than 32 characters; write a longer one, or leave it out.',
  ]);
});

it.each([
  [undefined, 'missing'],
  [null, 'null'],
  ['id', 'of type string'],
])('says so when the options are %p', (options, found) => {
  expect(problemsOf(options as never)).toEqual([
    `the options are ${found}; write new SparkStrategy({ clientID, … }, verify).`,
  ]);
});

// A flag from the environment is a text, and 'false' would switch it on: `proxy` would believe anybody's X-Forwarded-Host.
it.each(['proxy', 'passReqToCallback', 'skipUserProfile', 'verifyAssertion'])(
  'takes no text for the flag %s',
  (flag) => {
    expect(problemsOf({ ...GOOD, [flag]: 'false' })).toEqual([
      `"${flag}" is 'false'; write true or false (default false).`,
    ]);
    expect(problemsOf({ ...GOOD, [flag]: false })).toEqual([]);
  },
);

// What fetch refuses would look like a connection that broke, after which the outcome of a renewal is not known.
it.each([
  [
    { customHeaders: { 'X-Key': 'a\nb' } },
    '"customHeaders" has a X-Key with characters that a header can not hold; write plain ASCII.',
  ],
  [
    { customHeaders: { 'X-Key': 'sécret' } },
    '"customHeaders" has a X-Key with characters that a header can not hold; write plain ASCII.',
  ],
  [{ customHeaders: { 'X-Key': undefined } }, '"customHeaders" has a X-Key that is missing; write a text.'],
  [{ customHeaders: { 'X Key': 'a' } }, `"customHeaders" has 'X Key', which is no header's name; leave it out.`],
  [{ customHeaders: 'X-Key: a' }, `"customHeaders" is of type string; write an object: { 'X-Name': 'text' }.`],
  [{ customHeaders: null }, `"customHeaders" is null; write an object: { 'X-Name': 'text' }.`],
  [{ userAgent: 'Büro/1.0' }, '"userAgent" holds characters that a header can not; write plain ASCII.'],
  [{ grantTimeoutMs: 1.5 }, '"grantTimeoutMs" is 1.5; write a whole number from 1 to 2147483647 (default 60000).'],
  [
    { grantTimeoutMs: 2 ** 31 },
    '"grantTimeoutMs" is 2147483648; write a whole number from 1 to 2147483647 (default 60000).',
  ],
  [{ scope: 5 }, `"scope" is neither a text nor a list of texts; write ['listings', 'contacts'].`],
  [{ scopeSeparator: 5 }, `"scopeSeparator" is 5; write one of ' ', ','.`],
  [{ callbackPath: 5 }, `"callbackPath" is no path; write it from the root, like '/auth/spark/callback'.`],
  [
    { apiURL: 'https://sparkapi.com/v1' },
    `"apiURL" has a path or query; write the origin alone: 'https://sparkapi.com'.`,
  ],
  [{ role: 'vow', portal: 5 }, `"portal" is of type number; write the portal's name, like 'myportal'.`],
])('says what to write instead of %p', (options, problem) => {
  expect(problemsOf({ ...GOOD, ...options })).toEqual([problem]);
});

it('needs a portal for VOW, and takes a name, a function, or false for the multi-agent endpoint', () => {
  expect(problemsOf({ ...GOOD, role: 'vow' })[0]).toContain("write portal: 'myportal'");
  expect(problemsOf({ ...GOOD, role: 'vow', portal: 'MyPortal' })).toEqual([]);
  expect(problemsOf({ ...GOOD, role: 'vow', portal: () => 'myportal' })).toEqual([]);
  expect(problemsOf({ ...GOOD, role: 'vow', portal: false })).toEqual([]);
  expect(problemsOf({ ...GOOD, portal: 'myportal' })[0]).toContain("goes with role 'vow'");
});

// A portal's name comes from a tenant's settings, or from a request: it must not choose another host or path.
it.each(['../oauth2', 'a/b', '..', '.', '', 'a?b', 'a#b', 'a%2fb', 'a\\b', 'a\nb', '\ud800', 'x'.repeat(200)])(
  'refuses the portal name %j',
  (portal) => {
    expect(problemsOf({ ...GOOD, role: 'vow', portal })[0]).toContain("write the portal's name alone");
  },
);

it.each([
  ['http://localhost:3000/cb', []],
  ['http://127.0.0.1:3000/cb', []],
  ['http://[::1]:3000/cb', []],
  ['/auth/spark/callback', []],
  ['http://localhost.example.com/cb', [expect.stringContaining('uses http: on the public host')]],
  ['//app.example.com/cb', [expect.stringContaining('write an absolute URL')]],
  ['https://user:pw@app.example.com/cb', [expect.stringContaining('carries a user name or password')]],
  ['https://app.example.com/cb#x', [expect.stringContaining('has a fragment')]],
  ['javascript:alert(1)', [expect.stringContaining('write an absolute URL')]],
])('judges the callbackURL %s', (callbackURL, problems) => {
  expect(problemsOf({ ...GOOD, callbackURL })).toEqual(problems);
});

it('never repeats a secret in its errors', () => {
  const secret = 'very-secret-value';
  const text = problemsOf({ ...GOOD, clientSecret: [secret], cookieSecret: secret, clientID: '' }).join('\n');
  expect(text).not.toContain(secret);
});

describe('the verify function', () => {
  const arity = (length: number) => Object.defineProperty(() => undefined, 'length', { value: length });

  // Called with four or five arguments, it would take one for another, and never call done.
  it.each([
    [false, [0, 4, 5], [1, 2, 3, 6]],
    [true, [0, 5, 6], [1, 4, 7]],
  ])('has as many parameters as it is called with: passReqToCallback %p', (passReqToCallback, fit, unfit) => {
    const options = { ...GOOD, passReqToCallback };

    expect(fit.map((length) => problemsOf(options, arity(length)))).toEqual(fit.map(() => []));
    expect(unfit.map((length) => problemsOf(options, arity(length)))).toEqual(
      unfit.map((length) => [
        expect.stringMatching(`the verify function has ${length} parameters?; write \\(.*done\\)`),
      ]),
    );
  });
});

// express-session and Passport keep what is theirs there: a link in its place would sign everybody out, or lose the cookie.
it.each(['cookie', 'passport', 'save', 'id'])('takes no session key that is taken: %s', (sessionKey) => {
  expect(problemsOf({ ...GOOD, sessionKey })).toEqual([
    `"sessionKey" is '${sessionKey}', where express-session or Passport keep something of their own; write another, like 'spark'.`,
  ]);
});

it.each(['clientID', 'clientSecret'])('takes no %s with the white space of the file that it was read from', (name) => {
  expect(problemsOf({ ...GOOD, [name]: 'secret-from-a-file\n' })).toEqual([
    `"${name}" begins or ends with white space, like the line end of a file; write it without: .trim().`,
  ]);
});

describe('the options of one call', () => {
  // Passport takes any option, and a misspelt one would be ignored: a wall that is none, agents where consumers sign in.
  it.each([
    [{ wall: 'true' }, "\"wall\" is 'true'; write true, false or 'fail'."],
    [{ wall: 1 }, '"wall" is 1; write true, false or \'fail\'.'],
    [{ Role: 'vow' }, '"Role" is not an option; did you mean "role"?'],
    [{ callbackUrl: '/callback' }, '"callbackUrl" is not an option; did you mean "callbackURL"?'],
  ])('are refused where they would be ignored: %j', async (options, problem) => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark', options as object));
        app.use(((error, _req, res, _next) => {
          res.status(error.status).json({ problems: error.problems });
        }) as ErrorRequestHandler);
      },
    });

    const { status, body } = await new Visitor(url).page('/');

    expect([status, body.problems]).toEqual([500, [problem]]);
  });
});
