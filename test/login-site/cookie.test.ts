import type session from 'express-session';
import { MemoryStore } from 'express-session';
import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { serve, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

let spark: SparkEmulatorHandle;
let server: TestServer;

beforeAll(async () => {
  spark = await createSparkEmulator().listen(0);
});
afterEach(() => server.close());
afterAll(() => spark.close());

function sessionCookies({ cookiesSet }: Visitor): string[] {
  return cookiesSet.filter((cookie) => /\bsid=/.test(cookie)).map((cookie) => cookie.replace(/=s%3A[^;]+/, '=…'));
}

describe("the site's session cookie", () => {
  it('is for this site alone, out of reach of scripts, and set at sign-in only', async () => {
    server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark }));
    const visitor = new Visitor();
    await visitor.visit(`${server.origin}/`);
    await visitor.visit(`${server.origin}/account`);
    await visitor.signIn(`${server.origin}/login`, 'agent', 'deny');
    expect(sessionCookies(visitor)).toEqual([]);

    await visitor.signIn(`${server.origin}/login`, 'agent');

    expect(sessionCookies(visitor)).toEqual(['spark-login.sid=…; Path=/; HttpOnly; SameSite=Lax']);
  });

  it('is Secure where the base URL is https, behind a proxy that ends TLS too', async () => {
    const secure = (origin: string): string => origin.replace('http:', 'https:');
    server = await serve((origin) => createLoginSite({ baseURL: secure(origin), emulator: spark }));
    const visitor = new Visitor();

    const page = await visitor.signIn(`${secure(server.origin)}/login`, 'agent');

    expect(page).toMatchObject({ url: `${secure(server.origin)}/account`, status: 200 });
    expect(sessionCookies(visitor)).toEqual(['__Secure-spark-login.sid=…; Path=/; HttpOnly; Secure; SameSite=Lax']);
  });

  it('says once in the log why it is not set behind a proxy that does not tell of https', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const plain = { 'x-forwarded-proto': '' };
    server = await serve((origin) =>
      createLoginSite({ baseURL: origin.replace('http:', 'https:'), emulator: spark, session: { name: 'login.sid' } }),
    );
    const visitor = new Visitor();
    const secure = server.origin.replace('http:', 'https:');
    const signIn = async (headers: Readonly<Record<string, string>>): Promise<void> => {
      const answer = await visitor.goToSpark(`${secure}/login`);
      const callback = (await answer('agent', { follow: false })).headers.get('location') ?? '';
      await visitor.visit(callback, { headers, follow: false });
    };

    await visitor.visit(`${secure}/`, { headers: plain }); // a probe of the proxy, for one
    await signIn({});
    expect(log).not.toHaveBeenCalled();
    expect(sessionCookies(visitor)).toHaveLength(1);

    await signIn(plain);
    await signIn(plain);

    expect(sessionCookies(visitor)).toHaveLength(1);
    expect(log.mock.calls).toEqual([[expect.stringContaining('Have the proxy that ends TLS send that header.')]]);
    log.mockRestore();
  });

  it('follows the options of the application, but for what makes it safe', async () => {
    const store = new MemoryStore();
    const cookie = { httpOnly: false, sameSite: 'strict', maxAge: 60_000 } as const;
    const options: session.SessionOptions = {
      name: 'mine.sid',
      secret: 'a-secret',
      store,
      saveUninitialized: true,
      cookie,
    };
    server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: spark, session: options }));
    const visitor = new Visitor();
    await visitor.visit(`${server.origin}/`);
    expect(sessionCookies(visitor)).toEqual([]);

    await visitor.signIn(`${server.origin}/login`, 'agent');

    const [mine] = sessionCookies(visitor);
    expect(mine).toMatch(/^mine\.sid=…; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    expect(Object.keys((store as unknown as { sessions: object }).sessions)).toHaveLength(1);
  });
});
