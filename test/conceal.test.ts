import { inspect } from 'node:util';
import { SparkCloudStrategy } from '../src/cloud/index.js';
import { MemoryTokenStore, RedisTokenStore, SparkStrategy } from '../src/index.js';
import { OAuth2Client } from '../src/oauth2/index.js';
import { startCloudApp } from './cloud/support.js';
import { startApp } from './support/app.js';
import { Visitor } from './support/visitor.js';

/** All that a log line may show of an object; circles are what JSON.stringify stops at, not what it hides. */
function printed(object: object): string {
  const seen = new Set<unknown>();
  const json = JSON.stringify(object, (_name, value: unknown) => {
    if (typeof value === 'object' && value !== null && seen.has(value)) return undefined;
    seen.add(value);
    return value instanceof Map ? [...value] : value;
  });
  return `${inspect(object, { depth: 10 })}\n${json}`;
}

const SECRETS = {
  clientSecret: 'client-secret-that-nobody-reads',
  cookieSecret: 'cookie-secret-that-nobody-reads-either',
};
const HEADERS = { Authorization: 'Bearer header-that-nobody-reads' };

describe('what is printed of an object', () => {
  it('holds no tokens of the people who signed in, nor those of a renewal', async () => {
    const store = new MemoryTokenStore();
    const { url, strategy, passport } = await startApp({
      strategy: { tokenStore: store, cookieSecret: SECRETS.cookieSecret },
      routes: (app, passport) => {
        app.use(passport.authenticate('spark'));
        app.get('/', (req, res) => {
          res.json({ key: req.session.spark?.key, printed: printed(Object.values(passport)) });
        });
      },
    });
    const person = new Visitor(url);
    await person.signIn();
    const page = (await person.page('/')).body as { key: string; printed: string };

    const first = await strategy.tokens.peek(page.key);
    await strategy.tokens.use(page.key, async () => ({ value: undefined, expired: true, replayable: false }));
    const second = await strategy.tokens.peek(page.key);

    const all =
      [strategy, strategy.tokens, store, passport, Object.create(strategy)].map(printed).join('\n') + page.printed;
    expect(second?.generation).toBe(1);
    for (const record of [first, second]) {
      expect(record?.accessToken).toMatch(/./);
      expect(all).not.toContain(record?.accessToken);
      expect(all).not.toContain(record?.refreshToken);
    }
    expect(all).not.toContain('emulator-secret');
    expect(all).not.toContain(SECRETS.cookieSecret);
  });

  it('holds no tokens of the Spark Core cloud', async () => {
    const store = new MemoryTokenStore();
    const { strategy, visitor } = await startCloudApp({
      strategy: { tokenStore: store },
      routes: (app, { tokens }) => {
        app.get('/token', (req, res, next) => {
          const { key } = (req.session as unknown as { sparkCloud: { key: string } }).sparkCloud;
          tokens.accessToken(key).then((token) => res.json({ token }), next);
        });
      },
    });
    const person = visitor();
    await person.signIn();

    const { token } = (await person.agent.get('/token')).body as { token: string };

    expect(token).toMatch(/./);
    expect([strategy, strategy.tokens, store].map(printed).join('\n')).not.toContain(token);
  });

  it.each([
    [
      'SparkStrategy',
      new SparkStrategy(
        { ...SECRETS, customHeaders: HEADERS, clientID: 'id', callbackURL: 'https://app.example.com/callback' },
        (_accessToken, _refreshToken, _profile, done) => done(null, false),
      ),
    ],
    ['SparkCloudStrategy', new SparkCloudStrategy({ clientSecret: SECRETS.clientSecret })],
    [
      'OAuth2Client',
      new OAuth2Client({
        tokenURL: 'https://server.example.com/token',
        clientID: 'id',
        clientSecret: SECRETS.clientSecret,
        customHeaders: HEADERS,
      }),
    ],
    [
      'RedisTokenStore',
      new RedisTokenStore(
        { evalsha: async () => null, eval: async () => null, options: { password: SECRETS.clientSecret } } as never,
        { encryptionKeys: [SECRETS.cookieSecret] },
      ),
    ],
  ])('holds no secret: %s', (_name, object) => {
    expect(printed(object)).not.toMatch(/nobody-reads/);
  });
});
