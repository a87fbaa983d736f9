import { request } from 'node:http';
import express from 'express';
import { createSparkEmulator } from '../../src/emulator/index.js';
import { CALLBACK, envelopeOf, spark, startEmulator, until } from './start.js';

describe('listen()', () => {
  it('serves on the own machine only and tells its address', async () => {
    const { url } = await startEmulator();

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('rejects when the port is taken', async () => {
    const { url } = await startEmulator();

    await expect(createSparkEmulator().listen(Number(new URL(url).port))).rejects.toThrow('EADDRINUSE');
  });

  // Node takes a text for the path of a pipe: it would listen there, and tell an address that nobody can call.
  it.each(['abc', '', -1, 65_536, 1.5, null])('takes no other port than a number: %p', async (port) => {
    await expect(createSparkEmulator().listen(port as number)).rejects.toThrow(
      'write a number from 0 (any that is free)',
    );
  });

  it('gives an address that can be called when it listens everywhere', async () => {
    const handle = await createSparkEmulator().listen(0, '0.0.0.0');

    expect((await fetch(`${handle.url}/openid/logout`)).status).toBe(200);
    await handle.close();
  });

  it('keeps its tokens over close() and a new listen()', async () => {
    const emulator = createSparkEmulator();
    const first = await emulator.listen(0);
    const { access_token } = await spark(first).tokensOf('agent');
    await first.close();
    await first.close();

    const second = spark(await emulator.listen(0));

    expect((await second.call('/v1/system', access_token)).status).toBe(200);
    expect(second.grants()).toHaveLength(1);
    await second.close();
  });
});

it('works below a path of another application, behind its body parser', async () => {
  const app = express().use(express.json()).use('/spark', createSparkEmulator().app);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const base = `http://127.0.0.1:${port}/spark`;
  try {
    const query = new URLSearchParams({ response_type: 'code', client_id: 'emulator-client', redirect_uri: CALLBACK });
    const page = await (await fetch(`${base}/oauth2?${query}`)).text();
    expect(page).toContain('action="/spark/oauth2"');

    const grant = await fetch(`${base}/v1/oauth2/grant`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'emulator-client',
        client_secret: 'emulator-secret',
        grant_type: 'password',
        username: 'agent',
        password: 'spark',
      }),
    });
    const { access_token } = (await grant.json()) as { access_token: string };
    const headers = { authorization: `OAuth ${access_token}`, 'content-type': 'application/json' };
    const system = await envelopeOf(await fetch(`${base}/v1/system`, { headers }));
    expect(system.Results[0]?.Configuration).toMatchObject([{ OAuth2ServiceEndpointPrivate: `${base}/oauth2` }]);
    const consumed = await fetch(`${base}/v1/contacts`, { method: 'POST', headers, body: '{"D":{}}' });
    expect((await envelopeOf(consumed)).Code).toBe(1035);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

it('survives clients that leave in the middle of their request, and reports no error of its own', async () => {
  const environment = process.env.NODE_ENV;
  process.env.NODE_ENV = 'development'; // Express reports errors in every environment but "test"
  const errors = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const emulator = await startEmulator();
    const { access_token } = await emulator.tokensOf('agent');
    const { hostname, port } = new URL(emulator.url);
    const upload = request({
      hostname,
      port,
      path: '/v1/echo',
      method: 'POST',
      headers: { authorization: `OAuth ${access_token}`, 'content-length': 1_000 },
    });
    upload.on('error', () => undefined);
    upload.write('half');
    await until(() => emulator.requests()[0]?.bodyLength === 4);
    upload.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect((await emulator.call('/v1/system', access_token)).status).toBe(200);
    expect(emulator.requests()).toMatchObject([{ status: null, bodyLength: 4 }, { status: 200 }]);
    expect(errors).not.toHaveBeenCalled();
  } finally {
    process.env.NODE_ENV = environment;
    errors.mockRestore();
  }
});
