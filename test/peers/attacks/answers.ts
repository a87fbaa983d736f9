import type { ServerResponse } from 'node:http';
import { type Ask, ask, type Reply } from '../wire.js';
import { type Attack, outcome, stopped } from './attack.js';

/** The API answers like this; does the browser get what it must not? */
function answered(
  answer: (res: ServerResponse) => void,
  look: (reply: Reply) => boolean,
  request: Ask = {},
): Attack['run'] {
  return async (site) => {
    site.api.reset((_seen, res) => answer(res));
    const reply = await ask(site, request);
    return reply.status === 200 ? outcome(look(reply)) : stopped(reply);
  };
}

function withHeader(name: string, value: string): Attack['run'] {
  return answered(
    (res) => res.writeHead(200, { 'Content-Type': 'application/json', [name]: value }).end('{}'),
    ({ headers }) => (headers.get(name.toLowerCase()) ?? '').includes(value),
  );
}

/** The API's answer becomes the site's own, in the eyes of the browser. */
export const ANSWERS: readonly Attack[] = [
  {
    name: '`Set-Cookie` of the API replaces the session cookie',
    run: withHeader('Set-Cookie', 'connect.sid=evil'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/session-cookie', "is set on an answer of the API, and the API's cookies are not"],
  },
  {
    name: '`Set-Cookie` as a trailer does',
    run: answered(
      (res) => {
        res.writeHead(200, { Trailer: 'Set-Cookie' }).write('{}');
        res.addTrailers({ 'Set-Cookie': 'connect.sid=evil' });
        res.end();
      },
      ({ text }) => text.includes('connect.sid=evil'),
    ),
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/framing', 'of an answer stay here'],
  },
  {
    name: '`Access-Control-Allow-Origin` opens the answers to other sites',
    run: withHeader('Access-Control-Allow-Origin', 'https://evil.example'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: '`Clear-Site-Data` signs the browser out of the site',
    run: withHeader('Clear-Site-Data', '"*"'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: '`Service-Worker-Allowed` lets a worker take the whole site over',
    run: withHeader('Service-Worker-Allowed', '/'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: '`Strict-Transport-Security` switches that of the site off',
    run: withHeader('Strict-Transport-Security', 'max-age=0'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: '`Alt-Svc` sends the browser to another server',
    run: withHeader('Alt-Svc', 'h3="evil.example:443"'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: "`NEL` and `Report-To` have the site's traffic reported elsewhere",
    run: withHeader('NEL', '{"report_to":"evil","max_age":86400}'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: 'HTML or SVG runs as a page of the site: no `Content-Security-Policy`',
    run: answered(
      (res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<script>alert(1)</script>'),
      ({ headers }) => !/\bsandbox\b/.test(headers.get('content-security-policy') ?? ''),
    ),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['browser/foreign-documents', 'does not run when a person opens its address: %s'],
  },
  {
    name: 'Something else is taken for HTML: no `nosniff`',
    run: answered(
      (res) => res.writeHead(200).end('<script>alert(1)</script>'),
      ({ headers }) => headers.get('x-content-type-options') !== 'nosniff',
    ),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'keep documents of the API from running on the origin of the application'],
  },
  {
    name: "A shared cache keeps one person's answer for the next: `Cache-Control: public`",
    run: withHeader('Cache-Control', 'public'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/caching', 'turns Cache-Control %j into %j'],
  },
  {
    name: '`CDN-Cache-Control`, `Surrogate-Control` or `X-Accel-Expires` has a cache in front keep it',
    run: async (site) => {
      const outcomes = [
        await withHeader('CDN-Cache-Control', 'max-age=600')(site),
        await withHeader('Surrogate-Control', 'max-age=600')(site),
        await withHeader('X-Accel-Expires', '600')(site),
      ];
      return outcome(outcomes.includes('passes'));
    },
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: '`X-Accel-Redirect` has nginx in front send a file of the site',
    run: withHeader('X-Accel-Redirect', '/protected/file'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop %s'],
  },
  {
    name: "`Location` leads the browser past the proxy, to the API's own address",
    run: async (site) => {
      site.api.reset((_seen, res) => res.writeHead(302, { Location: `${site.api.url}/v1/x` }).end());
      const { headers } = await ask(site);
      return outcome(headers.get('location') !== '/spark/v1/x');
    },
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/location', 'leads back to where the proxy is mounted'],
  },
  {
    name: "What `Connection` names, and so is for the API's connection alone, reaches the browser",
    run: answered(
      (res) => res.writeHead(200, { Connection: 'keep-alive, X-Hop', 'X-Hop': '1' }).end('{}'),
      ({ headers }) => headers.has('x-hop'),
    ),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/response-headers', 'drop what Connection names'],
  },
  {
    name: 'An answer that the API cuts looks whole, or never ends',
    run: async (site) => {
      site.api.reset((_seen, res, req) => {
        res.write('half', () => req.socket.destroySoon());
      });
      const { hangs, body } = await ask(site);
      return hangs ? 'passes, hangs' : outcome(body.endsWith('0\r\n\r\n'));
    },
    outcomes: ['passes, hangs', 'stopped', 'passes, hangs', 'stopped'],
    test: ['proxy/resets', 'breaks off for the client, too: %s, %s'],
  },
  {
    name: '… to a client that speaks HTTP/1.0, as nginx 1.22 in front does',
    run: async (site) => {
      site.api.reset((_seen, res, req) => {
        res.write('half', () => req.socket.destroySoon());
      });
      const { hangs, reset } = await ask(site, { version: '1.0' });
      return hangs ? 'passes, hangs' : outcome(!reset);
    },
    outcomes: ['passes, hangs', 'passes', 'passes, hangs', 'stopped'],
    test: ['proxy/resets', 'is a reset to a client of HTTP/1.0: %s'],
  },
  {
    name: 'A 503 of the API makes many requests of one [3]',
    run: async (site) => {
      site.api.reset((_seen, res) => res.writeHead(site.api.seen.length === 1 ? 503 : 200).end('{}'));
      await ask(site);
      return site.api.seen.length === 1 ? 'stopped' : 'passes, asks again';
    },
    outcomes: ['stopped', 'passes, asks again', 'stopped', 'stopped'],
    test: ['proxy/download', '%i passes with its Retry-After'],
  },
  {
    name: "The error of an API that is down tells the browser the API's address",
    run: async (site) => {
      const { text } = await ask(site, { mount: '/down' });
      return outcome(text.includes(new URL(site.downURL).port));
    },
    outcomes: ['stopped', 'passes', 'stopped', 'stopped'],
    test: ['proxy/errors', 'never tell where the API is'],
  },
];
