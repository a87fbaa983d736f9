import { readConfig, type ServerConfig } from '../../example-app/config.js';
import { ConfigError } from '../../src/index.js';

const KEY = { SPARK_CLIENT_ID: 'an-id', SPARK_CLIENT_SECRET: 'a-secret' };
const PUBLIC = { ...KEY, BASE_URL: 'https://app.example.com/members' };

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

it.each<[string, Readonly<Record<string, string>>, Partial<ServerConfig>]>([
  ['nothing', {}, { host: '127.0.0.1', port: 3000, baseURL: undefined, spark: undefined, ignored: [] }],
  ['a local address without a key', { BASE_URL: 'https://app.localhost' }, { spark: undefined }],
  [
    'a key with all that belongs to it',
    { ...PUBLIC, SPARK_CALLBACK_URL: 'https://app.example.com/members/back', SPARK_USER_AGENT: 'MyApp/1.0' },
    { ignored: [] },
  ],
  [
    'a callback on a port that is not known yet',
    { ...KEY, PORT: '0', SPARK_CALLBACK_URL: 'http://localhost:4000/back' },
    { ignored: [] },
  ],
  [
    'what goes with a key and stands without one',
    { SPARK_PORTAL: 'ours', SPARK_USER_AGENT: 'MyApp/1.0', SPARK_CALLBACK_URL: '' },
    { spark: undefined, ignored: ['SPARK_USER_AGENT', 'SPARK_PORTAL'] },
  ],
])('reads %s', (_what, env, expected) => {
  expect(readConfig(env)).toMatchObject(expected);
});

it.each<[string, Readonly<Record<string, string>>, string]>([
  [
    'a public address without a key, where nobody could sign in',
    { BASE_URL: 'https://app.example.com' },
    '"BASE_URL" is on app.example.com, but without a key',
  ],
  ['a query in the address', { BASE_URL: 'http://localhost:3000/?a=1' }, '"BASE_URL" has a query'],
  ['a callback that is a path', { ...PUBLIC, SPARK_CALLBACK_URL: '/back' }, '"SPARK_CALLBACK_URL" is \'/back\''],
  [
    'a callback on another origin',
    { ...PUBLIC, SPARK_CALLBACK_URL: 'https://www.example.com/members/back' },
    '"SPARK_CALLBACK_URL" is https://www.example.com/members/back, which does not lie below https://app.example.com/members/',
  ],
  [
    'a callback beside the site',
    { ...PUBLIC, SPARK_CALLBACK_URL: 'https://app.example.com/membership' },
    'does not lie below https://app.example.com/members/',
  ],
  [
    'a callback elsewhere than the default address',
    { ...KEY, SPARK_CALLBACK_URL: 'https://app.example.com/back' },
    'does not lie below http://localhost:3000/; write BASE_URL',
  ],
  [
    'a user agent that is no header',
    { ...PUBLIC, SPARK_USER_AGENT: 'Café/1.0' },
    '"SPARK_USER_AGENT" holds characters',
  ],
  [
    'a secret with the end of its line',
    { ...PUBLIC, SPARK_CLIENT_SECRET: 'a-secret\n' },
    '"SPARK_CLIENT_SECRET" begins or ends',
  ],
])('refuses %s, by the name of the variable', (_what, env, problem) => {
  expect(problemsOf(env)).toEqual([expect.stringContaining(problem)]);
});
