import session from 'express-session';
import { MemoryTokenStore, TokenError, UnavailableError } from '../../src/index.js';
import { startApp } from '../support/app.js';
import { freePort } from '../support/redis.js';
import { Visitor } from '../support/visitor.js';
import { call, EXPIRED, rawCall, startProxy, startUpstream } from './support.js';

describe("the proxy's own errors", () => {
  it("come in the API's envelope, and no cache keeps them", async () => {
    const upstream = await startUpstream();
    const { url, errors } = await startProxy({ target: upstream.url });

    const { status, headers, json } = await call(`${url}/spark/v1/session`);

    expect(status).toBe(403);
    expect(json).toEqual({
      D: { Success: false, Code: 403, Error: 'path_refused', Message: expect.stringContaining('/v1/session') },
    });
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(errors).toMatchObject([{ code: 'path_refused', status: 403 }]);
  });

  it('to HEAD have no body', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const reply = await call(`${url}/spark/v1/session`, { method: 'HEAD' });

    expect(reply.status).toBe(403);
    expect(reply.body).toHaveLength(0);
  });

  // An `onError` that throws must not end the process by an unhandled rejection.
  it('reach the error handler of the application when onError itself throws', async () => {
    const upstream = await startUpstream();
    const onError = () => {
      throw new Error('the logger is broken');
    };
    const { url } = await startProxy({ target: upstream.url, proxy: { onError } });

    expect((await call(`${url}/spark/v1/session`)).status).toBe(500);
  });

  it('are those of the application where its own functions throw', async () => {
    const upstream = await startUpstream();
    const allow = () => {
      throw new Error('a mistake');
    };
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { allow } });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(500);
    expect(errors).toMatchObject([{ message: 'a mistake' }]);
    expect(upstream.seen).toEqual([]);
  });

  // Where the API is reached from here is nobody's business: an address inside, a port.
  it('never tell where the API is', async () => {
    const target = `http://127.0.0.1:${await freePort()}`;
    const { url } = await startProxy({ target });

    const { status, rawHeaders, body } = await call(`${url}/spark/v1/x`);

    expect(status).toBe(502);
    expect(`${rawHeaders} ${body}`).not.toMatch(new RegExp(`127\\.0\\.0\\.1|${new URL(target).port}`));
  });

  it('never hold a token', async () => {
    const upstream = await startUpstream((_seen, req) => req.socket.destroy());
    const { url, errors } = await startProxy({ target: upstream.url });

    const { body } = await call(`${url}/spark/v1/x?secret=1`);

    expect(errors).toHaveLength(1);
    const said = body.toString() + errors.map((error) => `${error.stack}${JSON.stringify(error)}${error.cause}`);
    expect(said).not.toMatch(/agent-0|secret=1/);
  });
});

describe('a person who is signed in', () => {
  // While the store of sessions is away nobody is signed out: a page that is told 401 would send people to sign in again.
  it('is not told to sign in again when there is no session', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, noSession: true });

    const { status, headers, json } = await call(`${url}/spark/v1/x`);

    expect(status).toBe(503);
    expect(json.D).toMatchObject({ Error: 'no_session', Message: expect.stringContaining('mount it there') });
    expect(headers['retry-after']).toBe('1');
  });

  it('is not told to sign in again when express-session has lost its store', async () => {
    const store = new session.MemoryStore();
    const { url } = await startApp({ session: { store } });
    const person = new Visitor(url);
    await person.signIn();

    store.emit('disconnect');
    const away = await person.call('/spark/v1/my/account');
    store.emit('connect');
    const back = await person.call('/spark/v1/my/account');

    expect([away.status, away.body.D.Error]).toEqual([503, 'no_session']);
    expect(back.status).toBe(200);
  });

  it('is not told to sign in again when the token store is away', async () => {
    const upstream = await startUpstream();
    const store = new MemoryTokenStore();
    const { url } = await startProxy({ target: upstream.url, tokens: { store } });
    await call(`${url}/spark/v1/x`);
    store.read = async () => {
      throw new UnavailableError('away', { code: 'store_unavailable', retryAfterMs: 2_500 });
    };

    const { status, headers, json } = await call(`${url}/spark/v1/x`);

    expect(status).toBe(503);
    expect(json.D.Error).toBe('store_unavailable');
    expect(headers['retry-after']).toBe('3');
  });

  it('gets 503 while an expired token can not be renewed, and 401 only when nothing can renew it any more', async () => {
    const upstream = await startUpstream((_seen, _req, res) => res.writeHead(401).end(EXPIRED));
    let code = 'timeout';
    const renew = async () => {
      throw new TokenError('no', code, { outcome: code === 'timeout' ? 'not-sent' : 'refused', retryAfterMs: 20 });
    };
    const { url } = await startProxy({ target: upstream.url, tokens: { renew } });

    const away = await call(`${url}/spark/v1/x`);
    code = 'invalid_grant';
    await new Promise((resolve) => setTimeout(resolve, 60));
    const ended = await call(`${url}/spark/v1/x`);

    expect([away.status, away.json.D.Error]).toEqual([503, 'renewal_failed']);
    expect([ended.status, ended.json.D.Error]).toEqual([401, 'sign_in_required']);
  });
});

describe('a connection to the application', () => {
  it('serves the next request after an error', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const head = 'HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n';
    const text = await rawCall(
      url,
      `POST /spark/v1/session ${head}Content-Length: 4\r\n\r\nbodyGET /spark/v1/x ${head}Connection: close\r\n\r\n`,
    );

    expect(text).toMatch(/^HTTP\/1\.1 403 [\s\S]+HTTP\/1\.1 200 /);
  });
});
