import { Api } from '../api.js';
import { send, write } from '../wire.js';
import { type Attack, outcome, sends, stopped } from './attack.js';

/** Does this path arrive at the API, and as which? */
function path(path: string): Attack['run'] {
  return sends({ path }, ({ target }) => (target === path ? 'passes' : `passes, as \`${target}\``));
}

const ALL_PASS: Attack['outcomes'] = ['passes', 'passes', 'passes', 'stopped, 400'];
const FASTIFY_STOPS: Attack['outcomes'] = ['passes', 'stopped, 400', 'passes', 'stopped, 400'];
const REFUSED: Attack['test'] = ['proxy/request-target', 'never goes up: %j'];

/** A path that means another one to the API than to the application that let it pass; and paths with credentials. */
export const TARGETS: readonly Attack[] = [
  { name: '`/v1/../oauth2`', run: path('/v1/../oauth2'), outcomes: FASTIFY_STOPS, test: REFUSED },
  { name: '`/v1/%2e%2e/oauth2`', run: path('/v1/%2e%2e/oauth2'), outcomes: FASTIFY_STOPS, test: REFUSED },
  { name: '`/v1/%2E./oauth2`', run: path('/v1/%2E./oauth2'), outcomes: FASTIFY_STOPS, test: REFUSED },
  { name: '`/v1/..%2foauth2`', run: path('/v1/..%2foauth2'), outcomes: FASTIFY_STOPS, test: REFUSED },
  { name: '`/v1/..;x/oauth2`', run: path('/v1/..;x/oauth2'), outcomes: FASTIFY_STOPS, test: REFUSED },
  {
    name: '`/v1/%252e%252e/oauth2`, to servers that decode twice',
    run: path('/v1/%252e%252e/oauth2'),
    outcomes: ALL_PASS,
    test: REFUSED,
  },
  {
    name: '`/v1/%c0%ae%c0%ae/oauth2`, overlong UTF-8',
    run: path('/v1/%c0%ae%c0%ae/oauth2'),
    outcomes: FASTIFY_STOPS,
    test: REFUSED,
  },
  {
    name: '`//evil.example/x`',
    run: path('//evil.example/x'),
    outcomes: ['passes, as `/evil.example/x`', 'stopped, 400', 'passes', 'stopped, 400'],
    test: REFUSED,
  },
  {
    name: '`/v1\\..\\oauth2`',
    run: path('/v1\\..\\oauth2'),
    outcomes: ['passes, as `/v1/../oauth2`', 'stopped, 400', 'passes, as `/v1/../oauth2`', 'stopped, 400'],
    test: REFUSED,
  },
  { name: '`/v1%5coauth2`', run: path('/v1%5coauth2'), outcomes: ALL_PASS, test: REFUSED },
  { name: '`/v1%2foauth2`', run: path('/v1%2foauth2'), outcomes: ALL_PASS, test: REFUSED },
  { name: '`/v1/x%00`, an encoded NUL', run: path('/v1/x%00'), outcomes: ALL_PASS, test: REFUSED },
  {
    name: '`/v1/x%0d%0aX-Evil:%201`, an encoded line end',
    run: path('/v1/x%0d%0aX-Evil:%201'),
    outcomes: ALL_PASS,
    test: ['proxy/request-target', 'never makes a header of what is encoded in it: %s'],
  },
  {
    name: '`/v1/x#/../oauth2`',
    run: path('/v1/x#/../oauth2'),
    outcomes: ['passes, as `/v1/x`', 'stopped, 400', 'passes, as `/v1/x`', 'stopped, 400'],
    test: REFUSED,
  },
  {
    name: '`GET http://evil.example/spark/v1/listings`, absolute-form',
    run: async (site) => {
      site.api.reset();
      const evil = await Api.start();
      const reply = await send(site, write({}).replace(' /', ` ${evil.url}/`));
      const called = evil.received !== '';
      await evil.close();
      if (called) return 'passes';
      return site.api.seen.length > 0 ? 'stopped, goes to the API' : stopped(reply);
    },
    outcomes: ['stopped, goes to the API', 'stopped, 400', 'stopped, goes to the API', 'stopped, 400'],
    test: ['proxy/request-target', 'never names another server'],
  },
  {
    name: '`?access_token=…`, credentials past the session',
    run: path('/v1/listings?access_token=mine'),
    outcomes: ALL_PASS,
    test: ['proxy/paths', 'refuses credentials in the query: ?%s'],
  },
  {
    name: '`?ApiUser=…`, to act for somebody else',
    run: path('/v1/listings?ApiUser=7'),
    outcomes: ALL_PASS,
    test: ['proxy/paths', 'refuses to act for somebody else: ?%s'],
  },
  {
    name: '… in a form that stands for the query: POST with `X-HTTP-Method-Override: GET`',
    run: sends(
      {
        method: 'POST',
        headers: ['X-HTTP-Method-Override: GET', 'Content-Type: application/x-www-form-urlencoded'],
        body: 'ApiUser=7',
      },
      ({ body }) => outcome(body.includes('ApiUser')),
    ),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 400'],
    test: ['proxy/methods', 'is refused with a form that says what no query may say: %s'],
  },
  {
    name: '`/v1/oauth2/grant`, which deals in tokens',
    run: path('/v1/oauth2/grant'),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 403'],
    test: ['proxy/paths', 'keeps %s, which deals in tokens, out of reach'],
  },
  {
    name: '`/v1/session`, which does too',
    run: path('/v1/session'),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 403'],
    test: ['proxy/paths', 'keeps %s, which deals in tokens, out of reach'],
  },
  {
    name: '… as `/v1/%2573ession`, to servers that decode twice',
    run: path('/v1/%2573ession'),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 403'],
    test: ['proxy/paths', 'keeps %s, which deals in tokens, out of reach'],
  },
  {
    name: '… as `/v1/;/session`, to servers that know path parameters',
    run: path('/v1/;/session'),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 400'],
    test: REFUSED,
  },
];
