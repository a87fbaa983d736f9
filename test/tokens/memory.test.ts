import { MemoryTokenStore, SparkStrategy, type TokenStore } from '../../src/index.js';
import { Once } from '../../src/signin/once.js';
import { CLIENT } from '../support/app.js';

it('says so when its options are none', () => {
  expect(() => new MemoryTokenStore(null as never)).toThrow('the options are null; write { ttlMs: 86_400_000 }');
});

describe('MemoryTokenStore where NODE_ENV is production', () => {
  const environment = process.env.NODE_ENV;
  let warn: jest.SpyInstance;

  beforeEach(() => {
    warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    process.env.NODE_ENV = 'production';
  });
  afterEach(() => {
    warn.mockRestore();
    process.env.NODE_ENV = environment;
  });

  it('is not what a sign-in remembers its attempts with, where the token store can not', async () => {
    const once = new Once({} as TokenStore);
    expect([await once.isFirst('attempt', 1_000), await once.isFirst('attempt', 1_000)]).toEqual([true, false]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('says nothing elsewhere', () => {
    process.env.NODE_ENV = 'development';
    expect(new MemoryTokenStore()).toBeDefined();
    expect(warn).not.toHaveBeenCalled();
  });

  // Last: a process is told once.
  it('warns once, also where it is the default, and says what to write', () => {
    const callbackURL = 'https://app.example.com/auth/spark/callback';
    for (let i = 0; i < 2; i += 1) new SparkStrategy({ ...CLIENT, callbackURL }, (_a, _r, _p, done) => done(null, {}));
    expect(new MemoryTokenStore()).toBeDefined();

    expect(warn.mock.calls).toEqual([
      [
        expect.stringContaining('Write tokenStore: new RedisTokenStore(redis).'),
        { type: 'MemoryTokenStore', code: 'SPARK_MEMORY_STORE' },
      ],
    ]);
  });
});
