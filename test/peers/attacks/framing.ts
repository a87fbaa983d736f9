import { send, write } from '../wire.js';
import { type Attack, outcome, sends, stopped } from './attack.js';

const HIDDEN = 'GET /v1/hidden HTTP/1.1\r\nHost: api.example.com\r\n\r\n';
const CHUNKED_HIDDEN = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

/** Sends what two servers may understand differently. A second request must not come out of it. */
function framed(headers: readonly string[], body: string, method = 'POST'): Attack['run'] {
  return sends({ method, headers, body }, (seen, { api }) => {
    if (api.seen.length > 1) return `passes, the API sees ${api.seen.length} requests`;
    const { 'content-length': length, 'transfer-encoding': coding } = seen.headers;
    return length !== undefined && coding !== undefined ? 'passes, with both' : 'stopped';
  });
}

const ALL_REFUSE: Attack['outcomes'] = ['stopped, 400', 'stopped, 400', 'stopped, 400', 'stopped, 400'];
const REFUSED: Attack['test'] = ['proxy/framing', 'never reaches the API: %s'];

/** Where a request ends, and what kind of connection it is. */
export const FRAMING: readonly Attack[] = [
  {
    name: '`Content-Length` and `Transfer-Encoding` in one request',
    run: framed(['Content-Length: 4', 'Transfer-Encoding: chunked'], CHUNKED_HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: 'Two `Transfer-Encoding`, of which the last is not `chunked`',
    run: framed(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], CHUNKED_HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: '`Transfer-Encoding : chunked`, with a space',
    run: framed(['Transfer-Encoding : chunked'], CHUNKED_HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: 'Two `Content-Length`',
    run: framed(['Content-Length: 0', `Content-Length: ${HIDDEN.length}`], HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: 'A header that goes on in the next line (obs-fold)',
    run: framed(['X-A: 1', ' Transfer-Encoding: chunked'], CHUNKED_HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: 'Lines that end with LF alone',
    run: framed(['X-A: 1\nTransfer-Encoding: chunked'], CHUNKED_HIDDEN),
    outcomes: ALL_REFUSE,
    test: REFUSED,
  },
  {
    name: 'A chunked body of a POST that looks like a request becomes one, or goes up with a length as well',
    run: framed(['Transfer-Encoding: chunked'], CHUNKED_HIDDEN),
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/framing', 'goes up as one request, which ends in one way: %s'],
  },
  {
    name: 'A chunked body of a DELETE does [2]',
    run: framed(['Transfer-Encoding: chunked'], CHUNKED_HIDDEN, 'DELETE'),
    outcomes: ['passes, the API sees 2 requests', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/framing', 'goes up as one request, which ends in one way: %s'],
  },
  {
    name: 'TRACE, which sends back what it got, the token with it',
    run: sends({ method: 'TRACE' }, () => 'passes'),
    outcomes: ['passes', 'stopped, 404', 'passes', 'stopped, 405'],
    test: ['proxy/methods', '%s does not'],
  },
  {
    name: 'CONNECT',
    run: async (site) => {
      site.api.reset();
      const reply = await send(site, write({}).replace(/^GET \S+/, 'CONNECT evil.example:443'));
      return outcome(site.api.received !== '' || reply.status === 200);
    },
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/upgrade', 'opens no tunnel: %s'],
  },
  {
    name: '`Upgrade: websocket` reaches the API, or hangs',
    run: async (site) => {
      site.api.reset();
      const headers = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
      const reply = await send(site, write({ headers: [...headers, 'Sec-WebSocket-Version: 13'] }));
      return site.api.upgraded > 0 ? stopped(reply).replace('stopped', 'passes') : outcome(reply.status !== 200);
    },
    outcomes: ['passes, hangs', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/upgrade', 'is an ordinary request to the API: %s'],
  },
];
