import { MemoryStore } from 'express-session';
import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { MemoryTokenStore } from '../../src/index.js';
import { serve, strategyAt, type TestServer } from './servers.js';
import { type Visit, Visitor } from './visitor.js';

/** A session store whose database can be cut off. */
class SessionStore extends MemoryStore {
  away: 'not' | 'for all' | 'for writing' = 'not';

  override get(...[id, done]: Parameters<MemoryStore['get']>): void {
    if (this.away === 'for all') done(new Error('the line was cut'));
    else super.get(id, done);
  }

  override set(...[id, session, done]: Parameters<MemoryStore['set']>): void {
    if (this.away === 'not') super.set(id, session, done);
    else done?.(new Error('the line was cut'));
  }
}

class TokenStore extends MemoryTokenStore {
  away = false;

  override async read(...args: Parameters<MemoryTokenStore['read']>): ReturnType<MemoryTokenStore['read']> {
    if (this.away) throw new Error('the line was cut');
    return await super.read(...args);
  }
}

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;
let sessions: SessionStore;
let tokens: TokenStore;
let log: jest.SpyInstance;

beforeEach(async () => {
  log = jest.spyOn(console, 'error').mockImplementation();
  spark = await createSparkEmulator().listen(0);
  sessions = new SessionStore();
  tokens = new TokenStore();
  server = await serve((origin) => {
    const strategy = strategyAt(spark, `${origin}/auth/spark/callback`, { tokenStore: tokens });
    return createLoginSite({ baseURL: origin, strategy, session: { secret: 'a-secret', store: sessions } });
  });
  visitor = new Visitor();
});

afterEach(async () => {
  await server.close();
  await spark.close();
  log.mockRestore();
});

/** A page that says that it is not possible now, as a page of the site. */
function expectAway(page: Visit, code: string): void {
  expect(page).toMatchObject({ status: 503, text: expect.stringContaining('Not possible right now') });
  expect(page.text).toContain(`Code: ${code}`);
  expect(page.text).not.toMatch(/the line was cut|store did not answer/);
  expect(page.headers.get('retry-after')).toBe('1');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  expect(page.headers.get('cache-control')).toBe('no-store');
}

const call = (path: string): Promise<Visit> =>
  visitor.visit(server.origin + path, { headers: { accept: '*/*', 'sec-fetch-mode': 'cors' } });

describe('while the session store is away', () => {
  beforeEach(async () => {
    await visitor.signIn(`${server.origin}/login`, 'agent');
    sessions.away = 'for all';
  });

  it.each(['/', '/account', '/auth/spark/callback?code=1&state=2'])('%s says so', async (path) => {
    expectAway(await visitor.visit(server.origin + path), 'session_store_unavailable');
    expect(log).toHaveBeenCalledWith(expect.stringContaining('session_store_unavailable: '));
    expect(log).toHaveBeenCalledWith(expect.stringContaining('the line was cut'));
  });

  it('calls of the API get the code in JSON', async () => {
    const { status, headers, text } = await call('/spark/v1/listings');

    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(text).D).toMatchObject({ Success: false, Code: 503, Error: 'session_store_unavailable' });
  });

  it('styles and scripts come as ever', async () => {
    const { status, headers } = await call('/assets/site.css');

    expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=0']);
  });

  it('nobody is signed out by it', async () => {
    await visitor.visit(`${server.origin}/account`);
    sessions.away = 'not';

    expect((await visitor.visit(`${server.origin}/account`)).text).toContain('<h1>Agent Example</h1>');
  });
});

// Stores tell express-session that they lost their connection, which then goes on without a session.
it('says so where the session store has said that it is away', async () => {
  await visitor.visit(`${server.origin}/`);
  sessions.emit('disconnect');

  expectAway(await visitor.visit(`${server.origin}/`), 'no_session');
  expect(JSON.parse((await call('/spark/v1/listings')).text).D.Error).toBe('no_session');
});

it('says so where the session store does not take the session of a sign-in', async () => {
  sessions.away = 'for writing';

  expectAway(await visitor.signIn(`${server.origin}/login`, 'agent'), 'session_failed');
  expect(log).toHaveBeenCalledWith(expect.stringContaining('the line was cut'));
});

it('says so while the token store is away', async () => {
  await visitor.signIn(`${server.origin}/login`, 'agent');
  tokens.away = true;

  expectAway(await visitor.visit(`${server.origin}/account`), 'store_unavailable');
});

it('says when to try again where Spark is away for now', async () => {
  const away = await visitor.visit(`${server.origin}/login`, { follow: false });
  const state = new URL(away.headers.get('location') ?? '').searchParams.get('state');

  const page = await visitor.visit(`${server.origin}/auth/spark/callback?error=temporarily_unavailable&state=${state}`);

  expect([page.status, page.headers.get('retry-after')]).toEqual([503, '1']);
  expect(page.text).toContain('Spark can not sign anybody in right now.');
});
