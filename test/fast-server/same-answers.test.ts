import type { IncomingMessage } from 'node:http';
import { type Express, Router } from 'express';
import session from 'express-session';
import { Client } from 'undici';
import { EXPRESS, exchange, listen, SERVERS } from './support.js';

/** An application that uses what Express adds to requests and responses, and tells what it saw there. */
function tourApp(create: (typeof EXPRESS)['5']): Express {
  const app = create();
  app.set('trust proxy', 'loopback');
  app.set('etag', 'strong');
  app.use(session({ secret: 'test secret', resave: false, saveUninitialized: false }));
  app.use((_req, res, next) => {
    res.locals.first = 'set before';
    next();
  });
  app.get('/own', (req, res) => {
    res.json({
      'req.app': req.app === app,
      'res.app': res.app === app,
      'req.res': req.res === res,
      'res.req': res.req === req,
      locals: res.locals,
      'app.request': Object.getPrototypeOf(req) === app.request,
      'app.response': Object.getPrototypeOf(res) === app.response,
      keys: Object.keys(req).includes('app'),
    });
  });
  app.get('/request', (req, res) => {
    const { ip, ips, protocol, secure, hostname, path, originalUrl, xhr, fresh, subdomains, query } = req;
    const asked = { accepts: req.accepts('json', 'html'), type: req.is('json'), header: req.get('X-Test') };
    res.json({ ip, ips, protocol, secure, hostname, path, originalUrl, xhr, fresh, subdomains, query, ...asked });
  });
  app.get('/send', (_req, res) => res.send('<p>text</p>'));
  app.get('/buffer', (_req, res) => res.type('png').send(Buffer.from([1, 2, 3])));
  app.get('/status', (_req, res) => res.sendStatus(418));
  app.get('/redirect', (_req, res) => res.redirect(303, '/elsewhere?a=b'));
  app.get('/cookie', (_req, res) => res.cookie('a', 'b c', { httpOnly: true }).clearCookie('d').end());
  app.get('/format', (_req, res) =>
    res.format({ html: () => res.send('<i>html</i>'), json: () => res.json({ as: 'json' }) }),
  );
  app.get('/links', (_req, res) => res.links({ next: '/2' }).vary('Accept').attachment('a b.txt').send('file'));
  app.get('/file', (_req, res) => res.sendFile('package.json', { root: process.cwd() }));
  app.get('/jsonp', (_req, res) => res.jsonp({ a: 1 }));
  app.get('/stream', (_req, res) => {
    res.write('one ');
    setImmediate(() => res.end('two'));
  });
  app.post('/body', create.json(), (req, res) => res.json({ got: req.body }));
  app.get('/session', (req, res) => {
    const kept = req.session as unknown as { count?: number };
    kept.count = (kept.count ?? 0) + 1;
    res.json({ count: kept.count });
  });
  app.get('/throws', () => {
    throw new Error('thrown');
  });
  app.get('/rejects', (_req, _res, next) => {
    Promise.reject(new Error('rejected')).catch(next);
  });
  app.get('/param/:id', (req, res) => res.json(req.params));
  app.use(
    '/router',
    Router().get('/in', (req, res) => res.json({ baseUrl: req.baseUrl, url: req.url }) as never),
  );
  app.use('/sub', subApp(create, app));
  app.use('/sub', (req, res) => {
    res.json({ after: [req.app === app, res.app === app, Object.getPrototypeOf(req) === app.request] });
  });
  app.use((error: Error, _req: IncomingMessage, res: Parameters<Parameters<Express['get']>[1]>[1], _next: unknown) => {
    res.status(500).json({ handled: error.message, locals: res.locals });
  });
  return app;
}

/** A mounted application: its requests have its own prototypes, which the parent gets back when it passes them on. */
function subApp(create: (typeof EXPRESS)['5'], parent: Express): Express {
  const sub = create();
  sub.get('/in', (req, res) => {
    const { baseUrl, path } = req;
    res.json({
      app: req.app === sub,
      parent: (sub as unknown as { parent: unknown }).parent === parent,
      own: Object.getPrototypeOf(req) === sub.request,
      baseUrl,
      path,
    });
  });
  sub.get('/fails', () => {
    throw new Error('in the sub-app');
  });
  return sub;
}

const REQUESTS: readonly (readonly [target: string, headers?: readonly string[], body?: string])[] = [
  ['GET /own'],
  [
    'GET /request?a=1&b[c]=2&a=3',
    ['X-Forwarded-For: 203.0.113.7, 127.0.0.1', 'X-Forwarded-Proto: https', 'X-Test: yes'],
  ],
  ['GET /request', ['X-Requested-With: XMLHttpRequest', 'Accept: text/html', 'If-None-Match: *']],
  ['GET /send'],
  ['HEAD /send'],
  ['GET /send', ['If-None-Match: "b-TRSV9dNAYNuxq5cyJMg1hSWv6cQ"']],
  ['GET /buffer'],
  ['GET /status'],
  ['GET /redirect'],
  ['GET /cookie'],
  ['GET /format', ['Accept: text/html']],
  ['GET /format', ['Accept: application/json']],
  ['GET /format', ['Accept: image/png']],
  ['GET /links'],
  ['GET /file', ['Range: bytes=0-9']],
  ['GET /jsonp?callback=f'],
  ['GET /stream'],
  ['GET /stream', ['Connection: close']],
  ['POST /body', ['Content-Type: application/json', 'Content-Length: 9'], '{"a":"b"}'],
  ['POST /body', ['Content-Type: application/json', 'Content-Length: 3'], '{"a'],
  ['POST /body', ['Content-Type: application/json', 'Transfer-Encoding: chunked'], '9\r\n{"a":"b"}\r\n0\r\n\r\n'],
  ['GET /session'],
  ['GET /throws'],
  ['GET /rejects'],
  ['GET /param/a%20b'],
  ['GET /param/%ff'],
  ['GET /router/in?q'],
  ['GET /sub/in'],
  ['GET /sub/fails'],
  ['GET /sub/nothing'],
  ['GET /nothing'],
  ['OPTIONS /body'],
  ['NONSENSE /own'],
];

/** What differs from one run to the next by nature. */
function comparable(answer: string): string {
  return answer
    .replaceAll(/^Date: .*$/gm, 'Date: …')
    .replaceAll(/connect\.sid=[^;]*/g, 'connect.sid=…')
    .replaceAll(/(Last-Modified|ETag: W).*$/gm, '$1 …');
}

/** The connection is closed by the request after the one of interest. */
async function answerOf(url: string, [target, headers = [], body = '']: (typeof REQUESTS)[number]): Promise<string> {
  const lines = [`${target} HTTP/1.1`, 'Host: app.example.com', ...headers];
  if (!headers.includes('Connection: close')) lines.push('Connection: close');
  return comparable(await exchange(url, `${lines.join('\r\n')}\r\n\r\n${body}`));
}

describe.each(['4', '5'] as const)('an Express %s application', (version) => {
  it.each(REQUESTS.map((request) => [`${request[0]} ${(request[1] ?? []).join(', ')}`.trim(), request] as const))(
    'answers on the fast server as on the plain one: %s',
    async (_name, request) => {
      const plain = await answerOf(await listen(SERVERS['http.createServer'](tourApp(EXPRESS[version]))), request);
      const fast = await answerOf(await listen(SERVERS.createFastServer(tourApp(EXPRESS[version]))), request);

      expect(plain).toMatch(/^HTTP\/1\.1 \d{3}/);
      expect(fast).toBe(plain);
    },
  );

  it.each(Object.entries(SERVERS))('has on %s all that Express adds', async (_name, create) => {
    const url = await listen(create(tourApp(EXPRESS[version])));

    const own = await (await fetch(`${url}/own`)).json();

    expect(own).toEqual({
      'req.app': true,
      'res.app': true,
      'req.res': true,
      'res.req': true,
      locals: { first: 'set before' },
      'app.request': true,
      'app.response': true,
      keys: false,
    });
  });

  it('finds nothing left to change on the fast server', async () => {
    const app = EXPRESS[version]();
    app.get('/', (_req, res) => res.end());
    const server = SERVERS.createFastServer(app);
    const before: boolean[] = [];
    server.prependListener('request', (req, res) => {
      before.push(Object.getPrototypeOf(req) === app.request, Object.getPrototypeOf(res) === app.response);
    });

    await fetch(await listen(server));

    expect(before).toEqual([true, true]);
  });

  it('gives a mounted application its own request, and the parent its own back', async () => {
    const url = await listen(SERVERS.createFastServer(tourApp(EXPRESS[version])));

    const within = await (await fetch(`${url}/sub/in`)).json();
    const after = await (await fetch(`${url}/sub/passes`)).json();

    expect(within).toEqual({ app: true, parent: true, own: true, baseUrl: '/sub', path: '/in' });
    expect(after).toEqual({ after: [true, true, true] });
  });

  it('keeps a session from request to request, over one connection', async () => {
    const server = SERVERS.createFastServer(tourApp(EXPRESS[version]));
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    const url = await listen(server);

    const client = new Client(url); // one connection
    const count = async (headers: Record<string, string>): Promise<[unknown, string]> => {
      const answer = await client.request({ method: 'GET', path: '/session', headers });
      return [await answer.body.json(), String(answer.headers['set-cookie']).split(';', 1)[0] ?? ''];
    };
    const [first, cookie] = await count({});
    const counts = [first];
    for (let i = 0; i < 3; i++) counts.push((await count({ cookie }))[0]);
    await client.close();

    expect(counts).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }, { count: 4 }]);
    expect(connections).toBe(1);
  });
});
