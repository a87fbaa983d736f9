import { mismatch, readCallback } from '../../src/signin/callback.js';
import { startApp } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

it.each([
  ['code=abc&state=s', { flow: 'oauth2', kind: 'code', code: 'abc', state: 's' }],
  [
    'error=access_denied&error_description=No&state=s',
    { flow: 'oauth2', kind: 'denied', state: 's', description: 'No' },
  ],
  [
    'error=redirect_uri_mismatch&error_description=Parameter+redirect_uri+does+not+match+registered+URI',
    {
      kind: 'error',
      error: 'redirect_uri_mismatch',
      description: 'Parameter redirect_uri does not match registered URI',
    },
  ],
  ['', { kind: 'invalid' }],
  ['code=', { kind: 'invalid' }],
  ['code=a&error=b', { kind: 'invalid' }],
  ['code=a&code=b&state=s', { kind: 'invalid', state: undefined }],
  ['code=a&state=s&state=t', { kind: 'invalid', state: undefined }],
  ['utm=1&utm=2&code=abc&state=s', { kind: 'code', code: 'abc' }],
  [
    'openid.mode=id_res&openid.spark.code=abc&openid.spark.state=s',
    { flow: 'hybrid', kind: 'code', code: 'abc', state: 's' },
  ],
  [
    'openid_mode=id_res&openid_spark_code=abc&openid_spark_state=s',
    { flow: 'hybrid', kind: 'code', code: 'abc', state: 's' },
  ],
  ['openid.mode=id_res&openid.spark.code=a&openid_spark_code=b', { kind: 'invalid' }],
  ['openid.mode=id_res&openid.spark.state=s', { flow: 'hybrid', kind: 'invalid', state: 's' }],
  ['openid.mode=cancel&openid.spark.state=s', { flow: 'hybrid', kind: 'denied', state: 's' }],
  ['openid.mode=error&openid.error=Bad', { flow: 'hybrid', kind: 'error', description: 'Bad' }],
  ['openid.mode=checkid_setup', { flow: 'hybrid', kind: 'invalid' }],
  ['openid.mode=id_res&openid.spark.code=a&openid.signed=mode,spark.code', { kind: 'code', code: 'a' }],
  // A code that the provider did not sign may have been added on the way.
  ['openid.mode=id_res&openid.spark.code=a&openid.signed=mode,return_to', { kind: 'invalid' }],
])('reads %j', (query, expected) => {
  expect(readCallback(query)).toMatchObject(expected);
});

describe('an answer to another question', () => {
  const asked = { flow: 'hybrid', redirectURI: 'https://app.example.com/cb' } as const;
  const code = { kind: 'code', flow: 'hybrid', code: 'a', state: 's' } as const;
  const provider = 'https://sparkplatform.com';

  it.each([
    [code, undefined],
    [{ ...code, returnTo: asked.redirectURI, endpoint: 'https://sparkplatform.com/openid?session_id=1' }, undefined],
    [{ ...code, flow: 'oauth2' as const }, 'The callback belongs to another flow.'],
    [{ ...code, returnTo: 'https://other.example.com/cb' }, 'openid.return_to is not this callback.'],
    [{ ...code, endpoint: 'https://evil.example.com/openid' }, 'openid.op_endpoint is not the configured provider.'],
    [{ ...code, endpoint: 'no url' }, 'openid.op_endpoint is not the configured provider.'],
  ])('is told apart: %j', (callback, problem) => {
    expect(mismatch(callback, asked, provider)).toBe(problem);
  });
});

// Every visit to the front page was taken for a callback without a code.
describe.each(['oauth2', 'hybrid'] as const)('a callback on the front page, by %s', (flow) => {
  const start = async (): Promise<Visitor> => {
    const { url, strategy } = await startApp({
      strategy: { flow, callbackURL: '/' },
      routes: (app, passport) => {
        app.use(passport.authenticate('spark'));
        app.get('/', (req, res) => {
          res.json({ at: req.originalUrl });
        });
      },
    });
    expect(strategy.callbackPath).toBe('/');
    return new Visitor(url);
  };

  it('is one when it carries an answer; else the front page is a page', async () => {
    const person = await start();
    const away = await person.page('/?tab=1');
    expect(away.status).toBe(302);

    const back = await person.back(await answerSpark(away.headers.location as string));

    expect([back.status, back.headers.location]).toEqual([302, '/']); // its own path is no page to return to
    expect((await person.page('/')).body).toEqual({ at: '/' });
    expect((await person.page('/?tab=1')).body).toEqual({ at: '/?tab=1' });
  });

  it.each(['error=access_denied', 'openid.mode=cancel', 'openid_mode=cancel'])(
    'is one when it carries a refusal: %s',
    async (query) => {
      expect((await (await start()).page(`/?${query}`)).text).toContain('You did not allow access');
    },
  );
});

// Its address holds the code, which a cache or the next page would be told.
it.each(['wall', 'route'])('an answer to a callback is not kept, and its address not told, at a %s', async (mount) => {
  const { url } = await startApp({
    routes: (app, passport) => {
      if (mount === 'route') {
        app.get('/page', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark'), (_req, res) => {
          res.json({});
        });
      }
      app.use(passport.authenticate('spark'));
    },
  });
  const replies = [
    await new Visitor(url).signIn('/page'),
    await new Visitor(url).signIn('/page', { decision: 'deny' }),
    await new Visitor(url).page('/auth/spark/callback?code=abc'),
  ];
  expect(replies.map(({ status }) => status)).toEqual(mount === 'wall' ? [302, 403, 403] : [200, 401, 403]);
  for (const { headers } of replies)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
});
