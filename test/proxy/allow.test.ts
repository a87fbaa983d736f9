import type { AllowRule, SparkProxyOptions } from '../../src/index.js';
import { call, startProxy, startUpstream } from './support.js';

const FORM = { 'X-HTTP-Method-Override': 'GET', 'Content-Type': 'application/x-www-form-urlencoded' };

async function statusOf(allow: SparkProxyOptions['allow'] & object, method: string, path: string, headers = {}) {
  const upstream = await startUpstream();
  const { url } = await startProxy({ target: upstream.url, proxy: { allow } });
  const { status } = await call(`${url}/spark${path}`, { method, headers });
  expect(upstream.seen).toHaveLength(status === 200 ? 1 : 0);
  return status;
}

describe('the allow-list', () => {
  const rules: readonly AllowRule[] = [
    { methods: ['GET'], path: '/v1/listings' },
    { methods: ['GET', 'POST'], path: '/v1/contacts/*' },
    { methods: ['POST'], path: '/v1/search', override: true },
  ];

  it.each([
    ['GET', '/v1/listings', 200],
    ['GET', '/v1/listings?_limit=1', 200],
    ['HEAD', '/v1/listings', 403],
    ['POST', '/v1/listings', 403],
    ['GET', '/v1/listings/1', 403],
    ['GET', '/v1/listingsx', 403],
    ['GET', '/V1/Listings', 403],
    ['GET', '/v1/l%69stings', 403],
    ['GET', '/v1/contacts', 403],
    ['GET', '/v1/contacts/1/notes', 200],
    ['POST', '/v1/contacts/1', 200],
    ['DELETE', '/v1/contacts/1', 403],
    ['GET', '/v1/contactsx/1', 403],
    ['GET', '/', 403],
  ])('%s %s: %i', async (method, path, status) => {
    expect(await statusOf(rules, method, path)).toBe(status);
  });

  // A list that allows POST for one purpose would else allow every long query as well.
  it('lets an overridden method pass only where the rule says so', async () => {
    expect(await statusOf(rules, 'POST', '/v1/contacts/1', FORM)).toBe(403);
    expect(await statusOf(rules, 'POST', '/v1/search', FORM)).toBe(200);
    expect(await statusOf(rules, 'POST', '/v1/search')).toBe(200);
  });

  it('never opens what the path rules close', async () => {
    expect(await statusOf([{ methods: ['GET'], path: '/*' }], 'GET', '/v1/oauth2/grant')).toBe(403);
    expect(await statusOf(() => true, 'GET', '/v1/session')).toBe(403);
  });
});

describe('the allow function', () => {
  it('is asked with method, path and override', async () => {
    const asked: unknown[] = [];
    const allow = (request: unknown) => {
      asked.push(request);
      return true;
    };

    expect(await statusOf(allow, 'POST', '/v1/search?x=1', FORM)).toBe(200);

    expect(asked).toEqual([{ method: 'POST', path: '/v1/search', override: true }]);
  });

  it('refuses by false', async () => {
    expect(await statusOf(() => false, 'GET', '/v1/listings')).toBe(403);
  });

  // An async function answers a promise, which is true to an `if`: everything would pass. And it may reject.
  it.each([
    ['false', async () => false],
    ['true', async () => true],
    ['an error', async () => Promise.reject(new Error('no'))],
  ])('lets nothing pass, and says why, when it answers a promise of %s', async (_what, answer) => {
    const allow = answer as unknown as () => boolean;
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy: { allow } });

    const { status, json } = await call(`${url}/spark/v1/listings`);

    expect(status).toBe(500);
    expect(json.D).toMatchObject({ Error: 'config', Message: expect.stringContaining('must answer at once') });
    expect(upstream.seen).toEqual([]);
  });
});
