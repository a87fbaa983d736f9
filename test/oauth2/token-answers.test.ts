import { inspect } from 'node:util';
import { TokenError } from '../../src/index.js';
import { errorOf } from './start.js';
import { startStub } from './stub.js';

describe('the type of a token', () => {
  it.each(['"bearer"', '"Bearer"', '"BEARER"', '"BearerToken"', 'null'])('may be %s', async (type) => {
    const { clientOf } = await startStub(() => ({ body: `{"access_token":"a","token_type":${type}}` }));

    expect((await clientOf().clientCredentials()).tokens.accessToken).toBe('a');
  });

  it('may be left out', async () => {
    const { clientOf } = await startStub(() => ({ body: '{"access_token":"a"}' }));

    expect((await clientOf().clientCredentials()).tokens.accessToken).toBe('a');
  });

  // Sent as a bearer token, a DPoP or MAC token is refused by the API, which says nothing of the reason.
  it.each(['"DPoP"', '"mac"', '"N_A"', '""', '5', '["bearer","mac"]'])('can not be %s', async (type) => {
    const { clientOf } = await startStub(() => ({ body: `{"access_token":"secret-token","token_type":${type}}` }));
    const client = clientOf();
    const code = { code: 'c', codeVerifier: 'v'.repeat(43) };

    for (const asked of [client.clientCredentials(), client.exchangeCode(code), client.refresh('r')]) {
      const error = await errorOf(asked);
      expect(error).toBeInstanceOf(TokenError);
      expect(error).toMatchObject({
        code: 'unsupported_token_type',
        outcome: 'refused', // so that renewals are loud
        message: expect.stringContaining('another type than bearer'),
      });
      expect(inspect(error)).not.toContain('secret-token');
    }
  });
});

describe('the lifetime of a token that the server does not tell', () => {
  const fragment = (state: string) => `access_token=a&token_type=bearer&state=${state}`;

  it.each([
    [{}, 86_400_000],
    [{ defaultLifetimeMs: 300_000 }, 300_000],
  ])('with %j is %i ms', async (options, lifetimeMs) => {
    const { clientOf } = await startStub();
    const client = clientOf(options);

    expect((await client.clientCredentials()).tokens.lifetimeMs).toBe(lifetimeMs);
    expect((await client.refresh('r')).tokens.lifetimeMs).toBe(lifetimeMs);
    expect(client.readFragment(fragment('s'), { state: 's' }).tokens.lifetimeMs).toBe(lifetimeMs);
  });

  it('is never used where the server tells one', async () => {
    const { clientOf } = await startStub(() => ({ body: '{"access_token":"a","expires_in":60}' }));
    const client = clientOf({ defaultLifetimeMs: 300_000 });

    expect((await client.clientCredentials()).tokens.lifetimeMs).toBe(60_000);
    expect(client.readFragment(`${fragment('s')}&expires_in=60`, { state: 's' }).tokens.lifetimeMs).toBe(60_000);
  });
});

// In the body they are hidden like all that is sent there; in the header they were not.
it.each([
  ['as it is', 'p%ss w+rd'],
  ['as the header has it', Buffer.from('app:p%25ss+w%2Brd').toString('base64')],
  ['as a server has it that decodes no more', 'p%25ss+w%2Brd'],
])('a secret of HTTP Basic is hidden where the server repeats it %s', async (_how, repeated) => {
  const answer = { error: 'invalid_client', error_description: `No: ${repeated}.` };
  const { clientOf } = await startStub(() => ({ status: 401, body: JSON.stringify(answer) }));

  const error = await errorOf(
    clientOf({ clientSecret: 'p%ss w+rd', clientAuthentication: 'basic' }).clientCredentials(),
  );

  expect(error).toMatchObject({ code: 'invalid_client', message: 'No: [hidden].' });
});
