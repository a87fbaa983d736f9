import { createLoginSite, type LoginSiteOptions } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { ConfigError } from '../../src/index.js';
import { serve, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;

async function start(allow?: LoginSiteOptions['allow']): Promise<void> {
  spark = await createSparkEmulator().listen(0);
  server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark, allow }));
  visitor = new Visitor();
  await visitor.signIn(`${server.origin}/login`, 'agent');
}

afterEach(async () => {
  await server.close();
  await spark.close();
});

/** Does this call go up? What the API says of it is another matter. */
async function isAllowed(path: string, method: 'GET' | 'POST' = 'GET'): Promise<boolean> {
  const { text } = await visitor.visit(`${server.origin}/spark${path}`, { method });
  return !text.includes('"not_allowed"');
}

/** What the API answers with to a call of the browser. */
async function results(path: string): Promise<Record<string, string>[]> {
  return JSON.parse((await visitor.visit(`${server.origin}/spark${path}`)).text).D.Results;
}

it('lets browsers call whatever the API allows the person, where nothing is said', async () => {
  await start();

  for (const path of ['/v1/contacts', '/v1/system', '/v1/my/account']) expect(await isAllowed(path)).toBe(true);
  expect(await isAllowed('/v1/listings', 'POST')).toBe(true);
});

// The list that the README names.
it('lets them call what the application lists alone, which may be what its own pages need', async () => {
  const paths = ['/v1/listings', '/v1/listings/*', '/v1/photos/*'];
  await start(paths.map((path) => ({ methods: ['GET'], path })));

  const [listing] = await results('/v1/listings?_limit=1');
  const [photo] = await results(`${listing?.ResourceUri}/photos`);
  expect(await isAllowed(new URL(photo?.UriThumb ?? '').pathname)).toBe(true);
  for (const path of ['/v1/contacts', '/v1/system']) expect(await isAllowed(path)).toBe(false);
  expect(await isAllowed('/v1/listings', 'POST')).toBe(false);
});

// `allow: isProduction && […]` must not open everything elsewhere.
it.each([false, null, ''])('refuses %p, which is no list', async (allow) => {
  await start();

  expect(() => createLoginSite({ baseURL: server.origin, emulator: spark, allow: allow as never })).toThrow(
    ConfigError,
  );
});

it('refuses a list that can not work when it is made', async () => {
  await start();
  const allow = [{ methods: ['GET'], path: '/v1/listings/:id' }];

  expect(() => createLoginSite({ baseURL: server.origin, emulator: spark, allow })).toThrow(ConfigError);
});
