import { ConfigError, MemoryTokenStore, type SparkProxyOptions, sparkProxy, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';

const tokens = new TokenService({
  store: new MemoryTokenStore(),
  clientID: 'test-client',
  upstream: SPARK_UPSTREAM,
  renew: async () => ({ accessToken: 'x' }),
});
const strategy = {
  tokens,
  sessionKey: 'spark',
  apiURL: 'https://sparkapi.com',
  userAgent: 'TestApp/1.0',
  origin: 'https://app.example.com',
};

function problems(options: unknown): string {
  try {
    sparkProxy(options as SparkProxyOptions);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
}

const otherTokens = new TokenService({
  store: new MemoryTokenStore(),
  clientID: 'other-client',
  upstream: SPARK_UPSTREAM,
  renew: async () => ({ accessToken: 'x' }),
});
const tokenKey = (): string => 'office';
const named = { strategy, tokenKey, allow: [] };

describe('the options of the proxy', () => {
  it.each([
    [{ strategy }],
    [{ strategy, target: 'https://api.sparkapi.com' }],
    [{ strategy, tokens }],
    [{ strategy, target: 'http://127.0.0.1:4000' }],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1/*' }] }],
    [{ strategy, allow: [{ methods: ['GET', 'POST'], path: '/v1/listings', override: true }] }],
    [{ strategy, timeouts: { headersMs: 0 }, replayLimit: 0, connections: 1 }],
    [{ ...named, public: true }],
    [{ ...named, authorize: (): boolean => true }],
    [{ tokens, target: 'https://sparkapi.com', tokenKey, public: true, allow: (): boolean => true }],
  ])('are fine: #%#', (options) => {
    expect(problems(options)).toBe('');
  });

  it.each([
    [{}, /nobody to call for/],
    [{ strategy: {} }, /nobody to call for/],
    [{ strategy, headers: {} }, /"headers" is not an option/],
    [{ strategy, replaylimit: 1 }, /did you mean "replayLimit"/],
    [{ strategy, target: 'http://sparkapi.com' }, /"target" uses http:/],
    [{ strategy, target: 'https://sparkapi.com/v1' }, /"target" has a path/],
    [{ strategy, target: 'https://a:b@sparkapi.com' }, /user name or password/],
    [{ strategy, target: 'sparkapi.com' }, /"target" is 'sparkapi.com'/],
    [{ tokens }, /"tokens" needs "tokenKey"/],
    [{ tokens, tokenKey, public: true, allow: [] }, /"target" is missing/],
    [{ ...named }, /"tokenKey" needs "authorize"/],
    [{ ...named, public: false }, /"tokenKey" needs "authorize"/],
    [{ ...named, public: 'true' }, /"public" is 'true'; write true or false/],
    [{ ...named, public: true, allow: undefined }, /"tokenKey" needs "allow"/],
    [strategy, /^this is the strategy itself; write sparkProxy\(\{ strategy \}\)\.$/],
    [{ strategy, tokens: otherTokens }, /"strategy" and "tokens" are two answers .* leave one of them out/],
    [{ ...named, authorize: (): boolean => true, public: true }, /"authorize" and "public" .* leave one of them out/],
    [{ strategy, public: true }, /"public" goes with "tokenKey"/],
    [
      { strategy, authorize: (): boolean => true },
      /"authorize" goes with "tokenKey", or with "session" \(the express lane\)/,
    ],
    [
      { strategy, allow: [{ methods: ['GET'], path: '/v1/listings/:id/photos' }] },
      /"allow\[0\]\.path" has a parameter, ':id', .* write '\/v1\/listings\/\*'/,
    ],
    [{ strategy, requireHeader: 'Accept' }, /"requireHeader" is 'Accept', which a browser sends to other sites/],
    [{ strategy, requireHeader: 'content-type' }, /"requireHeader" is 'content-type'/],
    [{ strategy, tokenKey: 'office' }, /"tokenKey" is 'office'/],
    [{ ...named, authorize: true }, /"authorize" is true/],
    [{ strategy, onError: 'log' }, /"onError" is 'log'/],
    [{ strategy, allow: 'GET /v1/listings' }, /"allow" is neither/],
    [{ strategy, allow: ['GET /v1/listings'] }, /"allow\[0\]" is of type string; write \{ methods: \['GET'\], path:/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1' }, null] }, /"allow\[1\]" is null/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1', override: true }] }, /"allow\[0\]\.override" .*\['POST'\]/],
    [{ strategy, allow: [{ methods: ['get'], path: '/v1' }] }, /"allow\[0\]\.methods"/],
    [{ strategy, allow: [{ methods: [], path: '/v1' }] }, /"allow\[0\]\.methods"/],
    [{ strategy, allow: [{ methods: ['GET'], path: 'v1' }] }, /"allow\[0\]\.path"/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1/*/photos' }] }, /"allow\[0\]\.path"/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1/listings*' }] }, /"allow\[0\]\.path"/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1/listings?x=1' }] }, /"allow\[0\]\.path" .* without a query/],
    [{ strategy, allow: [{ methods: ['GET'], path: '/v1//x' }] }, /"allow\[0\]\.path"/],
    [{ strategy, allow: [{ methods: ['POST'], path: '/v1', override: 'true' }] }, /"allow\[0\]\.override" is 'true'/],
    [{ strategy, allow: [{ methods: ['POST'], path: '/v1', overide: true }] }, /"allow\[0\]\.overide" is no part/],
    [{ strategy, origins: 'https://app.example.com' }, /"origins" is not a list/],
    [{ strategy, origins: ['null'] }, /"origins" is 'null'/],
    [{ strategy, origins: ['https://app.example.com/page'] }, /"origins" has a path/],
    [{ strategy, requireHeader: 5 }, /"requireHeader"/],
    [{ strategy, requireHeader: 'X Requested' }, /"requireHeader"/],
    [{ strategy, userAgent: 'App\r\nX: y' }, /"userAgent"/],
    [{ strategy, userAgent: '' }, /"userAgent" is blank/],
    [{ strategy, impersonation: 'false' }, /"impersonation" is 'false'; write true or false/],
    [{ strategy, encodedSlashInKey: 1 }, /"encodedSlashInKey" is 1; write true or false/],
    [{ strategy, replayLimit: -1 }, /"replayLimit" is -1/],
    [{ strategy, replayLimit: '1' }, /"replayLimit" is '1'/],
    [{ strategy, connections: 0 }, /"connections" is 0/],
    [{ strategy, connections: Number.NaN }, /"connections"/],
    [{ strategy, timeouts: { headersMs: 0.5 } }, /"timeouts\.headersMs" is 0\.5; write a whole number/],
    [{ strategy, timeouts: { headerMs: 1 } }, /"headerMs" is not an option/],
    [{ strategy, timeouts: 5 }, /"timeouts" is no object; write \{ headersMs: 60_000 \}/],
    [{ strategy, timeouts: null }, /"timeouts" is no object/],
    [{ strategy, timeouts: { idleMs: 2 ** 31 } }, /"timeouts\.idleMs" is 2147483648; write a whole number from 0/],
    [{ strategy, userAgent: 'Büro/1.0' }, /"userAgent" holds characters/],
    [
      { ...named, strategy: undefined, public: true, tokens: { tokens } },
      /^"tokens" is no token service; write client\.tokens\.\n/,
    ],
    [{ strategy: { ...strategy, tokens: {} } }, /"strategy" has no token service; write the SparkStrategy itself/],
    [
      { ...named, strategy: undefined, public: true, tokens },
      /^"target" is missing; write the API's origin, like 'https:\/\/api/,
    ],
    [null, /the options are null; write sparkProxy\(\{ strategy \}\)/],
    ['strategy', /the options are of type string/],
  ])('have a remedy for each problem: #%#', (options, problem) => {
    expect(problems(options)).toMatch(problem);
  });

  it('are refused with all their problems at once', () => {
    const found = problems({ strategy, replayLimit: -1, origins: ['x'], allow: 5, public: 'yes', what: 1 });

    expect(found).toMatch(/"what"[\s\S]+"public"[\s\S]+"allow"[\s\S]+"origins"[\s\S]+"replayLimit"/);
    expect(() => sparkProxy({ strategy, replayLimit: -1 })).toThrow(ConfigError);
  });

  it('may be left out altogether only in error', () => {
    expect(problems(undefined)).toMatch(/nobody to call for/);
  });
});
