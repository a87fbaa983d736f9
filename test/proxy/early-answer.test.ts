import { dial, startProxy, startRawUpstream, until } from './support.js';

const BIG = 8 * 1024 * 1024;
const HEAD = `POST /spark/v1/photos HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nContent-Length: ${BIG}\r\n\r\n`;

describe('an API that answers before the upload has ended', () => {
  // A body that nobody reads any more would keep the client writing, and it would never come to read the answer.
  it.each(['close', 'keep-alive'])('is heard by a client that goes on sending: Connection: %s', async (connection) => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: ${connection}\r\n\r\nbig`);
      if (connection === 'close') socket.end();
    });
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });

    client.write(HEAD);
    client.write(Buffer.alloc(1024));
    await until(() => answer.includes('\r\n\r\nbig'));
    let whole = false;
    client.write(Buffer.alloc(BIG - 1024), () => {
      whole = true;
    });
    await until(() => whole);

    // The connection to the client is still good for the next request.
    answer = '';
    client.write('GET /spark/v1/../x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n\r\n');
    await until(() => answer.startsWith('HTTP/1.1 400 '));
    expect(upstream.requests()).toBe(1);
  });

  it('is heard when there is no token for the upload at all', async () => {
    const upstream = await startRawUpstream(() => undefined);
    const { url, tokens } = await startProxy({ target: upstream.url });
    tokens.use = async () => {
      throw new Error('the store is away');
    };
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    let whole = false;

    client.write(HEAD);
    client.write(Buffer.alloc(BIG), () => {
      whole = true;
    });

    await until(() => whole && answer.startsWith('HTTP/1.1 500 '));
    expect(upstream.requests()).toBe(0);
  });
});
