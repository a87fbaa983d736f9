import { safeReturnTo } from '../../src/signin/transaction.js';

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
