import express from 'express';
import { createSparkEmulator } from '../../src/emulator/index.js';
import { CALLBACK, envelopeOf, spark, startEmulator } from './start.js';

describe('listen()', () => {
  it('serves on the own machine only and tells its address', async () => {
    const { url } = await startEmulator();

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('rejects when the port is taken', async () => {
    const { url } = await startEmulator();

    await expect(createSparkEmulator().listen(Number(new URL(url).port))).rejects.toThrow('EADDRINUSE');
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

it('survives clients that leave in the middle of their request', async () => {
  const emulator = await startEmulator();
  const { access_token } = await emulator.tokensOf('agent');
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1_000)) });
  const errors = jest.spyOn(console, 'error').mockImplementation(() => undefined);

  await expect(
    emulator.call('/v1/echo', access_token, {
      method: 'POST',
      body: endless,
      duplex: 'half',
      signal: AbortSignal.timeout(50),
    } as RequestInit),
  ).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 50));

  expect((await emulator.call('/v1/system', access_token)).status).toBe(200);
  expect(emulator.requests()).toMatchObject([{ status: null, bodyLength: expect.any(Number) }, { status: 200 }]);
  expect(errors).not.toHaveBeenCalled();
  errors.mockRestore();
});
