import { mismatch, readCallback } from '../../src/signin/callback.js';

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
