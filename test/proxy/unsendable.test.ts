import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { call, rawCall, startProxy, startUpstream } from './support.js';

const CONNECTIONS = 2;

describe('a request that the HTTP client will not write', () => {
  // The pool took each for a connection that is busy, and waited for ever to hear that it is free again.
  it('costs no connection to the API', async () => {
    const upstream = await startUpstream();
    let application: Express | undefined;
    const before = (app: Express): void => {
      application = app;
    };
    await startProxy({
      target: upstream.url,
      proxy: { connections: CONNECTIONS, timeouts: { connectMs: 500 } },
      before,
    });
    // A server that takes what RFC 9110 §5.5 forbids in header values, as some are set up for old clients.
    const lenient = createServer({ insecureHTTPParser: true }, application);
    await new Promise<void>((resolve) => {
      lenient.listen(0, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(lenient.address() as AddressInfo).port}`;
    const head = 'GET /spark/v1/x HTTP/1.1\r\nHost: app\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n';

    const answers: string[] = [];
    for (let i = 0; i <= CONNECTIONS; i += 1) answers.push(await rawCall(url, `${head}X-Odd: a\u0001b\r\n\r\n`));
    const next = await call(`${url}/spark/v1/x`);
    lenient.close();

    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['502', '502', '502']);
    expect(next.status).toBe(200);
    expect(upstream.seen).toHaveLength(1);
  });
});
