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
});

afterEach(async () => {
  await server.close();
  await spark.close();
});

describe('signing in', () => {
  it.each([
    ['Private by OAuth 2', 'role=private&flow=oauth2', 'agent', 'Agent Example', { role: 'private' }],
    ['Private by hybrid', 'role=private&flow=hybrid', 'agent', 'Agent Example', { role: 'private' }],
    ['IDX by hybrid', 'role=idx&flow=hybrid', 'agent', 'Agent Example', { role: 'idx' }],
    ['IDX by OAuth 2', 'role=idx&flow=oauth2', 'agent', 'Agent Example', { role: 'idx' }],
    ['VOW by portal', 'role=vow&portal=MyPortal', 'consumer', 'Consumer Example', { role: 'vow', portal: 'myportal' }],
    ['VOW without naming a portal', 'role=vow&portal=', 'consumer', 'Consumer Example', { role: 'vow' }],
  ])('%s shows who signed in', async (_how, query, username, name, expected) => {
    const page = await visitor.signIn(`${server.origin}/login?${query}`, username);

    expect(page).toMatchObject({ url: `${server.origin}/account`, status: 200 });
    expect(page.text).toContain(`<h1>${name}</h1>`);
    expect(page.text).toContain(`${username}@example.com`);
    const status = await visitor.visit(`${server.origin}/status`);
    expect(JSON.parse(status.text)).toMatchObject({
      signedIn: true,
      generation: 0,
      state: 'live',
      renewable: true,
      ...expected,
    });
  });

  it('gives the browser the listings through the proxy', async () => {
    await visitor.signIn(`${server.origin}/login?role=private`, 'agent');

    const { status, text } = await visitor.visit(`${server.origin}/spark/v1/listings?_limit=10`);

    expect(status).toBe(200);
    expect(JSON.parse(text).D.Results).toHaveLength(10);
  });

  it('tells nobody a token: not the pages, not the status, not the cookies', async () => {
    const page = await visitor.signIn(`${server.origin}/login?role=private`, 'agent');
    const status = await visitor.visit(`${server.origin}/status`);
    await visitor.visit(`${server.origin}/spark/v1/my/account`);

    const token = String(spark.requests().at(-1)?.headers.authorization).replace(/^\S+ /, '');
    expect(token).toMatch(/^\w{20,}$/);
    for (const shown of [page.text, status.text, JSON.stringify([...page.headers])]) expect(shown).not.toContain(token);
  });

  it('says that a denial was one, with status 403, and signs nobody in', async () => {
    const page = await visitor.signIn(`${server.origin}/login?role=private`, 'agent', 'deny');

    expect(page.status).toBe(403);
    expect(page.text).toContain('You did not allow access');
    expect(page.text).toContain('choose “Allow”');
    expect((await visitor.visit(`${server.origin}/status`)).status).toBe(401);
  });

  it('does not repeat what somebody wrote into the address of the callback', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const query = 'error=<b>x</b>&error_description=Call+555-0100+now';

    const page = await visitor.visit(`${server.origin}/auth/spark/callback?${query}`);

    expect(page.status).toBeGreaterThanOrEqual(400);
    expect(page.text).not.toMatch(/555-0100|<b>/);
    expect(page.text).toContain('To the first page');
    expect(log).toHaveBeenCalledWith(expect.stringContaining('unknown_error')); // for those who run the site
    log.mockRestore();
  });

  it.each([
    ['VOW by hybrid', 'role=vow&flow=hybrid&portal=myportal', 'no hybrid flow for portals'],
    ['an unknown role', 'role=admin', 'no such role'],
    ['a portal that is no name', 'role=vow&portal=../x', 'no portal name'],
    ['a role that is given twice', 'role=private&role=idx', 'no such role'],
  ])('explains that %s does not work', async (_what, query, reason) => {
    const page = await visitor.visit(`${server.origin}/login?${query}`);

    expect(page.status).toBe(400);
    expect(page.text).toContain(reason);
  });

  it('sends people who are not signed in from the account to the first page', async () => {
    const page = await visitor.visit(`${server.origin}/account`);

    expect(page.url).toBe(`${server.origin}/?notice=sign-in`);
    expect(page.text).toContain('Sign in to see that page.');
  });

  it('offers on the first page what signing in takes', async () => {
    const { text } = await visitor.visit(`${server.origin}/`);

    expect([...text.matchAll(/name="role" value="(\w+)"/g)].map(([, role]) => role)).toEqual(['private', 'idx', 'vow']);
    expect([...text.matchAll(/name="flow" value="(\w+)"/g)].map(([, flow]) => flow)).toEqual(['oauth2', 'hybrid']);
    expect(text).toContain('id="portal" name="portal" type="text" value="myportal"');
    expect(text).toContain('Kept in memory.');
    expect(text).toContain('emulator');
  });
});

describe('an access token that expires', () => {
  it('is renewed unseen, once, and the panel learns of it', async () => {
    await visitor.signIn(`${server.origin}/login?role=private`, 'agent');
    await visitor.visit(`${server.origin}/expire`, { method: 'POST' });

    const calls = await Promise.all(
      Array.from({ length: 5 }, () => visitor.visit(`${server.origin}/spark/v1/listings?_limit=10`)),
    );

    expect(calls.map((call) => call.status)).toEqual(Array(5).fill(200));
    expect(spark.grants('refresh_token')).toHaveLength(1);
    expect(JSON.parse((await visitor.visit(`${server.origin}/status`)).text)).toMatchObject({ generation: 1 });
  });

  it('can be made to expire with an emulator only', async () => {
    const { origin, close } = await serve((own) => {
      const emulated = { url: spark.url, expireAccessToken: () => true };
      return createLoginSite({ baseURL: own, emulator: emulated });
    });
    expect((await new Visitor().visit(`${origin}/expire`, { method: 'POST' })).status).toBe(401);
    await close();
  });
});
