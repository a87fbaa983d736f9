import { once } from 'node:events';
import { dial, rawCall, startProxy, startRawUpstream, startUpstream, until } from './support.js';

// A connection that has switched is past every rule: no path, no method and no origin is looked at any more.
describe('Upgrade', () => {
  it.each([
    ['websocket', ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']],
    ['h2c', ['HTTP2-Settings: AAMAAABkAAQAAP__']],
    ['TLS/1.0', []],
  ])('is an ordinary request to the API: %s', async (protocol, lines) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });

    const names = ['Upgrade', ...lines.map((line) => line.split(':', 1)[0])].join(', ');
    const head = [`GET /spark/v1/x HTTP/1.1`, 'Host: app', 'Sec-Fetch-Site: same-origin', `Upgrade: ${protocol}`];
    client.write(`${[...head, `Connection: ${names}`, ...lines].join('\r\n')}\r\n\r\n`);
    await until(() => answer.includes('\r\n\r\n{}'));

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.seen[0]?.headers).not.toHaveProperty('upgrade');
    expect(upstream.seen[0]?.headers.connection).not.toMatch(/upgrade/i);
  });

  // What the client sends after it, taking the connection for switched, must not reach the API as it is.
  it('leads nothing through that was sent after it', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const { url } = await startProxy({ target: upstream.url });

    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });

    client.write(
      'GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        '\r\nGET /v1/hidden HTTP/1.1\r\nHost: app\r\n\r\n',
    );
    await until(() => /^HTTP\/1\.1 502 /.test(answer));
    client.end();
    await once(client, 'close');

    expect(upstream.connections.map(({ received }) => received).join()).not.toContain('hidden');
  });
});

describe('CONNECT', () => {
  it.each(['evil.example:443', '127.0.0.1:22', '/spark/v1/x', 'http://evil.example/spark/v1/x'])(
    'opens no tunnel: %s',
    async (target) => {
      const upstream = await startRawUpstream(() => undefined);
      const { url } = await startProxy({ target: upstream.url });

      const answer = await rawCall(
        url,
        `CONNECT ${target} HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\nGET /v1/hidden HTTP/1.1\r\n\r\n`,
      );

      expect(answer).not.toMatch(/^HTTP\/1\.1 [12]/);
      expect(upstream.connections).toEqual([]);
    },
  );
});
