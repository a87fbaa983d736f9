import type { RequestHandler } from 'express';
import { MemoryTokenStore, RedisTokenStore, type SparkStrategyOptions } from '../../src/index.js';
import { verifyAssertion } from '../../src/signin/assertion.js';
import { Once } from '../../src/signin/once.js';
import { startApp, type TestApp } from '../support/app.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { serve } from '../support/server.js';
import { Visitor } from '../support/visitor.js';

const VERIFIED = { flow: 'hybrid', verifyAssertion: true } as const;

/** Goes to Spark and comes back by an address that somebody has changed. */
async function backBy(app: TestApp, change: (address: URL) => void): Promise<{ status: number; text: string }> {
  const person = new Visitor(app.url);
  const address = new URL(await person.goToSpark('/page'));
  change(address);
  return await person.back(address.href);
}

/** The least that an assertion holds, with a nonce that was made so many minutes ago. */
function fieldsMade(minutesAgo: number): Map<string, string> {
  const names = ['op_endpoint', 'return_to', 'response_nonce', 'assoc_handle', 'spark.code'];
  const fields = new Map([...names, 'sig'].map((name) => [name, 'value']));
  const made = new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(0, 19);
  return fields.set('response_nonce', `${made}Zabc`).set('signed', names.join());
}

describe('a verified assertion', () => {
  it('signs in, by Private and IDX keys', async () => {
    for (const role of ['private', 'idx'] as const) {
      const { url } = await startApp({ strategy: { ...VERIFIED, role } });
      expect((await new Visitor(url).signIn('/page')).headers.location).toBe('/page');
    }
  });

  it('is understood with the underscores of PHP', async () => {
    const app = await startApp({ strategy: { ...VERIFIED, ax: ['first_name'] } });
    const person = new Visitor(app.url);
    const { search } = new URL(await person.goToSpark('/page'));
    const flat = [...new URLSearchParams(search)].map(([name, value]): [string, string] => [
      name.replaceAll('.', '_'),
      value,
    ]);
    const back = await person.page(`/auth/spark/callback?${new URLSearchParams(flat)}`);
    expect(back.headers.location).toBe('/page');
  });

  it.each<[string, (address: URL) => void]>([
    ['its code', ({ searchParams }) => searchParams.set('openid.spark.code', 'another')],
    ['its name', ({ searchParams }) => searchParams.set('openid.sreg.fullname', 'Somebody Else')],
    ['its signature', ({ searchParams }) => searchParams.set('openid.sig', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
    ['no signature', ({ searchParams }) => searchParams.delete('openid.sig')],
    ['no nonce', ({ searchParams }) => searchParams.delete('openid.response_nonce')],
    ['an old nonce', ({ searchParams }) => searchParams.set('openid.response_nonce', '2020-01-01T00:00:00Zabc')],
    ['a nonce of no form', ({ searchParams }) => searchParams.set('openid.response_nonce', 'abc')],
    ['one field twice', ({ searchParams }) => searchParams.append('openid.sreg.fullname', 'Somebody Else')],
    [
      'a return address that is not signed',
      ({ searchParams }) =>
        searchParams.set('openid.signed', (searchParams.get('openid.signed') ?? '').replace(',return_to', '')),
    ],
  ])('is refused with %s changed, before its code is spent', async (_what, change) => {
    const app = await startApp({ strategy: VERIFIED });
    const page = await backBy(app, change);
    expect(page.status).toBe(403);
    expect(page.text).toContain('This sign-in is over');
    expect(app.spark.grants()).toHaveLength(0);
  });

  it('must be there: the minimal callback has nothing to verify', async () => {
    const app = await startApp({ strategy: VERIFIED, emulator: { hybridCallback: 'minimal' } });
    expect((await backBy(app, () => undefined)).status).toBe(403);
  });

  it('fails on a route with a stable code', async () => {
    const app = await startApp({
      strategy: VERIFIED,
      routes: (server, passport) => {
        server.get('/page', passport.authenticate('spark'));
        server.get('/auth/spark/callback', (req, res, next) => {
          (passport.authenticate('spark', (...args: unknown[]) => res.json(args)) as RequestHandler)(req, res, next);
        });
      },
    });
    const person = new Visitor(app.url);
    const address = new URL(await person.goToSpark('/page'));
    address.searchParams.set('openid.sreg.fullname', 'Somebody Else');
    expect((await person.back(address.href)).body.slice(0, 4)).toEqual([
      null,
      false,
      { message: 'The assertion is refused: the provider does not know it.', code: 'assertion_invalid' },
      403,
    ]);
  });

  it.each([
    [16, 'refused'],
    [14, 'taken'],
    [-4, 'taken'], // a clock that is ahead of ours
    [-6, 'refused'],
  ])('of %i minutes is %s, whatever the provider says of it', async (minutesAgo, end) => {
    const { url: endpoint } = await serve((_req, res) => res.end('is_valid:true\n'));
    const once = new Once(new MemoryTokenStore());

    const verified = verifyAssertion(fieldsMade(minutesAgo), { endpoint, headers: {}, timeoutMs: 5_000, once });

    if (end === 'taken') expect((await verified).get('spark.code')).toBe('value');
    else await expect(verified).rejects.toMatchObject({ code: 'assertion_invalid' });
  });

  it.each([
    [200, 'not_is_valid:true'],
    [200, 'error:is_valid:true'],
    [200, 'is_valid:yes'],
    [500, 'is_valid:true'],
  ])('is not vouched for by %i %s', async (status, answer) => {
    const { url: endpoint } = await serve((_req, res) => res.writeHead(status).end(`${answer}\n`));
    const once = new Once(new MemoryTokenStore());

    const verified = verifyAssertion(fieldsMade(0), { endpoint, headers: {}, timeoutMs: 5_000, once });

    await expect(verified).rejects.toMatchObject({ code: 'verification_failed' });
  });

  it.each(['claimed_id', 'identity'])('is refused with a %s that Spark did not sign', async (name) => {
    const { url: endpoint } = await serve((_req, res) => res.end('is_valid:true\n'));
    const once = new Once(new MemoryTokenStore());
    const fields = fieldsMade(0).set(name, 'somebody else');

    const verified = verifyAssertion(fields, { endpoint, headers: {}, timeoutMs: 5_000, once });

    await expect(verified).rejects.toMatchObject({ code: 'assertion_invalid' });
  });

  // Who can put a redirect on the provider's address could say of every assertion that it is valid.
  it('is not asked about elsewhere, though the provider redirects there', async () => {
    const elsewhere = await serve((_req, res) => res.end('is_valid:true\n'));
    const provider = await serve((_req, res) => res.writeHead(307, { location: elsewhere.url }).end());
    const once = new Once(new MemoryTokenStore());

    const verified = verifyAssertion(fieldsMade(0), { endpoint: provider.url, headers: {}, timeoutMs: 5_000, once });

    await expect(verified).rejects.toMatchObject({ code: 'verification_failed' });
  });

  it('waits for nobody: a provider that does not answer the question ends in a page, not in a sign-in', async () => {
    const app = await startApp({ strategy: VERIFIED });
    const person = new Visitor(app.url);
    const address = await person.goToSpark('/page');
    await app.spark.close();
    const page = await person.back(address);
    expect(page.status).toBe(502);
    expect(page.text).toContain('The sign-in failed');
  });
});

// Spark's own memory of nonces may be short, and somebody who read an address from a log has the whole assertion.
describe('a nonce that came before', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  /** A provider that takes every assertion for valid, however often. */
  const credulous = async (): Promise<string> =>
    (await serve((_req, res) => res.end('ns:http://specs.openid.net/auth/2.0\nis_valid:true\n'))).url;

  it.each([
    ['in this process', () => new MemoryTokenStore(), true],
    ['in another process', () => new RedisTokenStore(redis.connect()), false],
  ] as const)('is refused: %s', async (_where, store, sameStore) => {
    const provider = await credulous();
    const one = store();
    const start = async (tokenStore: SparkStrategyOptions['tokenStore']): Promise<TestApp> =>
      await startApp({
        strategy: {
          ...VERIFIED,
          authorizationURL: `${provider}/openid`,
          skipUserProfile: true,
          tokenStore: tokenStore as never,
        },
      });
    const [first, second] = [await start(one), await start(sameStore ? one : store())];
    const nonce = `${new Date().toISOString().slice(0, 19)}Zabc`;
    const replies = [];
    for (const { url } of [first, second]) {
      const person = new Visitor(url);
      const away = new URL((await person.page('/page')).headers.location as string);
      const fields = {
        mode: 'id_res',
        op_endpoint: `${provider}/openid`,
        return_to: `${url}/auth/spark/callback`,
        response_nonce: nonce,
        assoc_handle: 'h',
        'spark.code': 'a-code',
        signed: 'op_endpoint,return_to,response_nonce,assoc_handle,spark.code',
        sig: 'c2ln',
        'spark.state': away.searchParams.get('openid.spark.state') ?? '',
      };
      const query = new URLSearchParams(
        Object.entries(fields).map(([name, value]): [string, string] => [`openid.${name}`, value]),
      );
      replies.push(await person.page(`/auth/spark/callback?${query}`));
    }
    // The first got as far as the token endpoint, which does not know the code; the second did not.
    expect([first.spark.grants().length, second.spark.grants().length]).toEqual([1, 0]);
    expect(replies[1]?.text).toContain('This sign-in is over');
  });
});

it('remembers a nonce for as long as it would be taken: fifteen minutes, and five that its clock may be ahead', async () => {
  const remembered: number[] = [];
  class Remembering extends MemoryTokenStore {
    override async once(name: string, callId: string, ttlMs: number): Promise<boolean> {
      remembered.push(ttlMs);
      return await super.once(name, callId, ttlMs);
    }
  }
  const { url } = await startApp({ strategy: { ...VERIFIED, tokenStore: new Remembering() } });
  await new Visitor(url).signIn('/page');
  expect(Math.max(...remembered)).toBe(20 * 60_000);
});

describe('attributes', () => {
  const profileOf = async (
    strategy: Partial<SparkStrategyOptions>,
  ): Promise<{ away: URL; profile: Record<string, unknown> }> => {
    let seen: unknown;
    const app = await startApp({ strategy: { ...VERIFIED, ...strategy }, verify: (profile) => (seen = profile) });
    const person = new Visitor(app.url);
    const away = new URL((await person.page('/page')).headers.location as string);
    await person.signIn('/page');
    return { away, profile: seen as Record<string, unknown> };
  };

  it('are asked for in the words of the vendor, and come with the profile', async () => {
    const { away, profile } = await profileOf({ ax: true, sreg: true });
    expect(Object.fromEntries(away.searchParams)).toMatchObject({
      'openid.ns.ax': 'http://openid.net/srv/ax/1.0',
      'openid.ax.mode': 'fetch_request',
      'openid.ax.required': 'first_name,last_name,middle_name,friendly,id,email',
      'openid.ax.type.email': 'http://openid.net/schema/contact/internet/email',
      'openid.ns.sreg': 'http://openid.net/extensions/sreg/1.1',
      'openid.sreg.optional': 'fullname,nickname,email',
    });
    expect(profile).toMatchObject({
      displayName: 'Agent Example',
      username: 'agent',
      attributes: { first_name: 'Agent', last_name: 'Example', email: 'agent@example.com', fullname: 'Agent Example' },
    });
  });

  it('make a profile where Spark is not asked for one', async () => {
    const { profile } = await profileOf({ skipUserProfile: true, ax: ['id', 'first_name', 'last_name', 'email'] });
    expect(profile).toMatchObject({
      provider: 'spark',
      id: expect.stringMatching(/^\d{26}$/),
      role: 'private',
      displayName: 'Agent Example',
      name: { givenName: 'Agent', familyName: 'Example' },
      emails: [{ value: 'agent@example.com' }],
    });
  });

  // With skipUserProfile the id of one person would make them another.
  it('that Spark did not sign stay out: the person may have added them to the address', async () => {
    let seen: unknown;
    const app = await startApp({
      strategy: { ...VERIFIED, skipUserProfile: true, ax: ['id'] },
      verify: (profile) => (seen = profile),
    });
    const person = new Visitor(app.url);
    const address = new URL(await person.goToSpark('/page'));
    address.searchParams.set('openid.ax.type.mine', 'http://openid.net/schema/person/guid');
    address.searchParams.set('openid.ax.value.mine', 'somebody-else');

    expect((await person.back(address.href)).headers.location).toBe('/page');

    expect(seen).toMatchObject({ id: expect.stringMatching(/^\d{26}$/) });
  });

  it('that nobody asked for stay out', async () => {
    const { profile } = await profileOf({ ax: ['first_name'] });
    expect(profile.attributes).toEqual({ first_name: 'Agent' });
  });
});
