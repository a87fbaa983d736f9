import { startApp } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

const attemptCookies = (person: Visitor): string[] =>
  person.cookies().filter((name) => name.startsWith('spark-attempt.'));

it('lets two tabs both finish, in either order', async () => {
  const { url } = await startApp();
  const person = new Visitor(url);
  const first = await person.goToSpark('/first');
  const second = await person.goToSpark('/second');

  expect((await person.back(second)).headers.location).toBe('/second');
  expect((await person.back(first)).headers.location).toBe('/first');
  expect((await person.page('/')).status).toBe(200);
});

it('keeps at most five attempts, and drops the oldest', async () => {
  const { url } = await startApp();
  const person = new Visitor(url);
  const oldest = await person.goToSpark('/oldest');
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (let i = 0; i < 5; i += 1) await person.page(`/${i}`);
  expect(attemptCookies(person)).toHaveLength(5);
  expect((await person.back(oldest)).text).toContain('This sign-in is over');
});

it('keeps each attempt in a cookie of at most 1 KiB, even for a long page address', async () => {
  const { url } = await startApp();
  const reply = await new Visitor(url).page(`/${'a'.repeat(510)}`);
  const [cookie = ''] = [reply.headers['set-cookie']].flat() as string[];
  const value = /=([^;]*);/.exec(cookie)?.[1] ?? '';
  expect(value.length).toBeLessThanOrEqual(1_024);
  expect(cookie).toMatch(/; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
});

it('uses __Host- and Secure where the callback is https', async () => {
  const { url } = await startApp({ strategy: { callbackURL: 'https://app.example.com/auth/spark/callback' } });
  const [cookie = ''] = [(await new Visitor(url).page('/')).headers['set-cookie']].flat() as string[];
  expect(cookie).toMatch(/^__Host-spark-attempt\./);
  expect(cookie).toContain('; Secure');
});

it('answers the callback with nothing to keep, and tells no site its address: that holds the code', async () => {
  const { url } = await startApp();
  const { headers } = await new Visitor(url).signIn('/page');
  expect(headers).toMatchObject({ location: '/page', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
});

it('sends a person who reloads the callback to the front page, and spends the code once', async () => {
  const { url, spark } = await startApp();
  const person = new Visitor(url);
  const address = await person.goToSpark('/page');
  await person.back(address);
  expect((await person.back(address)).headers.location).toBe('/');
  expect(spark.grants('authorization_code')).toHaveLength(1);
});

// Login CSRF: the attacker sends the victim a callback with a code of the attacker's own.
it('refuses a callback in a browser that did not begin it, and does not spend its code', async () => {
  const { url, spark } = await startApp();
  const address = await new Visitor(url).goToSpark('/page');
  const victim = new Visitor(url);
  const page = await victim.back(address);
  expect(page.status).toBe(403);
  expect(page.text).toContain('began in another browser');
  expect(spark.grants()).toHaveLength(0);
  expect((await victim.call('/spark/v1/system')).status).toBe(401);
});

it.each([
  ['another state', (address: string) => address.replace(/state=[^&]*/, 'state=another')],
  ['no state', (address: string) => address.replace(/&?state=[^&]*/, '')],
  ['two codes', (address: string) => `${address}&code=second`],
  ['no code', (address: string) => address.replace(/code=[^&]*&?/, '')],
])('refuses a callback with %s', async (_name, change) => {
  const { url, spark } = await startApp();
  const person = new Visitor(url);
  const page = await person.back(change(await person.goToSpark('/page')));
  expect(page.status).toBe(403);
  expect(page.text).toContain('This sign-in is over');
  expect(spark.grants()).toHaveLength(0);
});

it.each([
  ['openid.return_to', 'https://evil.example.com/cb'],
  ['openid.op_endpoint', 'https://evil.example.com/openid'],
  ['openid.signed', 'mode,return_to'],
])('refuses a hybrid callback whose %s is not what was agreed', async (name, value) => {
  const { url, spark } = await startApp({ strategy: { flow: 'hybrid' } });
  const person = new Visitor(url);
  const address = new URL(await person.goToSpark('/page'));
  address.searchParams.set(name, value);
  expect((await person.back(address.href)).status).toBe(403);
  expect(spark.grants()).toHaveLength(0);
});

it('takes the minimal hybrid callback of the vendor page', async () => {
  const { url } = await startApp({ strategy: { flow: 'hybrid' }, emulator: { hybridCallback: 'minimal' } });
  expect((await new Visitor(url).signIn('/page')).headers.location).toBe('/page');
});

it('refuses an attempt cookie that was tampered with', async () => {
  const { url, spark } = await startApp();
  const begun = new Visitor(url);
  const address = await begun.goToSpark('/page');
  const [name = ''] = attemptCookies(begun);
  const { pathname, search } = new URL(address);
  const forged = await new Visitor(url)
    .page(pathname + search)
    .set('Cookie', `${name}=eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..a.b.c`);
  expect(forged.status).toBe(403);
  expect([forged.headers['set-cookie']].flat().join()).toContain(`${name}=; Path=/; Expires=Thu, 01 Jan 1970`);
  expect(spark.grants()).toHaveLength(0);
});

/** The attempt cookie of a visit to the wall, as name and value, and the callback that Spark answers it with. */
async function begun(url: string, page: string): Promise<{ name: string; value: string; path: string }> {
  const away = await new Visitor(url).page(page);
  const [cookie = ''] = [away.headers['set-cookie']].flat() as string[];
  const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(cookie) ?? [];
  const { pathname, search } = new URL(await answerSpark(away.headers.location as string));
  return { name, value, path: pathname + search };
}

it('refuses an attempt under the name of another: its state is not the one that came back', async () => {
  const { url, spark } = await startApp();
  const [one, two] = [await begun(url, '/one'), await begun(url, '/two')];
  const swapped = await new Visitor(url).page(one.path).set('Cookie', `${one.name}=${two.value}`);
  expect(swapped.status).toBe(403);
  expect(spark.grants()).toHaveLength(0);
  const right = await new Visitor(url).page(one.path).set('Cookie', `${one.name}=${one.value}`);
  expect(right.headers.location).toBe('/one');
});

// A sibling subdomain, or a plain connection, can write any cookie but one whose name begins with __Host-.
it('refuses an attempt of https in a cookie that anybody could have written', async () => {
  const { url, spark } = await startApp({ strategy: { callbackURL: 'https://localhost/auth/spark/callback' } });
  const { name, value, path } = await begun(url, '/page');
  const plain = name.replace('__Host-', '');
  expect((await new Visitor(url).page(path).set('Cookie', `${plain}=${value}`)).status).toBe(403);
  expect(spark.grants()).toHaveLength(0);
  expect((await new Visitor(url).page(path).set('Cookie', `${name}=${value}`)).headers.location).toBe('/page');
});

it('refuses an attempt that took longer than ten minutes, whatever the browser kept', async () => {
  const { url, spark } = await startApp();
  const { name, value, path } = await begun(url, '/page');
  const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 11 * 60_000);
  const late = await new Visitor(url).page(path).set('Cookie', `${name}=${value}`);
  clock.mockRestore();
  expect(late.status).toBe(403);
  expect(spark.grants()).toHaveLength(0);
});

// The emulator takes no code without the verifier of the challenge.
it.each(['oauth2', 'hybrid'] as const)('sends the PKCE challenge, and its verifier with the code: %s', async (flow) => {
  const { url, spark } = await startApp({ strategy: { flow, pkce: true, scope: ['a', 'b'] } });
  const person = new Visitor(url);
  const away = new URL((await person.page('/page')).headers.location as string);
  expect(away.searchParams.get('code_challenge_method')).toBe('S256');
  expect(away.searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/);
  expect(away.searchParams.get('scope')).toBe('a b');
  expect((await person.signIn('/page')).headers.location).toBe('/page');
  expect(spark.grants('authorization_code')).toMatchObject([{ status: 200 }]);
});

it('calls a custom state store by its arity, and refuses what it refuses', async () => {
  let verdict = true;
  const store = {
    store: (_req: unknown, state: unknown, _meta: unknown, done: (e: null, state: string) => void) =>
      done(null, `kept-${String(state)}`),
    verify: (_req: unknown, _state: string, done: (e: null, ok: boolean) => void) => done(null, verdict),
  };
  const { url } = await startApp({ strategy: { store, state: 'mine' } });
  const person = new Visitor(url);
  const away = new URL((await person.page('/page')).headers.location as string);
  expect(away.searchParams.get('state')).toBe('kept-mine');
  expect((await person.signIn('/page')).headers.location).toBe('/page');
  verdict = false;
  expect((await new Visitor(url).signIn('/page')).status).toBe(403);
});

// Spark may leave the state out of an error, so anybody's link can look like one: its words are not Spark's.
it('shows none of the text of an error that this browser did not ask for', async () => {
  const { url } = await startApp();
  const text = 'Call 555-0100 and tell your password';
  const page = await new Visitor(url).page(
    `/auth/spark/callback?error=server_error&error_description=${encodeURIComponent(text)}`,
  );
  expect(page.status).toBe(502);
  expect(page.text).not.toContain('555');
});
