import { errorOf } from './start.js';
import { startStub } from './stub.js';

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
