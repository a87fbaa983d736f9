import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import type { RequestHandler } from 'express';
import session from 'express-session';
import { shareHiddenClasses } from '../../src/hidden-class.js';
import { EXPRESS, listen, SERVERS } from '../fast-server/support.js';
import { call, startProxy, startUpstream } from './support.js';

setFlagsFromString('--allow-natives-syntax');
const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean;
const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;

interface Pair {
  readonly requests: boolean;
  readonly responses: boolean;
  readonly fast: boolean;
}

/** V8 keeps 64 such classes by a hash of the prototype: in one process of 64, requests and responses want one place. */
const TRIES = 4;

/** Do most pairs share both classes? A full collection empties V8's list of classes, maybe between the two of a pair. */
function areShared(pairs: readonly Pair[]): boolean {
  return pairs.filter(({ requests, responses }) => requests && responses).length > pairs.length / 2;
}

/** Holds every other request until the next one has come, and compares the two. */
function comparing(into: Pair[]): RequestHandler {
  let waiting: { req: IncomingMessage; res: ServerResponse; next: () => void } | undefined;
  return (req, res, next) => {
    const first = waiting;
    waiting = first ? undefined : { req, res, next };
    if (!first) return;
    const requests = haveSameMap(first.req, req);
    into.push({ requests, responses: haveSameMap(first.res, res), fast: isFast(req) && isFast(res) });
    first.next();
    next();
  };
}

describe.each(Object.keys(EXPRESS) as (keyof typeof EXPRESS)[])('Express %s', (version) => {
  async function pairsOn(server: keyof typeof SERVERS, share: boolean): Promise<Pair[]> {
    const pairs: Pair[] = [];
    const app = EXPRESS[version]();
    app.use(session({ secret: 'a secret of the test', resave: false, saveUninitialized: true }));
    app.use((req, res, next) => {
      if (share) shareHiddenClasses(req, res);
      next();
    });
    app.use((req, res, next) => {
      Object.assign(req, { one: 1 });
      Object.assign(res, { two: 2 });
      next();
    });
    app.use(comparing(pairs));
    app.use((req, res) => {
      res.json({ linked: req.res === res && res.req === req });
    });
    const url = await listen(SERVERS[server](app));
    for (let i = 0; i < 20; i += 1) {
      const answers = await Promise.all([fetch(url), fetch(url)]);
      for (const answer of answers) expect(await answer.json()).toEqual({ linked: true });
    }
    return pairs.slice(10); // V8 settles on the form in the first few
  }

  // No inline cache knows a hidden class that only one request has: a proxied request then costs a fifth more.
  it('requests share their hidden classes, and so do responses', async () => {
    const shared: boolean[] = [];
    for (let i = 0; i < TRIES; i += 1) shared.push(areShared(await pairsOn('http.createServer', true)));

    expect(shared).toContain(true);
  });

  it('on the fast server they do by themselves, and stay out of hash tables', async () => {
    expect(await pairsOn('createFastServer', true)).toEqual(
      Array.from({ length: 10 }, () => ({ requests: true, responses: true, fast: true })),
    );
  });

  it('shows that there is something to do here, in V8 before version 13', async () => {
    const pairs = await pairsOn('http.createServer', false);

    const newer = Number.parseInt(process.versions.v8, 10) >= 13;
    expect(new Set(pairs.map(({ requests }) => requests))).toEqual(new Set([newer]));
  });
});

it('the proxy does it to what it is given', async () => {
  const upstream = await startUpstream();
  const shared: boolean[] = [];
  for (let i = 0; i < TRIES; i += 1) {
    const pairs: Pair[] = [];
    const compare = comparing(pairs);
    const { url } = await startProxy({
      target: upstream.url,
      proxy: {
        onRequest: async (_headers, req) => {
          const { res } = req as IncomingMessage & { res: ServerResponse };
          await new Promise<void>((resolve) => {
            compare(req as Parameters<RequestHandler>[0], res as Parameters<RequestHandler>[1], () => resolve());
          });
        },
      },
    });
    for (let j = 0; j < 5; j += 1) await Promise.all([call(`${url}/spark/v1/a`), call(`${url}/spark/v1/b`)]);
    shared.push(areShared(pairs));
  }

  expect(shared).toContain(true);
});
