import { inspect } from 'node:util';
import { RedisStore } from 'connect-redis';
import { createLoginSite } from '../../example-app/index.js';
import { logError } from '../../example-app/log.js';
import { createSparkEmulator } from '../../src/emulator/index.js';
import { UnavailableError } from '../../src/index.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { serve } from './servers.js';
import { Visitor } from './visitor.js';

let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation();
});
afterEach(() => {
  log.mockRestore();
});

/** As a console prints it: an error with its own properties. */
function logged(): string {
  return log.mock.calls
    .flat()
    .map((part) => (typeof part === 'string' ? part : inspect(part)))
    .join('\n');
}

describe('the log of the site', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  /** A Redis that is full: it reads, and refuses to write. */
  async function fill(): Promise<void> {
    await redis.connect().config('SET', 'maxmemory', '1');
  }

  // ioredis puts the command with its arguments on the errors that Redis answers.
  it('holds no session where Redis refuses to store one', async () => {
    const spark = await createSparkEmulator().listen(0);
    const store = new RedisStore({ client: redis.connect() });
    const server = await serve((origin) =>
      createLoginSite({ baseURL: origin, emulator: spark, session: { secret: 'a-secret', store } }),
    );
    await fill();

    const page = await new Visitor().signIn(`${server.origin}/login`, 'agent');

    expect(page.status).toBeGreaterThanOrEqual(500);
    expect(logged()).toContain('OOM command not allowed');
    expect(logged()).not.toMatch(/agent@example\.com|passport"|sess:/);
    await server.close();
    await spark.close();
  });

  it('says what happened and where, and no arguments of the command', async () => {
    await fill();
    const client = redis.connect();

    logError(await client.set('session:1', '{"user":"somebody"}').catch((error: unknown) => error));

    expect(logged()).toMatch(/^passport-spark login site: ReplyError: OOM command not allowed.*\n {4}at /);
    expect(logged()).not.toMatch(/somebody|session:1/);
  });

  it('says the code and the cause of what nobody expected', () => {
    const error = Object.assign(new Error('it broke', { cause: new Error('the line was cut') }), { code: 'EPIPE' });

    logError(error);

    expect(logged()).toMatch(/login site: EPIPE: Error: it broke\n[\s\S]*\nCause: Error: the line was cut$/);
  });

  it('says in one line what this package knows by name', () => {
    logError(new UnavailableError('Away.', { code: 'store_unavailable', cause: new Error('the line was cut') }));

    expect(logged()).toBe('passport-spark login site: store_unavailable: Away.; the line was cut');
  });

  it('says of what is no error that it is none', () => {
    logError({ password: 'hush' });

    expect(logged()).toBe('passport-spark login site: something that is no error was thrown, of type object');
  });
});
