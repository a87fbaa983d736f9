import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { serve, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;

beforeEach(async () => {
  spark = await createSparkEmulator().listen(0);
  server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark }));
  visitor = new Visitor();
  await visitor.signIn(`${server.origin}/login?role=private`, 'agent');
});

afterEach(async () => {
  await server.close();
  await spark.close();
});

afterEach(() => jest.restoreAllMocks());

async function isSignedIn(): Promise<boolean> {
  return (await visitor.visit(`${server.origin}/status`)).status === 200;
}

describe('signing out', () => {
  it('ends the session, takes the cookie away and makes the tokens unusable at Spark', async () => {
    await visitor.visit(`${server.origin}/spark/v1/my/account`);
    const authorization = String(spark.requests().at(-1)?.headers.authorization);

    const page = await visitor.visit(`${server.origin}/logout`, { method: 'POST' });

    expect(page.url).toBe(`${server.origin}/?notice=signed-out`);
    expect(page.text).toContain('You are signed out.');
    expect(page.text).toContain(`href="${spark.url}/openid/logout"`);
    expect(await isSignedIn()).toBe(false);
    expect(visitor.cookieNames(server.origin)).not.toContain('spark-login.sid');
    expect((await visitor.visit(`${server.origin}/spark/v1/my/account`)).status).toBe(401);
    expect((await fetch(`${spark.url}/v1/my/account`, { headers: { authorization } })).status).toBe(401);
  });

  // A form on any page can post here with the person's cookie where SameSite does not help (sibling subdomains).
  it.each([
    ['from another site', { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' }],
    ['from a sibling subdomain', { 'sec-fetch-site': 'same-site', origin: 'https://other.example.com' }],
    ['typed into the address bar', { 'sec-fetch-site': 'none' }],
  ])('is refused %s', async (_where, headers) => {
    const page = await visitor.visit(`${server.origin}/logout`, { method: 'POST', headers });

    expect(page.status).toBe(403);
    expect(await isSignedIn()).toBe(true);
  });

  it.each([
    ['the own origin passes', (own: string) => own, 303],
    ['another origin does not', () => 'https://elsewhere.example', 403],
    ['"null" does not', () => 'null', 403],
    ['no origin at all does not', () => undefined, 403],
  ])('goes by Origin in browsers without Sec-Fetch-Site: %s', async (_what, origin, status) => {
    const value = origin(server.origin);
    const response = await fetch(`${server.origin}/logout`, {
      method: 'POST',
      redirect: 'manual',
      ...(value === undefined ? {} : { headers: { origin: value } }),
    });

    expect(response.status).toBe(status);
  });

  it('is not a link: a GET signs nobody out', async () => {
    expect((await visitor.visit(`${server.origin}/logout`)).status).toBe(404);
    expect(await isSignedIn()).toBe(true);
  });

  it('works while Spark is away', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    await spark.close();

    const page = await visitor.visit(`${server.origin}/logout`, { method: 'POST' });

    expect(page.url).toBe(`${server.origin}/?notice=signed-out`);
    expect(await isSignedIn()).toBe(false);
    expect(log).toHaveBeenCalledWith(expect.stringContaining('revocation_failed'));
  });

  it('also guards the button that expires the token', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };

    expect((await visitor.visit(`${server.origin}/expire`, { method: 'POST', headers })).status).toBe(403);
  });
});
