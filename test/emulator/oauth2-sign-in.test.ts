import { alertOf, CALLBACK, locationOf, readForm, startEmulator } from './start.js';

const REGISTERED = 'https://app.example.com/cb';
const CLIENTS = [{ id: 'k', secret: 's', redirectURIs: [REGISTERED, 'https://app.example.com/cb2?tab=1'] }];

function signInAddress(parameters: Record<string, string | undefined>, endpoint = '/oauth2'): string {
  const complete = {
    response_type: 'code',
    client_id: 'emulator-client',
    redirect_uri: CALLBACK,
    state: 'st/1+2 &=',
    ...parameters,
  };
  const present = Object.entries(complete).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${endpoint}?${new URLSearchParams(present)}`;
}

function withoutCode(location: URL): Record<string, string> {
  return Object.fromEntries(location.searchParams);
}

describe('what comes back to the application', () => {
  it('is a code of 25 base-36 characters and the state as it was sent', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(signInAddress({}), 'agent');

    expect(callback.searchParams.get('code')).toMatch(/^[0-9a-z]{25}$/);
    expect(callback.searchParams.get('state')).toBe('st/1+2 &=');
    expect([...callback.searchParams.keys()]).toEqual(['code', 'state']);
  });

  it('has no state when none was sent', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(signInAddress({ state: undefined }), 'agent');

    expect([...callback.searchParams.keys()]).toEqual(['code']);
  });

  it('is added to the query and before the fragment that the redirect URI has already', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(signInAddress({ redirect_uri: `${CALLBACK}?a=%7e&b#end` }), 'agent');

    expect(callback.href).toMatch(/\?a=%7e&b&code=\w{25}&state=[^#]+#end$/);
  });

  it('is access_denied when the person denies, with no password asked', async () => {
    const spark = await startEmulator();
    const { action, fields } = readForm(await (await spark.get(signInAddress({}))).text());

    const callback = locationOf(
      await spark.postForm(action, { ...fields, username: '', password: '', decision: 'deny' }),
    );

    expect(withoutCode(callback)).toEqual({
      error: 'access_denied',
      error_description: 'The user denied you access',
      state: 'st/1+2 &=',
    });
  });

  it.each([
    ['invalid_request', 'Missing required parameter response_type', { response_type: undefined }],
    ['unsupported_response_type', 'Parameter response_type must be "code"', { response_type: 'token' }],
  ])('is %s: %s', async (error, description, parameters) => {
    const spark = await startEmulator();

    const callback = locationOf(await spark.get(signInAddress(parameters)));

    expect(callback.origin + callback.pathname).toBe(CALLBACK);
    expect(withoutCode(callback)).toEqual({ error, error_description: description, state: 'st/1+2 &=' });
  });

  it('is unauthorized_client when the key has no role for this endpoint', async () => {
    const spark = await startEmulator({
      clients: [{ id: 'k', secret: 's', redirectURIs: 'loopback', roles: ['vow'] }],
    });

    const callback = locationOf(await spark.get(signInAddress({ client_id: 'k' })));

    expect(callback.searchParams.get('error')).toBe('unauthorized_client');
  });
});

describe('a redirect URI that is not the one on record', () => {
  it('sends redirect_uri_mismatch to the URI on record, spelled as the vendor documents it', async () => {
    const spark = await startEmulator({ clients: CLIENTS });

    const answer = await spark.get(
      signInAddress({ client_id: 'k', redirect_uri: 'https://app.example.com/cb/', state: 'x' }),
    );

    expect(answer.headers.get('location')).toBe(
      `${REGISTERED}?error=redirect_uri_mismatch&error_description=Parameter+redirect_uri+does+not+match+registered+URI&state=x`,
    );
  });

  it('sends invalid_request there when it is missing', async () => {
    const spark = await startEmulator({ clients: CLIENTS });

    const callback = locationOf(await spark.get(signInAddress({ client_id: 'k', redirect_uri: undefined })));

    expect(callback.href.startsWith(REGISTERED)).toBe(true);
    expect(callback.searchParams.get('error')).toBe('invalid_request');
    expect(callback.searchParams.get('error_description')).toBe('Missing required parameter redirect_uri');
  });

  it('is checked again when the form is sent', async () => {
    const spark = await startEmulator({ clients: CLIENTS });

    const answer = await spark.postForm('/oauth2', {
      response_type: 'code',
      client_id: 'k',
      redirect_uri: 'https://elsewhere.example.com/',
      username: 'agent',
      password: 'spark',
      decision: 'allow',
    });

    expect(locationOf(answer).searchParams.get('error')).toBe('redirect_uri_mismatch');
  });

  it.each([
    'https://app.example.com/cb',
    'javascript:alert(1)',
    'http://127.0.0.1.example.com/',
    'http://127.0.0.1/\r\na',
    '',
  ])('stays on the page with a client that accepts the own machine only: %j', async (uri) => {
    const spark = await startEmulator();

    const answer = await spark.get(signInAddress({ redirect_uri: uri }));

    expect(answer.status).toBe(400);
    expect(answer.headers.get('location')).toBeNull();
  });

  it.each(['http://localhost:3000/cb', 'https://127.1.2.3/cb', 'http://[::1]:3000/cb'])(
    'is no matter for a loopback client: %s',
    async (uri) => {
      const spark = await startEmulator();

      const callback = await spark.signIn(signInAddress({ redirect_uri: uri }), 'agent');

      expect(callback.href.startsWith(uri)).toBe(true);
    },
  );
});

describe('the sign-in page', () => {
  it.each([
    ['unknown', 'nobody'],
    ['missing', undefined],
  ])('keeps the person when the client_id is %s', async (_case, clientId) => {
    const spark = await startEmulator();

    const answer = await spark.get(signInAddress({ client_id: clientId }));

    expect(answer.status).toBe(400);
    expect(answer.headers.get('location')).toBeNull();
    expect(await answer.text()).toContain('client_id');
  });

  it.each([
    ['a wrong password', '/oauth2', 'agent', 'wrong', 401, 'not correct'],
    ['an unknown user', '/oauth2', 'nobody', 'spark', 401, 'not correct'],
    ['a consumer at the sign-in of agents', '/oauth2', 'consumer', 'spark', 403, 'sign-in of agents'],
    ['an agent at a portal', '/auth/vow/myportal', 'agent', 'spark', 403, 'no portal account'],
    ['an agent at the sign-in of all portals', '/auth/vow', 'agent', 'spark', 403, 'no portal account'],
    ['a consumer of another portal', '/auth/vow/other', 'consumer', 'spark', 403, 'no account at the portal'],
  ])('comes again with a message for %s', async (_case, endpoint, username, password, status, message) => {
    const spark = await startEmulator({
      portals: ['MyPortal', 'other'],
      people: [
        { username: 'agent', password: 'spark', roles: ['private'] },
        { username: 'consumer', password: 'spark', roles: ['vow'], portals: ['myportal'] },
      ],
    });
    const { action, fields } = readForm(await (await spark.get(signInAddress({}, endpoint))).text());

    const answer = await spark.postForm(action, { ...fields, username, password, decision: 'allow' });

    const html = await answer.text();
    expect(answer.status).toBe(status);
    expect(alertOf(html)).toContain(message);
    expect(readForm(html)).toEqual({ action, fields });
  });

  it('comes again when neither button was pressed', async () => {
    const spark = await startEmulator();
    const { action, fields } = readForm(await (await spark.get(signInAddress({}))).text());

    const answer = await spark.postForm(action, { ...fields, username: 'agent', password: 'spark' });

    expect(answer.status).toBe(400);
    expect(alertOf(await answer.text())).toContain('Allow or Deny');
  });

  it('says that a portal does not exist', async () => {
    const spark = await startEmulator();

    const answer = await spark.get(signInAddress({}, '/auth/vow/nowhere'));

    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain('nowhere');
  });

  it('finds a portal whatever its case', async () => {
    const spark = await startEmulator({ portals: ['MyPortal'] });

    const callback = await spark.signIn(signInAddress({}, '/auth/vow/mYpORTAL'), 'consumer');

    expect(callback.searchParams.has('code')).toBe(true);
  });

  it('shows nothing of the request as HTML', async () => {
    const spark = await startEmulator();
    const attack = `"'><script>alert(1)</script>&amp;`;

    const page = await (await spark.get(signInAddress({ state: attack }))).text();
    const refusal = await (await spark.get(signInAddress({ client_id: attack }))).text();

    expect(page).not.toContain('<script');
    expect(readForm(page).fields.state).toBe(attack);
    expect(refusal).not.toContain('<script');
  });

  it('allows no script and no frame, but lets the form lead anywhere', async () => {
    const spark = await startEmulator();

    const { headers } = await spark.get(signInAddress({}));

    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('form-action');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.has('x-powered-by')).toBe(false);
    expect(headers.has('etag')).toBe(false);
  });

  it('has a language, a title, a label for every field and two buttons', async () => {
    const spark = await startEmulator();

    const page = await (await spark.get(signInAddress({}))).text();

    expect(page).toMatch(/<html lang="en">/);
    expect(page).toMatch(/<title>[^<]+<\/title>/);
    for (const id of ['username', 'password']) {
      expect(page).toContain(`<label for="${id}">`);
      expect(page).toContain(`<input id="${id}" name="${id}"`);
    }
    expect([...page.matchAll(/name="decision" value="(\w+)"/g)].map((match) => match[1])).toEqual(['allow', 'deny']);
  });
});
