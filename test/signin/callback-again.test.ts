import { setTimeout as delay } from 'node:timers/promises';
import {
  RedisTokenStore,
  type SparkAuthenticateOptions,
  type SparkStrategyOptions,
  type TokenStore,
} from '../../src/index.js';
import { Once } from '../../src/signin/once.js';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { answerSpark, Visitor } from '../support/visitor.js';

/** A callback that Spark sent, and the attempt cookie that it belongs to, kept by somebody. */
async function kept(url: string, page = '/page'): Promise<{ cookie: string; path: string }> {
  const away = await new Visitor(url).page(page);
  const [cookie = ''] = [away.headers['set-cookie']].flat() as string[];
  const { pathname, search } = new URL(await answerSpark(away.headers.location as string));
  return { cookie: cookie.split(';')[0] ?? '', path: pathname + search };
}

const onRoutes: TestAppOptions['routes'] = (app, passport) => {
  app.get('/page', passport.authenticate('spark'));
  app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/done' }));
};

describe('a callback that comes twice at the same time', () => {
  it('spends its code once, and both lead to the page that was wanted', async () => {
    const { url, spark } = await startApp();
    const { cookie, path } = await kept(url);
    spark.delayNextGrant(100);
    const replies = await Promise.all([1, 2].map(() => new Visitor(url).page(path).set('Cookie', cookie)));
    expect(replies.map(({ status, headers }) => [status, headers.location])).toEqual([
      [302, '/page'],
      [302, '/page'],
    ]);
    expect(spark.grants('authorization_code')).toHaveLength(1);
  });

  it('signs in the browser that sent both', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    const address = await person.goToSpark('/page');
    spark.delayNextGrant(100);
    const [first, second] = await Promise.all([person.back(address), person.back(address)]);
    expect([first.status, second.status]).toEqual([302, 302]);
    expect((await person.page('/page')).status).toBe(200);
  });

  it('says why to both when Spark refuses the code', async () => {
    const { url, spark } = await startApp();
    const { cookie, path } = await kept(url);
    spark.delayNextGrant(100);
    spark.failNextGrant({ kind: 'refuse', error: 'invalid_grant' });
    const replies = await Promise.all([1, 2].map(() => new Visitor(url).page(path).set('Cookie', cookie)));
    for (const { status, text } of replies) expect([status, text]).toEqual([403, expect.stringContaining('over')]);
    expect(spark.grants()).toHaveLength(1);
  });

  // It would have been sent on, to a page that asks it to sign in again.
  it('waits for the first, which still asks a state store', async () => {
    const store = {
      store: (_req: unknown, done: (error: null, state: string) => void): void => done(null, 'a-handle'),
      verify: (_req: unknown, _state: string, done: (error: null, ok: boolean) => void): void => {
        setTimeout(() => done(null, false), 200);
      },
    };
    const { url } = await startApp({ strategy: { store: store as never } });
    const { cookie, path } = await kept(url);
    const first = new Visitor(url).page(path).set('Cookie', cookie);
    const [one, two] = await Promise.all([
      first,
      delay(50).then(() => new Visitor(url).page(path).set('Cookie', cookie)),
    ]);
    expect([one.status, two.status]).toEqual([403, 403]);
  });

  it('leads to the page when the first is refused, but the person has signed in in another tab', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    const [one, other] = [await person.goToSpark('/page'), await person.goToSpark('/other')];
    await person.back(one);
    spark.delayNextGrant(100);
    spark.failNextGrant({ kind: 'refuse', error: 'invalid_grant' });
    const replies = await Promise.all([person.back(other), person.back(other)]);
    expect(replies.map(({ status, headers }) => [status, headers.location]).sort()).toEqual([
      [302, '/other'],
      [403, undefined],
    ]);
  });

  it('spends its code once on routes too', async () => {
    const { url, spark } = await startApp({ routes: onRoutes });
    const { cookie, path } = await kept(url);
    spark.delayNextGrant(100);
    const replies = await Promise.all([1, 2].map(() => new Visitor(url).page(path).set('Cookie', cookie)));
    expect(replies.map(({ headers }) => headers.location).sort()).toEqual(['/', '/done']);
    expect(spark.grants()).toHaveLength(1);
  });
});

// It guards nothing: what the strategy says of roles is for walls.
it('a callback that comes once more leads on whoever is signed in, in whatever role', async () => {
  const { url } = await startApp({
    strategy: { role: 'private' },
    routes: (app, passport) => {
      app.get('/buyers', passport.authenticate('spark', { role: 'vow', portal: 'myportal' } as object));
      app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/done' }));
    },
  });
  const person = new Visitor(url);
  const address = await person.goToSpark('/buyers', { username: 'consumer' });

  const replies = [await person.back(address), await person.back(address)];

  expect(replies.map(({ status, headers }) => [status, headers.location])).toEqual([
    [302, '/done'],
    [302, '/'],
  ]);
});

// Whoever has the cookie and the address of a sign-in that is over must not get a session for them.
describe('a callback that is replayed with its cookie', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it.each([
    ['in this process', 1],
    ['in another process', 2],
  ])('signs nobody in: %s', async (_where, processes) => {
    const strategy = (): Partial<SparkStrategyOptions> => ({ tokenStore: new RedisTokenStore(redis.connect()) });
    const first = await startApp({ strategy: strategy() });
    const second =
      processes === 1 ? first : await startApp({ strategy: { ...strategy(), platformURL: first.spark.url } });
    const { cookie, path } = await kept(first.url);
    await new Visitor(first.url).page(path).set('Cookie', cookie);

    const thief = new Visitor(second.url);
    const reply = await thief.page(path).set('Cookie', cookie);

    expect(reply.headers.location).toBe('/page');
    expect([reply.headers['set-cookie']].flat().join()).not.toContain('connect.sid');
    expect((await thief.call('/spark/v1/system')).status).toBe(401);
    expect(first.spark.grants().length + (processes - 1) * second.spark.grants().length).toBe(1);
  });
});

describe('while the token store is away', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('keeps the attempt: the same callback signs in when it is back', async () => {
    const { url, spark } = await startApp({
      strategy: { tokenStore: new RedisTokenStore(redis.connect(), { timeoutMs: 200 }) },
    });
    const person = new Visitor(url);
    const address = await person.goToSpark('/page');
    const client = redis.connect();
    await client.client('PAUSE', 1_000);
    const away = await person.back(address);
    expect([away.status, away.headers['retry-after']]).toEqual([503, '1']);
    expect(spark.grants()).toHaveLength(0);
    await client.client('UNPAUSE'); // what came meanwhile is carried out, though nobody waits for it any more
    expect((await person.back(address)).headers.location).toBe('/page');
    expect(spark.grants('authorization_code')).toHaveLength(1);
    expect((await person.page('/page')).status).toBe(200);
  });

  // The store took the first, and nobody heard of it: a third try under the name of the second would never be first.
  it('lets a callback that was sent twice finish when it is back', async () => {
    let taken: string | undefined;
    let away = true;
    const once = new Once({
      once: async (_name: string, callId: string) => {
        taken ??= callId;
        if (away) throw new Error('no answer');
        return taken === callId;
      },
    } as unknown as TokenStore);
    const tries = [once.isFirst('attempt', 1_000), once.isFirst('attempt', 1_000)];
    for (const one of tries) await expect(one).rejects.toThrow('The token store failed.');

    away = false;

    expect([await once.isFirst('attempt', 1_000), await once.isFirst('attempt', 1_000)]).toEqual([true, false]);
  });
});

it('goes to the front page by Back and another answer at Spark, when the person is signed in by now', async () => {
  const { url, spark } = await startApp();
  const person = new Visitor(url);
  const away = (await person.page('/page')).headers.location as string;
  await person.back(await answerSpark(away));
  const again = await person.back(await answerSpark(away)); // the form of before, sent once more: a new code, the old state
  expect(again.headers.location).toBe('/');
  expect(spark.grants()).toHaveLength(1);
});

// By Back, or a restored tab: a page that says what went wrong with a sign-in that nobody is at.
describe.each(['wall', 'route'])('an answer whose attempt is gone, at a %s', (mount) => {
  const start = async (): Promise<TestApp> =>
    await startApp({
      routes: (app, passport) => {
        const options = { returnTo: '/home' } as SparkAuthenticateOptions;
        if (mount === 'route') {
          app.get('/page', passport.authenticate('spark'));
          app.get(
            '/auth/spark/callback',
            passport.authenticate('spark', { ...options, session: true }),
            (_req, res) => {
              res.json({});
            },
          );
        }
        app.use(passport.authenticate('spark', options));
      },
    });
  const ANSWERS = ['error=access_denied', 'error=server_error', 'code=a&code=b', 'code=a'];

  it.each(ANSWERS)('leads who is signed in to a page of the application: %s', async (query) => {
    const { url, spark } = await start();
    const person = new Visitor(url);
    await person.signIn('/page');

    const reply = await person.page(`/auth/spark/callback?state=gone&${query}`);

    expect([reply.status, reply.headers.location]).toEqual([302, '/home']);
    expect(spark.grants()).toHaveLength(1);
  });

  it('is told to who is not', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const { url } = await start();
    const statuses = await Promise.all(
      ANSWERS.map(async (query) => (await new Visitor(url).page(`/auth/spark/callback?state=gone&${query}`)).status),
    );
    expect(statuses).toEqual([mount === 'wall' ? 403 : 401, 502, 403, 403]);
    warn.mockRestore();
  });
});

it('begins anew beside the cookies of five tabs that the browser restored', async () => {
  const { url } = await startApp();
  const old = ['lz1', 'lz2', 'lz3', 'lz4', 'lz5'].map((time) => `spark-attempt.${time}-0000000000000000=eyJ.old..x.y`);
  const person = new Visitor(url);
  const away = await person.page('/page').set('Cookie', old.join('; '));
  const cookies = [away.headers['set-cookie']].flat() as string[];
  expect(cookies.filter((cookie) => cookie.includes('Expires='))).toEqual([
    expect.stringMatching(/^spark-attempt\.lz1-/), // the oldest makes room
  ]);
  const back = await person.back(await answerSpark(away.headers.location as string));
  expect(back.headers.location).toBe('/page');
});
