import { startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';
import { call, rawCall, startProxy, startUpstream } from './support.js';

describe('two people at once', () => {
  // Whatever two requests share by mistake (an options object, a header list, a connection) shows when they interleave.
  it("never get each other's data", async () => {
    const { url, spark } = await startApp({
      emulator: {
        people: ['ann', 'bob'].map((username) => ({ username, password: 'spark', roles: ['private' as const] })),
      },
      proxy: { connections: 4 },
    });
    const people = await Promise.all(
      ['ann', 'bob'].map(async (username) => {
        const visitor = new Visitor(url);
        await visitor.signIn('/', { username });
        return { username, visitor };
      }),
    );

    const replies = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        if (i === 80) spark.expireAllAccessTokens('ann');
        if (i === 120) spark.expireAllAccessTokens();
        const { username, visitor } = people[i % 2] ?? { username: '', visitor: new Visitor(url) };
        const { status, body } = await visitor.call('/spark/v1/my/account');
        return { username, status, email: body.D.Results?.[0]?.Emails?.[0]?.Address };
      }),
    );

    expect(replies).toEqual(
      replies.map(({ username }) => ({ username, status: 200, email: `${username}@example.com` })),
    );
  });

  it("never send each other's token or body, with expired tokens and bodies of all kinds", async () => {
    const upstream = await startUpstream((seen, _req, res) => {
      const person = seen.headers['x-person'];
      const { authorization = '' } = seen.headers;
      const wrong = !authorization.startsWith(`OAuth ${person}-`) || !seen.body.toString().startsWith(`${person}:`);
      if (wrong) res.writeHead(500).end();
      else if (authorization.endsWith('-0')) res.writeHead(401).end('{"D":{"Code":1020}}');
      else res.end(seen.body);
    });
    const { url, renewals } = await startProxy({ target: upstream.url, proxy: { connections: 3 } });

    const replies = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const person = ['ann', 'bob', 'cyd'][i % 3] ?? '';
        const body = `${person}:${i}:`.padEnd(1 + ((i * 997) % 20_000), 'x');
        const headers = { 'X-Person': person, ...(i % 2 ? { 'Transfer-Encoding': 'chunked' } : {}) };
        const reply = await call(`${url}/spark/v1/x/${i}`, { method: 'POST', headers, body });
        return reply.status === 200 && reply.body.toString() === body;
      }),
    );

    expect(replies).toEqual(Array(200).fill(true));
    expect(renewals()).toBe(3);
  });
});

describe('two people', () => {
  // A server in front sends many people's requests over one connection; an options object that is filled anew for each
  // of them still has what the one before brought and the next did not.
  it('one after the other, over one connection, send nothing of each other', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
    const ann = ['X-Person: ann', 'If-None-Match: "of ann"', 'X-Secret: of ann', 'Content-Length: 3'];
    const bob = ['X-Person: bob', 'Connection: close'];
    const common = 'HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin';

    await rawCall(
      url,
      `POST /spark/v1/x ${common}\r\n${ann.join('\r\n')}\r\n\r\nannGET /spark/v1/y ${common}\r\n${bob.join('\r\n')}\r\n\r\n`,
    );

    const [first, second] = ['ann', 'bob'].map((name) =>
      upstream.seen.find(({ headers }) => headers['x-person'] === name),
    );
    expect(first?.headers.authorization).toBe('OAuth ann-0');
    expect(second?.headers.authorization).toBe('OAuth bob-0');
    expect(`${second?.rawHeaders} ${second?.body}`).not.toMatch(/ann|content-length/i);
  });
});
