import { call, dial, rawCall, startProxy, startRawUpstream, startUpstream, until } from './support.js';

/** Would reach the API past every rule, and with no token or with somebody else's, if it were taken for a request. */
const HIDDEN = 'GET /v1/hidden HTTP/1.1\r\nHost: api.example.com\r\n\r\n';
const CHUNKED_HIDDEN = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

/**
 * Sends these bytes between two ordinary requests, while a kept connection to the API is open. Answers what came back for
 * them, and what they made the API see.
 */
async function heardBy(bytes: string): Promise<{ answers: string[]; requests: string[] }> {
  const upstream = await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'));
  const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });
  await call(`${url}/spark/v1/before`);
  const answer = await rawCall(url, bytes);
  await call(`${url}/spark/v1/after`);
  const received = upstream.connections.map((connection) => connection.received).join('');
  return {
    answers: [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status = '']) => status),
    requests: [...received.matchAll(/^([A-Z]+ \S+) HTTP\/1\.1\r$/gm)]
      .map(([, line = '']) => line)
      .filter((line) => !/\/(?:before|after)$/.test(line)),
  };
}

function head(method: string, lines: readonly string[]): string {
  const all = [
    `${method} /spark/v1/x HTTP/1.1`,
    'Host: app',
    'Sec-Fetch-Site: same-origin',
    'Connection: close',
    ...lines,
  ];
  return `${all.join('\r\n')}\r\n\r\n`;
}

// Whoever stands before or behind the application may see another end of such a request, and take the rest of it for a
// request of its own.
describe('a request that can be read in two ways', () => {
  it.each([
    ['a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked'], CHUNKED_HIDDEN],
    ['chunks and a length', ['Transfer-Encoding: chunked', `Content-Length: ${HIDDEN.length}`], `0\r\n\r\n${HIDDEN}`],
    ['chunks, then not', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], CHUNKED_HIDDEN],
    ['chunks, then not, in one line', ['Transfer-Encoding: chunked, identity'], CHUNKED_HIDDEN],
    ['chunks twice', ['Transfer-Encoding: chunked, chunked'], CHUNKED_HIDDEN],
    ['another coding', ['Transfer-Encoding: xchunked'], CHUNKED_HIDDEN],
    ['a coding in quotes', ['Transfer-Encoding: "chunked"'], CHUNKED_HIDDEN],
    ['a space before the colon', ['Transfer-Encoding : chunked'], CHUNKED_HIDDEN],
    ['a vertical tab before the coding', ['Transfer-Encoding: \x0bchunked'], CHUNKED_HIDDEN],
    ['two lengths', ['Content-Length: 0', `Content-Length: ${HIDDEN.length}`], HIDDEN],
    ['one length twice', ['Content-Length: 5', 'Content-Length: 5'], 'hello'],
    ['two lengths in one line', ['Content-Length: 5, 5'], 'hello'],
    ['a length with a sign', ['Content-Length: +5'], 'hello'],
    ['a length below 0', ['Content-Length: -1'], 'hello'],
    ['a hexadecimal length', ['Content-Length: 0x5'], 'hello'],
    ['a length that no number holds', ['Content-Length: 99999999999999999999'], 'hello'],
    ['a line that goes on', ['X-A: 1', ' Transfer-Encoding: chunked'], CHUNKED_HIDDEN],
    ['a value in the next line', ['Transfer-Encoding:', ' chunked'], CHUNKED_HIDDEN],
    ['LF alone', ['X-A: 1\nTransfer-Encoding: chunked'], CHUNKED_HIDDEN],
    ['CR alone', ['X-A: 1\rTransfer-Encoding: chunked'], CHUNKED_HIDDEN],
    ['a NUL', ['X-A: 1\0Transfer-Encoding: chunked'], CHUNKED_HIDDEN],
    ['no name', [': chunked'], ''],
  ])('never reaches the API: %s', async (_kind, lines, body) => {
    expect(await heardBy(head('POST', lines) + body)).toEqual({ answers: ['400'], requests: [] });
  });

  // The chunks would be taken off, and nothing would tell the API that what is left is packed.
  it.each(['gzip, chunked', 'identity, chunked', 'GZIP,chunked'])('never reaches the API: %s', async (coding) => {
    const heard = await heardBy(head('POST', [`Transfer-Encoding: ${coding}`, 'Connection: close']) + CHUNKED_HIDDEN);

    expect(heard).toEqual({ answers: ['501'], requests: [] });
  });

  it('never reaches the API: LF everywhere', async () => {
    expect(await heardBy(head('GET', []).replaceAll('\r\n', '\n'))).toEqual({ answers: ['400'], requests: [] });
  });

  // By then the head has gone up.
  it.each([
    ['LF alone', '5\nhello\n0\n\n'],
    ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a size that is too small', '4\r\nhello\r\n0\r\n\r\n'],
    ['an extension that ends with LF', '5;a=b\nhello\r\n0\r\n\r\n'],
  ])('breaks off at the API when it shows in a chunk: %s', async (_kind, body) => {
    const upstream = await startRawUpstream(() => undefined);
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(url, head('POST', ['Transfer-Encoding: chunked']) + body);

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    // A connection over which nothing went may stay.
    await until(() => upstream.connections.every(({ socket, received }) => socket.destroyed || received === ''));
    expect(upstream.connections.map(({ received }) => received).join()).not.toMatch(/\r\n0\r\n/); // the end of a body
  });
});

describe('a body that looks like a request', () => {
  // A proxy that says "no body" and sends it all the same makes it one: http-proxy does so with DELETE and OPTIONS.
  const sized = [`Content-Length: ${HIDDEN.length}`];
  it.each([
    ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'HEAD'].flatMap((method) => [
      [`${method}, chunked`, method, ['Transfer-Encoding: chunked'], CHUNKED_HIDDEN] as const,
      [`${method}, sized`, method, sized, HIDDEN] as const,
    ]),
    ['chunked in capitals', 'POST', ['Transfer-Encoding: CHUNKED'], CHUNKED_HIDDEN] as const,
    ['a length with a zero in front', 'POST', [`Content-Length: 0${HIDDEN.length}`], HIDDEN] as const,
    [
      'a chunk with an extension',
      'POST',
      ['Transfer-Encoding: chunked'],
      CHUNKED_HIDDEN.replace('\r', ';a=b\r'),
    ] as const,
  ])('goes up as one request, which ends in one way: %s', async (_kind, method, lines, body) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });

    const answer = await rawCall(url, head(method, lines) + body);
    const next = await call(`${url}/spark/v1/next`, { headers: { 'X-Person': 'bob' } });

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(next.status).toBe(200);
    expect(upstream.seen.map((seen) => `${seen.method} ${seen.target}`)).toEqual([`${method} /v1/x`, 'GET /v1/next']);
    const [seen] = upstream.seen;
    expect(seen?.body.toString()).toBe(HIDDEN);
    const ends = seen?.rawHeaders.filter((name) => /^(?:content-length|transfer-encoding)$/i.test(name));
    expect(ends).toHaveLength(1);
  });

  it('is a request with rules of its own where it follows the body', async () => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });
    const client = dial(url);
    let answers = '';
    client.on('data', (chunk) => {
      answers += chunk.toString('latin1');
    });

    const first = head('POST', ['Content-Length: 5']).replace('Connection: close\r\n', '');
    client.write(`${first}helloGET /spark/v1/../hidden HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n`);
    await until(() => answers.match(/HTTP\/1\.1 /g)?.length === 2);

    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(upstream.seen.map((seen) => seen.body.toString())).toEqual(['hello']);
  });
});

describe('an answer that can be read in two ways', () => {
  // The browser's connection would carry what is left of it as the answer to the next request.
  it.each([
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['one length twice', 'Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}'],
    ['two lengths in one line', 'Content-Length: 2, 2\r\n\r\n{}'],
    ['a length below 0', 'Content-Length: -1\r\n\r\n{}'],
    ['a space before the colon', 'Content-Length: 2\r\nContent-Length : 5\r\n\r\n{}'],
    ['a line that goes on', 'X-A: 1\r\n X-B: 2\r\nContent-Length: 2\r\n\r\n{}'],
  ])('is a 502: %s', async (_kind, answer) => {
    const upstream = await startRawUpstream((socket) => socket.write(`HTTP/1.1 200 OK\r\n${answer}`));
    const { url } = await startProxy({ target: upstream.url });

    expect((await call(`${url}/spark/v1/x`)).status).toBe(502);
  });

  it.each([
    ['of a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['without a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'],
  ])("never answers the next person's request with what follows it: one %s", async (_kind, answer) => {
    const upstream = await startRawUpstream((socket, request) =>
      socket.write(
        request === 1
          ? `${answer}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nof ann`
          : 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nof bob',
      ),
    );
    const { url } = await startProxy({ target: upstream.url, proxy: { connections: 1 } });

    await call(`${url}/spark/v1/x`, { headers: { 'X-Person': 'ann' } });
    const { body } = await call(`${url}/spark/v1/x`, { headers: { 'X-Person': 'bob' } });

    expect(body.toString()).toBe('of bob');
  });
});

// Headers that come after the body have been past every rule by then.
describe('trailers', () => {
  it('of a request stay here', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
    const { url } = await startProxy({ target: upstream.url });
    const trailers = 'Authorization: OAuth mine\r\nX-HTTP-Method-Override: DELETE\r\nX-Sum: 1';

    await rawCall(
      url,
      `${head('POST', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'])}5\r\nhello\r\n0\r\n${trailers}\r\n\r\n`,
    );

    const [{ received } = { received: '' }] = upstream.connections;
    expect(received).toContain('hello');
    expect(received).not.toMatch(/trailer|x-sum|mine|override/i);
  });

  it('of an answer stay here', async () => {
    const upstream = await startRawUpstream((socket) => {
      const trailers = 'Set-Cookie: connect.sid=evil\r\nX-Sum: 1';
      socket.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n5\r\nhello\r\n0\r\n${trailers}\r\n\r\n`,
      );
    });
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(url, head('GET', ['TE: trailers']));

    expect(answer).toMatch(/\r\n5\r\nhello\r\n0\r\n\r\n$/);
    expect(answer).not.toMatch(/trailer|x-sum|evil/i);
  });
});

describe('interim answers of the API', () => {
  it.each(['102 Processing', '103 Early Hints', '199 Whatever'])('are for this hop alone: %s', async (interim) => {
    const upstream = await startRawUpstream((socket) =>
      socket.write(
        `HTTP/1.1 ${interim}\r\nSet-Cookie: connect.sid=evil\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}`,
      ),
    );
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(url, head('GET', []));

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/\r\n\r\n\{\}$/);
    expect(answer).not.toContain('evil');
  });
});

describe('a request that is too long', () => {
  it.each([
    ['a header', '', [`X-Big: ${'x'.repeat(20_000)}`]],
    ['many headers', '', Array.from({ length: 5_000 }, (_, i) => `X-${i}: 1`)],
    ['a target', `?${'x'.repeat(20_000)}`, []],
  ])('is refused with 431, and nothing of it goes up: %s', async (_kind, query, lines) => {
    const upstream = await startUpstream();
    const { url } = await startProxy({ target: upstream.url });

    const answer = await rawCall(url, head('GET', lines).replace('/v1/x', `/v1/x${query}`));

    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(upstream.seen).toEqual([]);
  });
});
