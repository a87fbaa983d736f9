import { call, dial, startProxy, startUpstream, until } from './support.js';

describe('a client that reads nothing', () => {
  // One person with as many downloads as there are connections to the API would keep everybody out, for as long as they like.
  it('does not keep its connection to the API for longer than idleMs', async () => {
    const upstream = await startUpstream((seen, _req, res) =>
      seen.target === '/v1/big' ? res.end(Buffer.alloc(30_000_000)) : res.end('{}'),
    );
    const { url, errors } = await startProxy({
      target: upstream.url,
      proxy: { connections: 1, timeouts: { idleMs: 500, connectMs: 5_000 } },
    });
    const client = dial(url);
    client.pause();
    client.write('GET /spark/v1/big HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => upstream.seen.length === 1);

    expect((await call(`${url}/spark/v1/x`)).status).toBe(200);
    expect(errors).toEqual([]);
  });

  it('gets the rest when it reads again in time, for however long that lasts', async () => {
    let pieces = 0;
    const upstream = await startUpstream((_seen, _req, res) => {
      res.write(Buffer.alloc(30_000_000));
      const more = setInterval(() => {
        pieces += 1;
        res.write('one more piece');
        if (pieces === 15) clearInterval(more);
        if (pieces === 15) res.end();
      }, 50);
    });
    const { url, errors } = await startProxy({ target: upstream.url, proxy: { timeouts: { idleMs: 500 } } });
    const client = dial(url);
    client.pause();
    client.write('GET /spark/v1/big HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n');
    await until(() => pieces > 1); // by now the proxy waits for its reader
    let end = '';
    client.on('data', (chunk) => {
      end = (end + chunk.toString('latin1')).slice(-50);
    });
    client.resume();
    await until(() => client.destroyed);

    expect(end).toMatch(/one more piece\r\n0\r\n\r\n$/);
    expect(errors).toEqual([]);
  });
});
