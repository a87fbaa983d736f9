import { tokenFor } from '../sites.js';
import type { Ask } from '../wire.js';
import { type Attack, outcome, sends } from './attack.js';

/** Does this header line arrive at the API? */
function withLine(line: string, request: Ask = {}): Attack['run'] {
  const [name = '', value] = line.split(': ', 2);
  return sends({ ...request, headers: [line, ...(request.headers ?? [])] }, ({ rawHeaders }) =>
    outcome(rawHeaders.some((item, i) => item.toLowerCase() === name.toLowerCase() && rawHeaders[i + 1] === value)),
  );
}

/** What a client sends along gets the better of what the proxy sets, or of the rules of the API. */
export const HEADERS: readonly Attack[] = [
  {
    name: 'The session cookie goes up to the API',
    run: sends({}, ({ headers }) => outcome(headers.cookie !== undefined)),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: "The client's own `Authorization` goes up",
    run: withLine('Authorization: OAuth mine'),
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: [
      'proxy/request-headers',
      "brings the session's token and the application's user agent, whatever the client brings",
    ],
  },
  {
    name: '… when the client adds `Expect: 100-continue` [1]',
    run: withLine('Authorization: OAuth mine', { method: 'POST', body: 'x', headers: ['Expect: 100-continue'] }),
    outcomes: ['passes', 'stopped, 500', 'stopped', 'stopped'],
    test: ['proxy/expect-continue', "brings the session's token, and not the client's"],
  },
  {
    name: '`Connection: Authorization` goes up, which tells the next hop to drop the token',
    run: sends({ headers: ['Connection: close, Authorization'] }, ({ headers }) =>
      outcome(/authorization/i.test(headers.connection ?? '') || headers.authorization !== `OAuth ${tokenFor('ann')}`),
    ),
    outcomes: ['passes', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/request-headers', 'keeps the token where Connection names it'],
  },
  {
    name: 'What `Connection` names goes up',
    run: withLine('X-Hop: 1', { headers: ['Connection: close, X-Hop'] }),
    outcomes: ['passes', 'stopped', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'drops every header that Connection names'],
  },
  {
    name: '`Proxy-Authorization` goes up',
    run: withLine('Proxy-Authorization: Basic c2VjcmV0'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: '`Host` of the client goes up',
    run: async (site) => {
      const { host } = new URL(site.api.url);
      return await sends({}, ({ headers }) => outcome(headers.host !== host))(site);
    },
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/request-headers', "names the API as the host, never the client's Host"],
  },
  {
    name: 'Forged `X-Forwarded-For` goes up',
    run: withLine('X-Forwarded-For: 127.0.0.1'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: 'Forged `X-Forwarded-Host` goes up',
    run: withLine('X-Forwarded-Host: evil.example'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: 'Forged `Forwarded` goes up',
    run: withLine('Forwarded: for=127.0.0.1'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: 'Forged `Client-IP` and `True-Client-IP` go up',
    run: async (site) => {
      const up = [await withLine('Client-IP: 127.0.0.1')(site), await withLine('True-Client-IP: 127.0.0.1')(site)];
      return outcome(up.includes('passes'));
    },
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: '`X-Sendfile-Type` and `X-Accel-Mapping`, with which Rack takes the client for its front server',
    run: withLine('X-Sendfile-Type: X-Accel-Redirect', { headers: ['X-Accel-Mapping: /=/protected/'] }),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: '`X-Original-URL` names another path',
    run: withLine('X-Original-URL: /v1/oauth2/grant'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: '`Referer` tells the API the page that the person is on',
    run: withLine('Referer: https://app.example.com/clients/7'),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
  {
    name: "`X-SparkApi-User-Agent` of the client goes in place of the application's, set as an option",
    run: withLine('X-SparkApi-User-Agent: Evil/1.0', { mount: '/shared' }),
    outcomes: ['stopped', 'stopped', 'passes', 'stopped'],
    test: [
      'proxy/request-headers',
      "brings the session's token and the application's user agent, whatever the client brings",
    ],
  },
  {
    name: '`X-HTTP-Method-Override: DELETE` on a POST',
    run: withLine('X-HTTP-Method-Override: DELETE', { method: 'POST' }),
    outcomes: ['passes', 'passes', 'passes', 'stopped, 400'],
    test: ['proxy/methods', 'is refused otherwise: %s with %j'],
  },
  {
    name: '`X_HTTP_METHOD_OVERRIDE`, which CGI-like servers read as the same name',
    run: withLine('X_HTTP_METHOD_OVERRIDE: DELETE', { method: 'POST' }),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/methods', 'never reaches the API under a name with underscores'],
  },
  {
    name: '`Content_Length`, a second length to such servers',
    run: withLine('Content_Length: 5', { method: 'POST' }),
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/request-headers', 'never sends up %s'],
  },
];
