import { dial, rawCall, startProxy, startUpstream, until } from './support.js';

describe('Expect: 100-continue', () => {
  it('is answered by the application, and the body that follows reaches the API', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answer = '';
    client.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });

    client.write(
      'POST /spark/v1/contacts HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\n' +
        'Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n',
    );
    await until(() => answer.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    client.write('hello');
    await until(() => answer.includes('HTTP/1.1 200 '));

    expect(upstream.seen[0]?.body.toString()).toBe('hello');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('expect');
  });

  // http-proxy leaves its hook out for such a request, and with it the token that the hook would set.
  it("brings the session's token, and not the client's", async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    await rawCall(
      url,
      'POST /spark/v1/contacts HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nAuthorization: OAuth mine\r\n' +
        'Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
    );

    expect(upstream.seen[0]?.headers.authorization).toBe('OAuth agent-0');
  });
});
