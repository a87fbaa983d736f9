import express from 'express';
import { requestGrant } from '../../src/grant.js';
import type { AllowRule, SparkProxyOptions } from '../../src/index.js';
import { sparkProxy } from '../../src/index.js';
import { CLIENT, startApp } from '../support/app.js';
import { serve } from '../support/server.js';
import { call, EXPIRED, startProxy, startUpstream } from './support.js';

const ALLOW: readonly AllowRule[] = [{ methods: ['GET'], path: '/v1/listings' }];
const OFFICE = { accessToken: 'office-0', refreshToken: 'office-r', lifetimeMs: 86_400_000 };

async function startOffice(more: Partial<SparkProxyOptions>) {
  const upstream = await startUpstream((seen, _req, res) =>
    seen.headers.authorization === 'OAuth office-0' ? res.writeHead(401).end(EXPIRED) : res.end('{}'),
  );
  const proxy: Partial<SparkProxyOptions> = { tokenKey: () => 'office', allow: ALLOW, ...more };
  // No session anywhere: the office's key is no person's.
  const app = await startProxy({ target: upstream.url, proxy, noSession: true });
  await app.tokens.adopt('office', OFFICE);
  return { upstream, ...app };
}

describe('a key of the application', () => {
  it('serves every visitor where it is public, and is renewed like any other', async () => {
    const { upstream, url, renewals } = await startOffice({ public: true });

    expect((await call(`${url}/spark/v1/listings`)).status).toBe(200);
    expect((await call(`${url}/spark/v1/listings`)).status).toBe(200);

    expect(upstream.seen.map((seen) => seen.headers.authorization)).toEqual([
      'OAuth office-0',
      'OAuth office-1',
      'OAuth office-1',
    ]);
    expect(renewals()).toBe(1);
  });

  // Without a list every visitor could read and change all that the office can.
  it('serves nothing but what is allowed', async () => {
    const { upstream, url } = await startOffice({ public: true });

    expect((await call(`${url}/spark/v1/contacts`)).status).toBe(403);
    expect((await call(`${url}/spark/v1/listings`, { method: 'POST' })).status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    [() => true, 200],
    [async () => true, 200],
    [() => false, 403],
    [async () => false, 403],
    [() => undefined as unknown as boolean, 403],
    [() => 'no' as unknown as boolean, 403],
  ])('serves whom authorize lets: %s', async (authorize, status) => {
    const { url } = await startOffice({ authorize });

    const reply = await call(`${url}/spark/v1/listings`);

    expect(reply.status).toBe(status);
    if (status === 403) expect(reply.json.D.Error).toBe('not_authorized');
  });

  it('is chosen for each request', async () => {
    const { upstream, url, tokens } = await startOffice({
      public: true,
      tokenKey: async (req) => String(req.headers['x-office']),
    });
    await tokens.adopt('north', { accessToken: 'north' });
    await tokens.adopt('south', { accessToken: 'south' });

    for (const office of ['north', 'south'])
      await call(`${url}/spark/v1/listings`, { headers: { 'X-Office': office } });

    expect(upstream.seen.map((seen) => seen.headers.authorization)).toEqual(['OAuth north', 'OAuth south']);
  });

  // Names of the application and keys of people's sign-ins must never meet.
  it('is never the key of a sign-in', async () => {
    const { upstream, url, tokens } = await startOffice({
      public: true,
      tokenKey: (req) => String(req.headers['x-office']),
    });
    const key = await tokens.create({ accessToken: 'person' }, {});

    const { status } = await call(`${url}/spark/v1/listings`, { headers: { 'X-Office': key } });

    expect(status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });

  it('works with the tokens of a strategy', async () => {
    const { spark, strategy } = await startApp();
    await strategy.tokens.adopt('office', { accessToken: 'unknown-to-the-api' });
    const app = express();
    app.use('/public', sparkProxy({ strategy, tokenKey: () => 'office', public: true, allow: ALLOW }));
    const { url } = await serve(app);

    const { status, json } = await call(`${url}/public/v1/listings`);

    expect([status, json.D.Code]).toEqual([401, 1000]);
    expect(spark.requests().at(-1)?.headers.authorization).toBe('OAuth unknown-to-the-api');
  });

  it.each([
    ['the callback URL', {}, {}, '/auth/spark/callback'],
    ['the one it was stored with', {}, { redirectURI: 'http://127.0.0.1/of-the-office' }, '/of-the-office'],
    ['none, where the callback URL is a path', { callbackURL: '/auth/spark/callback' }, {}, undefined],
  ])('is renewed with a redirect URI: %s', async (_which, given, origin, path) => {
    const { spark, strategy } = await startApp({
      strategy: given,
      emulator: { refreshNeedsRedirectURI: path !== undefined },
    });
    const endpoint = { url: `${spark.url}/v1/oauth2/grant`, format: 'json', headers: {}, timeoutMs: 5_000 } as const;
    const { tokens } = await requestGrant(endpoint, {
      client_id: CLIENT.clientID,
      client_secret: CLIENT.clientSecret,
      grant_type: 'password',
      username: 'agent',
      password: 'spark',
    });
    await strategy.tokens.adopt('office', { ...tokens, lifetimeMs: 0 }, origin);
    const app = express();
    app.use('/public', sparkProxy({ strategy, tokenKey: () => 'office', public: true, allow: ALLOW }));
    const { url } = await serve(app);

    expect((await call(`${url}/public/v1/listings`)).status).toBe(200);

    const [renewal] = spark.grants('refresh_token');
    expect(renewal?.status).toBe(200);
    expect(renewal?.redirectURI ? new URL(renewal.redirectURI).pathname : undefined).toBe(path);
  });
});
