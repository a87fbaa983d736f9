import { MemoryStore } from 'express-session';
import { createLoginSite, type LoginSiteOptions } from '../../example-app/index.js';
import { ConfigError, SparkStrategy } from '../../src/index.js';

const emulator = { url: 'http://127.0.0.1:4700', expireAccessToken: () => true };
const baseURL = 'https://app.example.com/members';

function strategy(callbackURL: string): SparkStrategy {
  return new SparkStrategy({ clientID: 'id', clientSecret: 'secret', callbackURL }, (_a, _r, _p, profile, done) =>
    done(null, profile),
  );
}

function problemsOf(options: unknown): readonly string[] {
  try {
    createLoginSite(options as LoginSiteOptions); // wrong on purpose
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

it('accepts what the documentation shows', () => {
  expect(problemsOf({ strategy: strategy(`${baseURL}/callback`), baseURL })).toEqual([]);
  expect(
    problemsOf({ emulator, baseURL: 'http://localhost:3000', session: { secret: 'x' }, storage: 'Redis' }),
  ).toEqual([]);
  expect(problemsOf({ strategy: strategy('/members/callback'), baseURL, session: false })).toEqual([]);
});

it.each<[string, unknown, string]>([
  ['nothing', undefined, 'the options are missing'],
  ['no base URL', { emulator }, '"baseURL" is missing'],
  ['no strategy and nothing to make one from', { baseURL }, '"strategy" is missing'],
  ['http: on a public host', { emulator, baseURL: 'http://app.example.com' }, 'http: on the public host'],
  ['a base URL with a query', { emulator, baseURL: 'https://app.example.com/?a=1' }, '"baseURL" has a query'],
  ['a name in another spelling', { emulator, baseURL, baseUrl: baseURL }, 'did you mean "baseURL"?'],
  ['something else for a strategy', { strategy: {}, baseURL }, '"strategy" is no SparkStrategy'],
  ['something else for a Passport', { emulator, baseURL, passport: {} }, '"passport" is no Passport'],
  ['something else for an emulator', { emulator: { url: 'x' }, baseURL }, '"emulator" is no running emulator'],
  ['something else for session options', { emulator, baseURL, session: 'x' }, '"session" is no options object'],
  [
    'cookie options by a function',
    { emulator, baseURL, session: { cookie: () => ({}) } },
    '"session.cookie" is a function',
  ],
  [
    'a store whose sessions no other process could read',
    { emulator, baseURL, session: { store: new MemoryStore() } },
    '"session" has a store and no secret; write a long random text',
  ],
  ['a blank storage', { emulator, baseURL, storage: ' ' }, '"storage" is blank'],
  [
    'a callback on another origin, which the cookies would not reach',
    { strategy: strategy('http://127.0.0.1:3000/callback'), baseURL: 'http://localhost:3000' },
    'localhost and 127.0.0.1 are two',
  ],
  [
    'a callback outside of the site, which would not answer it',
    { strategy: strategy('https://app.example.com/auth/callback'), baseURL },
    '"callbackURL" is /auth/callback, which does not lie below /members',
  ],
])('refuses %s', (_what, options, problem) => {
  expect(problemsOf(options)).toEqual([expect.stringContaining(problem)]);
});

it('lists every problem at once', () => {
  expect(problemsOf({ baseURL: 'x', passport: {}, storage: '' }).length).toBeGreaterThanOrEqual(3);
});
