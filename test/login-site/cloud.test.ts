import { createLoginSite } from '../../example-app/index.js';
import { SparkCloudStrategy } from '../../src/cloud/index.js';
import {
  createSparkCloudEmulator,
  createSparkEmulator,
  type SparkCloudEmulatorHandle,
  type SparkEmulatorHandle,
} from '../../src/emulator/index.js';
import { serve, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

describe('the page for the Spark Core cloud', () => {
  let spark: SparkEmulatorHandle;
  let clouds: SparkCloudEmulatorHandle;
  let server: TestServer;
  let visitor: Visitor;

  beforeEach(async () => {
    spark = await createSparkEmulator().listen(0);
    clouds = await createSparkCloudEmulator().listen(0);
    server = await serve((origin) =>
      createLoginSite({
        baseURL: origin,
        emulator: spark,
        cloud: new SparkCloudStrategy({ apiURL: clouds.url, origin }),
      }),
    );
    visitor = new Visitor();
  });
  afterEach(async () => {
    await server.close();
    await clouds.close();
    await spark.close();
  });

  const post = (path: string, form: Record<string, string>) =>
    visitor.visit(`${server.origin}${path}`, { method: 'POST', form });

  it('shows id, name, last heard, connected and token of every device in one table', async () => {
    expect((await visitor.visit(`${server.origin}/cloud`)).text).toContain('action="/cloud"');

    const page = await post('/cloud', { username: 'maker@example.com', password: 'spark' });

    expect(page.status).toBe(200);
    for (const heading of ['Name', 'Id', 'Last heard', 'Connected', 'Token'])
      expect(page.text).toContain(`>${heading}</th>`);
    expect(page.text).toMatch(/<tr><th scope="row">[^<]+<\/th><td><code>[0-9a-f]{24}<\/code>/);
    expect(page.text).toMatch(/<summary>…\w{4}<\/summary><code>\w{40}<\/code>/);
  });

  it('calls the cloud for the browser, and renews unseen', async () => {
    await post('/cloud', { username: 'maker@example.com', password: 'spark' });
    clouds.expireAccessTokens();
    const devices = await visitor.visit(`${server.origin}/cloud/v1/devices`, {
      headers: { accept: 'application/json' },
    });
    expect(devices.status).toBe(200);
    expect(JSON.parse(devices.text)[0]).toMatchObject({ id: expect.any(String) });
  });

  it('asks for the one-time code where the account has one', async () => {
    const page = await post('/cloud', { username: 'careful@example.com', password: 'spark' });
    expect(page.text).toContain('action="/cloud/code"');
    expect((await post('/cloud/code', { otp: '123456' })).text).toContain('Devices and tokens');
  });

  it('says when the password is wrong, and keeps nothing of it', async () => {
    const page = await post('/cloud', { username: 'maker@example.com', password: 'not-the-password' });
    expect(page.status).toBe(401);
    expect(page.text).toContain('The name or the password is not right.');
    expect(page.text).not.toContain('not-the-password');
  });

  it('signs out', async () => {
    await post('/cloud', { username: 'maker@example.com', password: 'spark' });
    expect((await post('/cloud/sign-out', {})).text).toContain('action="/cloud"');
    const devices = await visitor.visit(`${server.origin}/cloud/v1/devices`, {
      headers: { accept: 'application/json' },
    });
    expect(devices.status).toBe(401);
  });

  it('takes no form of another site', async () => {
    const page = await visitor.visit(`${server.origin}/cloud`, {
      method: 'POST',
      form: { username: 'maker@example.com', password: 'spark' },
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(page.status).toBe(403);
  });
});
