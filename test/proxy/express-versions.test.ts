import { createHash, randomBytes } from 'node:crypto';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import session, { MemoryStore, type SessionData } from 'express-session';
import { MemoryTokenStore, type SparkProxyOptions, sparkProxy, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { writeLink } from '../../src/signin/link.js';
import { EXPRESS, listen, SERVERS } from '../fast-server/support.js';
import { cookieOf, SECRET } from '../lane/roads.js';
import { type Call, call, EXPIRED, ORIGIN, type Reply, startUpstream, type Upstream } from './support.js';

const VERSIONS = ['4', '5'] as const;
const ROADS = ['session', 'lane'] as const;
const SETTINGS = VERSIONS.flatMap((version) =>
  ROADS.flatMap((road) => Object.keys(SERVERS).map((server) => ({ version, road, server }) as Setting)),
);

interface Setting {
  readonly version: (typeof VERSIONS)[number];
  readonly road: (typeof ROADS)[number];
  readonly server: keyof typeof SERVERS;
}

interface Site {
  readonly upstream: Upstream;
  /** Calls as Ann, who is signed in. */
  ann(path: string, options?: Call): Promise<Reply>;
  /** Calls as nobody. */
  nobody(path: string, options?: Call): Promise<Reply>;
}

interface More {
  readonly proxy?: Partial<SparkProxyOptions>;
  readonly answer?: Parameters<typeof startUpstream>[0];
  /** Mounts the proxy. Default: at `/spark`. */
  readonly mount?: (app: Express, proxy: RequestHandler, create: () => Express) => void;
}

async function startSite({ version, road, server }: Setting, { proxy, answer, mount }: More = {}): Promise<Site> {
  const create = EXPRESS[version];
  const upstream = await startUpstream(answer);
  const store = new MemoryStore();
  const tokens = new TokenService({
    store: new MemoryTokenStore(),
    clientID: 'test-client',
    upstream: SPARK_UPSTREAM,
    renew: async () => ({ accessToken: 'ann-1', refreshToken: 'r1', lifetimeMs: 86_400_000 }),
  });
  const signedIn = { passport: { user: 'ann' } };
  const fresh = { accessToken: 'ann-0', refreshToken: 'r0', lifetimeMs: 86_400_000 };
  writeLink(signedIn, 'spark', await tokens.create(fresh, {}));
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' };
  store.set('ann', { cookie, ...signedIn } as unknown as SessionData); // the declarations want the class, stores the data
  const options = { store, secret: SECRET, resave: false, saveUninitialized: false };
  const strategy = { tokens, sessionKey: 'spark', apiURL: upstream.url, userAgent: 'TestApp/1.0', origin: ORIGIN };
  const handler =
    road === 'lane'
      ? sparkProxy({ strategy, session: options, ...(proxy as object) })
      : sparkProxy({ strategy, ...proxy });
  const app = create();
  if (road === 'session') app.use(session(options));
  if (mount) mount(app, handler, create);
  else app.use('/spark', handler);
  app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
    res.status(500).json({ handled: error.message });
  });
  const url = await listen(SERVERS[server](app));
  const nobody = (path: string, options?: Call): Promise<Reply> => call(url + path, options);
  const ann = (path: string, options: Call = {}): Promise<Reply> =>
    nobody(path, { ...options, headers: { cookie: cookieOf('ann'), ...options.headers } });
  return { upstream, ann, nobody };
}

describe.each(SETTINGS)('the proxy in Express $version, on the road $road, with $server', (setting) => {
  it('has been tested with that Express', () => {
    // Only Express 4 makes its router at the first use.
    expect('lazyrouter' in EXPRESS[setting.version]()).toBe(setting.version === '4');
  });

  it.each([
    ['/spark/v1/listings?_filter=City%20Eq%20%27Fargo%27&a=b+c', '/v1/listings?_filter=City%20Eq%20%27Fargo%27&a=b+c'],
    ["/spark/Reso/OData/Property('20%2e5')?$select=A,B", "/Reso/OData/Property('20%2e5')?$select=A,B"],
    ['/spark/', '/'],
    ['/spark', '/'],
    ['/spark?a', '/?a'],
    ['/SPARK/v1/X', '/v1/X'],
  ])('sends %s up as it is', async (path, target) => {
    const { ann, upstream } = await startSite(setting);

    const { status, headers } = await ann(path);

    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
    expect(upstream.seen.map((seen) => [seen.target, seen.headers.authorization])).toEqual([[target, 'OAuth ann-0']]);
  });

  it.each([
    ['nobody is signed in', 401, 'sign_in_required', '/spark/v1/x', { headers: { cookie: '' } }],
    ['another site calls', 403, 'cross_site', '/spark/v1/x', { headers: { 'Sec-Fetch-Site': 'cross-site' } }],
    [
      'another origin calls',
      403,
      'cross_site',
      '/spark/v1/x',
      { bare: true, headers: { Origin: 'https://a.example' } },
    ],
    ['the path climbs', 400, undefined, '/spark/v1/%2e%2e/x', {}],
    ['the path deals in tokens', 403, undefined, '/spark/v1/oauth2/grant', {}],
    ['the method is none', 405, 'method_refused', '/spark/v1/x', { method: 'TRACE' }],
  ])('refuses when %s: %i', async (_when, status, code, path, options) => {
    const { ann, upstream } = await startSite(setting);

    const reply = await ann(path, options);

    expect(reply.status).toBe(status);
    expect(reply.json.D).toMatchObject({ Success: false, Code: status, Error: code ?? expect.any(String) });
    expect(upstream.seen).toEqual([]);
  });

  it.each(['sized', 'chunked'])('streams a body both ways: %s', async (kind) => {
    const body = randomBytes(2 * 1024 * 1024);
    const { ann, upstream } = await startSite(setting, { answer: (seen, _req, res) => res.end(seen.body) });
    const headers = kind === 'sized' ? { 'Content-Length': String(body.length) } : { 'Transfer-Encoding': 'chunked' };

    const reply = await ann('/spark/v1/photos', { method: 'POST', headers, body });

    expect(reply).toMatchObject({ status: 200, broken: false });
    expect(sha256(reply.body)).toBe(sha256(body));
    expect(sha256(upstream.seen[0]?.body ?? Buffer.alloc(0))).toBe(sha256(body));
  });

  it.each([
    ['HEAD', 200],
    ['GET', 304],
    ['DELETE', 204],
  ])('passes an answer without a body: %s, %i', async (method, status) => {
    const { ann } = await startSite(setting, {
      answer: (_seen, _req, res) => res.writeHead(status, { ETag: '"e"' }).end(),
    });

    const reply = await ann('/spark/v1/x', { method, headers: { 'If-None-Match': '"e"' } });

    expect(reply).toMatchObject({ status, broken: false, headers: { etag: '"e"' } });
    expect(reply.body).toHaveLength(0);
  });

  it('renews an expired token, and sends the body again', async () => {
    const { ann, upstream } = await startSite(setting, {
      answer: (seen, _req, res) =>
        seen.headers.authorization === 'OAuth ann-0' ? res.writeHead(401).end(EXPIRED) : res.end(seen.body),
    });

    const reply = await ann('/spark/v1/contacts', { method: 'POST', body: 'a contact' });

    expect([reply.status, reply.body.toString()]).toEqual([200, 'a contact']);
    expect(upstream.seen.map((seen) => seen.headers.authorization)).toEqual(['OAuth ann-0', 'OAuth ann-1']);
  });

  it.each([
    ['throws', () => fail('before')],
    ['rejects', async () => fail('before')],
  ])('hands what the application’s own function %s to its error handler', async (_how, onRequest) => {
    const { ann, upstream } = await startSite(setting, { proxy: { onRequest } });

    const reply = await ann('/spark/v1/x', { method: 'POST', body: 'x' });

    expect([reply.status, reply.json]).toEqual([500, { handled: 'before' }]);
    expect(upstream.seen).toEqual([]);
  });

  it('answers an API that breaks off with 502, or breaks off as well', async () => {
    const { ann } = await startSite(setting, {
      answer: (seen, req, res) => {
        if (seen.target === '/v1/before') req.socket.resetAndDestroy();
        else res.writeHead(200, { 'Content-Length': 100 }).write('half', () => req.socket.resetAndDestroy());
      },
    });

    const before = await ann('/spark/v1/before', { method: 'POST', body: 'x' });
    const within = await ann('/spark/v1/within').catch(() => ({ broken: true }));

    expect([before.status, before.json.D.Error]).toEqual([502, 'upstream_failed']);
    expect(within.broken).toBe(true);
  });

  it('leads redirects to where it is mounted, in a router or an application of its own', async () => {
    const answer: More['answer'] = (_seen, _req, res) => res.writeHead(302, { Location: '/v1/y' }).end();
    const site = await startSite(setting, {
      answer,
      mount: (app, proxy, create) => {
        const sub = create();
        sub.use('/spark', proxy);
        app.use('/sub', sub);
        app.use('/api', EXPRESS[setting.version].Router().use('/spark', proxy));
      },
    });

    for (const mount of ['/api', '/sub']) {
      const { status, headers } = await site.ann(`${mount}/spark/v1/x?a=%2B`);

      expect([status, headers.location]).toEqual([302, `${mount}/spark/v1/y`]);
    }
    expect(site.upstream.seen.map(({ target }) => target)).toEqual(['/v1/x?a=%2B', '/v1/x?a=%2B']);
  });

  it('tells how to mend a body that a parser has eaten', async () => {
    const { ann, upstream } = await startSite(setting, {
      mount: (app, proxy) => app.use(EXPRESS[setting.version].json()).use('/spark', proxy),
    });
    const headers = { 'Content-Type': 'application/json' };

    const reply = await ann('/spark/v1/x', { method: 'POST', headers, body: '{}' });

    expect([reply.status, reply.json.D.Error]).toEqual([500, 'body_consumed']);
    expect(upstream.seen).toEqual([]);
  });
});

function fail(message: string): never {
  throw new Error(message);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
