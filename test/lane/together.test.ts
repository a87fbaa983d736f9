import type { Store } from 'express-session';
import { Redis } from 'ioredis';
import { call, rawCall, startUpstream, until } from '../proxy/support.js';
import { cookieOf, OLD_SECRET, SECRET, startWorld, type World, type WorldOptions } from './roads.js';

const NO_REDIS = new Redis({ lazyConnect: true });

async function laneWorld(options: Partial<WorldOptions> = {}): Promise<World> {
  const { url: upstream } = await startUpstream();
  return await startWorld({ road: 'lane', storeName: 'memory', redis: NO_REDIS, upstream, ...options });
}

/** Requests in one packet: they come in one turn of the event loop. */
async function statusesTogether(url: string, cookies: readonly string[]): Promise<number[]> {
  const requests = cookies.map((cookie, i) =>
    [
      'GET /spark/v1/listings HTTP/1.1',
      'Host: app.example.com',
      `Cookie: ${cookie}`,
      ...(i === cookies.length - 1 ? ['Connection: close'] : []),
      '\r\n',
    ].join('\r\n'),
  );
  const answer = await rawCall(url, requests.join(''));
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
}

const statusOf = async (world: World, cookie: string): Promise<number> =>
  (await call(`${world.url}/spark/v1/listings`, { headers: { cookie } })).status;

/** Holds every answer of the store back until it is let go. */
function heldGet(store: Store): (() => void)[] {
  const held: (() => void)[] = [];
  const get = store.get.bind(store);
  store.get = (id, done) => {
    get(id, (error, session) => held.push(() => done(error, session)));
  };
  return held;
}

describe('requests that come together in the express lane', () => {
  it('share one read of their session, and one touch', async () => {
    const world = await laneWorld();
    await world.signIn('ann');
    await world.signIn('bob');

    const [ann, bob] = [cookieOf('ann'), cookieOf('bob')];
    const statuses = await statusesTogether(world.url, [ann, bob, ann, ann, cookieOf('nobody'), 'other=1']);

    expect(statuses).toEqual([200, 200, 200, 200, 401, 401]);
    expect([...world.calls].sort()).toEqual(['get ann', 'get bob', 'get nobody', 'touch ann 60', 'touch bob 60']);
  });

  // A link that another person inherits is taken out once, and helps none of them.
  it('are all refused when the link in their session is not theirs', async () => {
    const world = await laneWorld();
    await world.signIn('ann', (session) => {
      session.passport = { user: 'eve' };
    });

    expect(await statusesTogether(world.url, [cookieOf('ann'), cookieOf('ann')])).toEqual([401, 401]);
    expect(world.calls.filter((made) => made.startsWith('set'))).toEqual(['set ann 60']);
    expect(await world.stored('ann')).not.toHaveProperty('spark');
  });

  // Signed out while an earlier read was on its way: what that one brings is not for a request that came later.
  it('never get what was read before they came', async () => {
    const world = await laneWorld();
    await world.signIn('ann');
    const held = heldGet(world.store);
    const before = statusOf(world, cookieOf('ann'));
    await until(() => held.length === 1);
    await new Promise((resolve) => world.store.destroy('ann', resolve));

    const after = statusOf(world, cookieOf('ann'));
    await until(() => held.length === 2);
    for (const letGo of held) letGo();

    expect(await Promise.all([before, after])).toEqual([200, 401]);
  });

  it('are all answered 503 when their session can not be read', async () => {
    const world = await laneWorld();
    world.store.get = (_id, done) => done(new Error('connection lost'));

    expect(await statusesTogether(world.url, [cookieOf('ann'), cookieOf('ann')])).toEqual([503, 503]);
    expect(world.errors).toHaveLength(2);
  });
});

describe('a signature that the express lane has checked', () => {
  it('no longer counts when its secret is taken out of the list', async () => {
    const secret = [SECRET, OLD_SECRET];
    const world = await laneWorld({ session: { secret } });
    await world.signIn('ann');
    const cookie = cookieOf('ann', OLD_SECRET);

    const before = [await statusOf(world, cookie), await statusOf(world, cookie)];
    secret.pop();

    expect([...before, await statusOf(world, cookie)]).toEqual([200, 200, 401]);
    expect(await statusOf(world, cookieOf('ann'))).toBe(200);
  });

  it('lets nobody in with another signature for the same session, or the same for another', async () => {
    const world = await laneWorld();
    await world.signIn('ann');
    await world.signIn('bob');
    const cookie = cookieOf('ann');
    const forged = [cookieOf('ann', 'a guess'), cookie.replace('ann', 'bob'), cookie.slice(0, -1), `${cookie}A`];

    expect(await statusOf(world, cookie)).toBe(200);
    expect(await Promise.all(forged.map((one) => statusOf(world, one)))).toEqual([401, 401, 401, 401]);
  });
});
