import { cookieOf, startWorld } from '../lane/roads.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { call, startProxy, startRawUpstream } from './support.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const NOT_MODIFIED = 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 123\r\n\r\n';

describe('a 304 that tells the length of what it stands for', () => {
  // express-session ends the answer when the store has touched the session: until then the HTTP client's complaint
  // about the missing body must not cut it.
  it('reaches the client, though the session store takes its time to touch', async () => {
    const upstream = await startRawUpstream((socket) => socket.write(NOT_MODIFIED));
    const world = await startWorld({
      road: 'slow',
      storeName: 'redis',
      redis: server.connect(),
      upstream: upstream.url,
    });
    await world.signIn('ann');

    const reply = await call(`${world.url}/spark/v1/x`, { headers: { Cookie: cookieOf('ann') } });

    expect(reply).toMatchObject({ status: 304, broken: false, headers: { etag: '"x"' } });
  });

  it('reaches the client, though middleware before it ends answers later', async () => {
    const upstream = await startRawUpstream((socket) => socket.write(NOT_MODIFIED));
    const { url } = await startProxy({
      target: upstream.url,
      before: (app) =>
        app.use((_req, res, next) => {
          const end = res.end.bind(res);
          res.end = ((...args: Parameters<typeof end>) => {
            setTimeout(() => end(...args), 20);
            return res;
          }) as typeof res.end;
          next();
        }),
    });

    expect(await call(`${url}/spark/v1/x`)).toMatchObject({ status: 304, broken: false });
  });
});
