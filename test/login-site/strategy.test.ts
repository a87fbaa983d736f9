import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import type { SparkStrategyOptions } from '../../src/index.js';
import { serve, strategyAt, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;

beforeEach(async () => {
  spark = await createSparkEmulator().listen(0);
  visitor = new Visitor();
});
afterEach(async () => {
  await server.close();
  await spark.close();
});

/** The site of a host that has told its strategy how people sign in. */
async function start(options: Partial<SparkStrategyOptions>): Promise<void> {
  server = await serve((origin) => {
    const strategy = strategyAt(spark, `${origin}/auth/spark/callback`, options);
    return createLoginSite({ baseURL: origin, strategy });
  });
}

/** Where a sign-in goes, at Spark. */
async function whereTo(query = ''): Promise<string> {
  const away = await visitor.visit(`${server.origin}/login${query}`, { follow: false });
  return new URL(away.headers.get('location') ?? '').pathname;
}

/** What the form begins with. */
async function form(): Promise<{ chosen: (string | undefined)[]; portal: string | undefined; text: string }> {
  const { text } = await visitor.visit(`${server.origin}/`);
  return {
    chosen: [...text.matchAll(/value="(\w+)"[^>]* checked>/g)].map(([, value]) => value),
    portal: text.match(/name="portal" type="text" value="([^"]*)"/)?.[1],
    text,
  };
}

it.each<[string, Partial<SparkStrategyOptions>, string, string[], string]>([
  ['nothing', {}, '/oauth2', ['private', 'oauth2'], ''],
  ['a flow', { flow: 'hybrid' }, '/openid', ['private', 'hybrid'], ''],
  ['a role', { role: 'idx' }, '/oauth2', ['idx', 'oauth2'], ''],
  ['a portal', { role: 'vow', portal: 'acme' }, '/auth/vow/acme', ['vow', 'oauth2'], 'acme'],
  ['any portal', { role: 'vow', portal: false }, '/auth/vow', ['vow', 'oauth2'], ''],
  ['a portal by a function', { role: 'vow', portal: () => 'acme' }, '/auth/vow/acme', ['vow', 'oauth2'], ''],
])('signs in as a strategy that was told %s', async (_what, options, path, chosen, portal) => {
  await start(options);

  expect(await whereTo()).toBe(path);
  expect(await form()).toMatchObject({ chosen, portal });
});

it('signs in as somebody chooses who chooses otherwise', async () => {
  await start({ role: 'vow', portal: 'acme' });

  expect(await whereTo('?role=private&flow=hybrid')).toBe('/openid');
  expect(await whereTo('?role=vow&portal=other')).toBe('/auth/vow/other');
  expect(await whereTo('?portal=other')).toBe('/auth/vow/other');
});

it('asks for the portal of a strategy whose name the form can not show', async () => {
  await start({ role: 'vow', portal: () => 'acme' });

  expect(await whereTo('?role=vow&portal=')).toBe('/auth/vow/acme');
  expect((await form()).text).toContain('Left empty, it is the one of this site.');
});

it("keeps the strategy's spelling of its portal", async () => {
  await start({ role: 'vow', portal: 'MyPortal' });

  await visitor.signIn(`${server.origin}/login?role=vow&portal=myportal`, 'consumer');

  expect(JSON.parse((await visitor.visit(`${server.origin}/status`)).text)).toMatchObject({ portal: 'MyPortal' });
});

it('calls the hint of the portal no part of its name', async () => {
  await start({});

  expect((await form()).text).toMatch(/<label for="portal">Portal<\/label>\s*<p class="hint" id="portal-hint">/);
});
