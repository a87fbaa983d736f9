import { startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';
import { startUpstream } from './support.js';

describe("the application's own session cookie", () => {
  it("is set on an answer of the API, and the API's cookies are not", async () => {
    const upstream = await startUpstream((_seen, _req, res) =>
      res
        .writeHead(200, { 'Set-Cookie': ['connect.sid=evil', 'other=evil'], 'Content-Type': 'application/json' })
        .end('{}'),
    );
    const { url } = await startApp({ proxy: { target: upstream.url }, session: { rolling: true } });
    const person = new Visitor(url);
    await person.signIn();

    const reply = await person.call('/spark/v1/listings');

    expect(reply.status).toBe(200);
    expect(reply.headers['set-cookie']).toEqual([expect.stringMatching(/^connect\.sid=s%3A/)]);
    expect(person.cookies()).not.toContain('other');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('cookie');
  });
});
