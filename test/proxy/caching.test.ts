import type { Express } from 'express';
import { headerValue, responseHeadersDown } from '../../src/headers.js';
import { call, startProxy, startUpstream } from './support.js';

const MOUNT = { target: 'https://sparkapi.com', baseUrl: '/spark' };

describe('caching', () => {
  // A shared cache that keeps one person's answer serves it to the next.
  it.each([
    [[], 'private'],
    [['public'], 'private'],
    [['public, max-age=60'], 'private, max-age=60'],
    [['max-age=60, s-maxage=600'], 'private, max-age=60'],
    [['S-MaxAge=600, PUBLIC'], 'private'],
    [['private'], 'private'],
    [['private, max-age=5'], 'private, max-age=5'],
    [['private="set-cookie, x", max-age=5'], 'private, max-age=5'],
    [['no-cache="set-cookie, public", max-age=5'], 'private, no-cache="set-cookie, public", max-age=5'],
    [['no-cache'], 'private, no-cache'],
    [['no-store'], 'no-store'],
    [['No-Store, must-revalidate'], 'No-Store, must-revalidate'],
    [['public', 'max-age=1'], 'private, max-age=1'],
    [[''], 'private'],
  ])('turns Cache-Control %j into %j', (given, wanted) => {
    const raw = given.flatMap((value) => ['Cache-Control', value]);

    const down = responseHeadersDown(raw, MOUNT, 200);

    expect(headerValue(down, 'cache-control')).toBe(wanted);
    expect(down.filter((name) => name === 'Cache-Control')).toHaveLength(1);
  });

  // Without Vary: Cookie a browser that somebody else signed in to shows what it kept of the first person.
  it.each([
    [[], 'Cookie'],
    [['Accept-Encoding'], 'Accept-Encoding, Cookie'],
    [['Accept', 'Accept-Encoding'], 'Accept, Accept-Encoding, Cookie'],
    [['cookie'], 'cookie'],
    [['Accept, Cookie'], 'Accept, Cookie'],
    [['*'], '*'],
    [['X-Cookie'], 'X-Cookie, Cookie'],
  ])('turns Vary %j into %j', (given, wanted) => {
    const raw = given.flatMap((value) => ['Vary', value]);

    expect(headerValue(responseHeadersDown(raw, MOUNT, 200), 'vary')).toBe(wanted);
  });

  // Without Vary: Origin a cache gives the answer for one origin to another; without no-store the disk keeps it.
  it.each([
    [{}, 'private', 'Accept, Cookie'],
    [{ vary: 'Origin' }, 'private', 'Origin, Accept, Cookie'],
    [{ vary: ['Origin', 'Accept-Language'] }, 'private', 'Origin,Accept-Language, Accept, Cookie'],
    [{ 'cache-control': 'no-store' }, 'no-store', 'Accept, Cookie'],
    [{ 'cache-control': 'public, max-age=60' }, 'private', 'Accept, Cookie'],
  ])('keeps of what earlier middleware said, %j, what is stricter', async (earlier, cacheControl, vary) => {
    const upstream = await startUpstream((_seen, _req, res) => res.setHeader('Vary', 'Accept').end('{}'));
    const before = (app: Express): unknown =>
      app.use((_req, res, next) => {
        for (const [name, value] of Object.entries(earlier)) res.setHeader(name, value);
        next();
      });
    const { url } = await startProxy({ target: upstream.url, before });

    const { headers } = await call(`${url}/spark/v1/listings`);

    expect(headers).toMatchObject({ 'cache-control': cacheControl, vary });
  });
});
