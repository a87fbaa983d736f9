import type { IncomingMessage, ServerResponse } from 'node:http';
import { MemoryTokenStore, type SparkAuthenticateOptions } from '../../src/index.js';
import { Once } from '../../src/signin/once.js';
import { safeReturnTo } from '../../src/signin/return-to.js';
import { Attempts } from '../../src/signin/transaction.js';
import { CLIENT, startApp } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

const CALLBACK = '/auth/spark/callback';

it.each(['/', '/reports', '/reports?year=2026&q=a%20b', '/a/b/c#top', '/%C3%A9t%C3%A9'])('keeps %s', (wanted) => {
  expect(safeReturnTo(wanted, CALLBACK)).toBe(wanted);
});

// Each of these leads to another site in some browser, or back into the sign-in.
it.each([
  '//evil.example.com',
  '/\\evil.example.com',
  '/%5Cevil.example.com',
  '/%2f/evil.example.com',
  '/%2Fevil.example.com',
  '/.//evil.example.com',
  '/\t/evil.example.com',
  '/%09/evil.example.com',
  '/a%0d%0aSet-Cookie:x',
  '/a\nb',
  '/%00',
  'https://evil.example.com/',
  'javascript:alert(1)',
  'reports',
  '',
  '/é',
  `/${'a'.repeat(512)}`,
  '/auth/spark/callback',
  '/auth/spark/callback?code=x',
  '/auth/../auth/spark/callback',
  undefined,
  null,
  42,
  ['/a', '/b'],
])('turns %j into the front page', (wanted) => {
  expect(safeReturnTo(wanted, CALLBACK)).toBe('/');
});

// One check alone would hold as long as nobody moves it.
describe('an unsafe page', () => {
  /** The attempts of an application that seals them with this client's secret. */
  const attempts = new Attempts(CLIENT.clientSecret, new Once(new MemoryTokenStore()));
  const requestWith = (cookie: string): IncomingMessage => ({ headers: { cookie } }) as IncomingMessage;
  const response = (cookies: string[] = []): ServerResponse =>
    ({ appendHeader: (_name: string, value: string) => cookies.push(value) }) as unknown as ServerResponse;

  it('is not stored', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark', { returnTo: '//evil.example.com' } as SparkAuthenticateOptions));
      },
    });
    const away = await new Visitor(url).page('/page');
    const [cookie = ''] = [away.headers['set-cookie']].flat() as string[];
    const state = new URL(away.headers.location as string).searchParams.get('state') ?? '';

    const found = await attempts.find(requestWith(cookie), response(), state);

    expect(found?.transaction.returnTo).toBe('/');
  });

  it('is not gone to, though it was stored', async () => {
    const { url } = await startApp();
    const cookies: string[] = [];
    await attempts.begin(requestWith(''), response(cookies), {
      state: 'known',
      role: 'private',
      flow: 'oauth2',
      redirectURI: `${url}/auth/spark/callback`,
      returnTo: '//evil.example.com',
    });
    const person = new Visitor(url);
    const away = new URL((await person.page('/page')).headers.location as string);
    away.searchParams.set('state', 'known');

    const back = await person.back(await answerSpark(away.href)).set('Cookie', cookies.join());

    expect([back.status, back.headers.location]).toEqual([302, '/']);
  });
});
