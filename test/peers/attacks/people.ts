import { connect } from 'node:net';
import { type Mount, type Site, tokenFor } from '../sites.js';
import { ask, soon, write } from '../wire.js';
import { type Attack, outcome, sends } from './attack.js';

const FROM_ELSEWHERE = ['Sec-Fetch-Site: cross-site', 'Origin: https://evil.example'];
const FORM = ['Content-Type: application/x-www-form-urlencoded'];
const passes = (): string => 'passes';

const FORBIDDEN: Attack['outcomes'] = ['passes', 'passes', 'passes', 'stopped, 403'];
const CROSS_SITE_TEST: Attack['test'] = ['proxy/cross-site', '%j with %j: %i'];

/** Another site acts through the cookie of a person who is signed in. */
export const CROSS_SITE: readonly Attack[] = [
  {
    name: 'GET from a page of another site',
    run: sends({ from: ['Sec-Fetch-Site: cross-site'] }, passes),
    outcomes: FORBIDDEN,
    test: CROSS_SITE_TEST,
  },
  {
    name: 'A form posted from a page of another site',
    run: sends({ method: 'POST', body: 'a=b', headers: FORM, from: FROM_ELSEWHERE }, passes),
    outcomes: FORBIDDEN,
    test: CROSS_SITE_TEST,
  },
  {
    name: 'The same in a browser that sends `Origin` alone',
    run: sends({ method: 'POST', body: 'a=b', headers: FORM, from: ['Origin: https://evil.example'] }, passes),
    outcomes: FORBIDDEN,
    test: CROSS_SITE_TEST,
  },
  {
    name: 'From a sandboxed frame: `Origin: null`',
    run: sends({ method: 'POST', body: 'a=b', headers: FORM, from: ['Origin: null'] }, passes),
    outcomes: FORBIDDEN,
    test: CROSS_SITE_TEST,
  },
  {
    name: 'From a sister domain: `Sec-Fetch-Site: same-site`',
    run: sends({ from: ['Sec-Fetch-Site: same-site'] }, passes),
    outcomes: FORBIDDEN,
    test: CROSS_SITE_TEST,
  },
];

/** Two people's requests, at once: what they share by mistake shows in some of a hundred. */
async function mixed(site: Site, mount: Mount): Promise<string> {
  site.api.reset((seen, res) => res.end(String(seen.headers.authorization)));
  for (let round = 0; round < 5; round += 1) {
    const tokens = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const { body } = await ask(site, { mount, person: i % 2 ? 'ann' : 'bob' });
        return /token-of-\w+/.exec(body)?.[0];
      }),
    );
    if (tokens.includes(undefined)) return 'no answer';
    if (tokens.some((token, i) => token !== tokenFor(i % 2 ? 'ann' : 'bob'))) return 'passes';
  }
  return 'stopped';
}

/** What people lose without an attacker: each other's data, their work, their sign-in. */
export const PEOPLE: readonly Attack[] = [
  {
    name: "A token goes up with another person's request",
    run: (site) => mixed(site, '/spark'),
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/two-people', "never send each other's token or body, with expired tokens and bodies of all kinds"],
  },
  {
    name: '… with a header set as an option, and tokens looked up by a promise [4]',
    run: (site) => mixed(site, '/shared'),
    outcomes: ['stopped', 'stopped', 'passes', 'stopped'],
    test: ['proxy/two-people', "never send each other's token or body, with expired tokens and bodies of all kinds"],
  },
  {
    name: "A header of one person goes up with the next person's request [4]",
    run: async (site) => {
      site.api.reset();
      await ask(site, { mount: '/shared', headers: ['If-None-Match: "of ann"'], person: 'ann' });
      await ask(site, { mount: '/shared', person: 'bob' });
      return outcome(site.api.seen.at(-1)?.headers['if-none-match'] !== undefined);
    },
    outcomes: ['stopped', 'stopped', 'passes', 'stopped'],
    test: ['proxy/two-people', 'one after the other, over one connection, send nothing of each other'],
  },
  {
    name: 'An access token that expired early (401, code 1020) ends in a 401 [6]',
    run: async (site) => {
      site.api.reset(({ headers }, res) =>
        headers.authorization?.endsWith('-renewed') ? res.end('{}') : res.writeHead(401).end('{"D":{"Code":1020}}'),
      );
      return outcome((await ask(site, { person: 'cyd' })).status !== 200);
    },
    outcomes: ['passes', 'passes', 'passes', 'stopped'],
    test: ['proxy/replay', 'is sent once more with a new token: %s'],
  },
  {
    name: 'A POST is sent twice when the kept connection closes under it',
    run: async (site) => {
      site.api.reset(({ method }, res, req) => {
        if (method === 'POST') req.socket.resetAndDestroy();
        else res.end('{}');
      });
      await ask(site);
      await ask(site, { method: 'POST', body: 'x' });
      return outcome(site.api.seen.length !== 2);
    },
    outcomes: ['stopped', 'stopped', 'stopped', 'stopped'],
    test: ['proxy/resets', 'does not have it sent again, when it may have effects: %s %s'],
  },
  {
    name: 'A body that `express.json()` read before the proxy hangs, or is not the one that was sent [5]',
    run: async (site) => {
      const request = { mount: '/parsed', method: 'POST', headers: ['Content-Type: application/json'] } as const;
      return await sends({ ...request, body: '{"price": 1.00}' }, ({ body }) =>
        body.toString() === '{"price": 1.00}' ? 'stopped' : `passes, as \`${body}\``,
      )(site);
    },
    outcomes: ['passes, hangs', 'stopped', 'passes, hangs', 'stopped, 500'],
    test: ['proxy/consumed-body', 'is answered at once, with the way to mend it: %s'],
  },
  {
    name: 'The API goes on working for a client that has left',
    run: async (site) => {
      site.api.reset(() => undefined);
      const { hostname, port } = new URL(site.url);
      const client = connect(Number(port), hostname, () => client.write(write({})));
      client.on('error', () => undefined);
      await soon(() => site.api.seen.length === 1);
      client.destroy();
      return outcome(!(await soon(() => site.api.abandoned === 1)));
    },
    outcomes: ['passes', 'passes', 'stopped', 'stopped'],
    test: ['proxy/client-leaves', 'before the API has answered: the request to the API is cut'],
  },
];
