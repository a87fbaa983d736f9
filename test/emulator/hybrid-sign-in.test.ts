import { alertOf, CALLBACK, envelopeOf, locationOf, readForm, type Spark, startEmulator } from './start.js';

function address(parameters: Record<string, string | undefined> = {}): string {
  const complete = {
    'openid.mode': 'checkid_setup',
    'openid.return_to': CALLBACK,
    'openid.spark.client_id': 'emulator-client',
    'openid.spark.combined_flow': 'true',
    ...parameters,
  };
  const present = Object.entries(complete).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `/openid?${new URLSearchParams(present)}`;
}

async function deny(spark: Spark, path: string): Promise<URL> {
  const { action, fields } = readForm(await (await spark.get(path)).text());
  return locationOf(await spark.postForm(action, { ...fields, decision: 'deny' }));
}

describe('the hybrid callback', () => {
  it('carries the full list of a captured message', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(address(), 'agent');

    const answer = Object.fromEntries(callback.searchParams);
    expect(callback.origin + callback.pathname).toBe(CALLBACK);
    expect(answer).toEqual({
      'openid.ns': 'http://specs.openid.net/auth/2.0',
      'openid.ns.spark': 'http://sparkplatform.com/extensions/spark/1.0',
      'openid.ns.sreg': 'http://openid.net/extensions/sreg/1.1',
      'openid.mode': 'id_res',
      'openid.op_endpoint': expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/openid\?session_id=[0-9a-f]{32}$/),
      'openid.claimed_id': expect.stringMatching(/\/openid\/userid\/mo\.\d+\?session_id=[0-9a-f]{32}$/),
      'openid.identity': answer['openid.claimed_id'],
      'openid.return_to': CALLBACK,
      'openid.response_nonce': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\w{6}$/),
      'openid.assoc_handle': expect.stringMatching(/^\{HMAC-SHA1\}\{[0-9a-f]{8}\}\{[A-Za-z0-9+/=]+\}$/),
      'openid.sig': expect.stringMatching(/^[A-Za-z0-9+/]{27}=$/),
      'openid.signed':
        'assoc_handle,claimed_id,identity,mode,ns,ns.spark,ns.sreg,op_endpoint,response_nonce,return_to,signed,spark.code,sreg.fullname,sreg.nickname',
      'openid.spark.code': expect.stringMatching(/^[0-9a-z]{25}$/),
      'openid.sreg.fullname': 'Agent Example',
      'openid.sreg.nickname': expect.stringMatching(/^\d{26}$/),
    });
  });

  it('names the person by the account id, and by another claimed_id at every sign-in', async () => {
    const spark = await startEmulator();

    const first = (await spark.signIn(address(), 'agent')).searchParams;
    const second = (await spark.signIn(address(), 'agent')).searchParams;
    const { access_token } = await spark.tokensOf('agent');
    const account = await envelopeOf(await spark.call('/v1/my/account', access_token));

    expect(first.get('openid.sreg.nickname')).toBe(account.Results[0]?.Id);
    expect(second.get('openid.sreg.nickname')).toBe(account.Results[0]?.Id);
    expect(first.get('openid.claimed_id')).not.toBe(second.get('openid.claimed_id'));
  });

  it('carries the state beside the signed fields', async () => {
    const spark = await startEmulator();

    const { searchParams } = await spark.signIn(address({ 'openid.spark.state': 's&1' }), 'agent');

    expect(searchParams.get('openid.spark.state')).toBe('s&1');
    expect(searchParams.get('openid.signed')).not.toContain('spark.state');
  });

  it('carries mode, code and state alone when that is asked of the emulator', async () => {
    const spark = await startEmulator({ hybridCallback: 'minimal' });

    const callback = await spark.signIn(address({ 'openid.spark.state': 's&1' }), 'agent');

    expect([...callback.searchParams.keys()]).toEqual(['openid.mode', 'openid.spark.code', 'openid.spark.state']);
    expect(callback.searchParams.get('openid.spark.state')).toBe('s&1');
  });

  it.each(['required', 'optional'])(
    'carries a signed address when simple registration asks for it as %s',
    async (how) => {
      const spark = await startEmulator();

      const { searchParams } = await spark.signIn(address({ [`openid.sreg.${how}`]: 'fullname,email' }), 'agent');

      expect(searchParams.get('openid.sreg.email')).toBe('agent@example.com');
      expect(searchParams.get('openid.signed')?.split(',')).toContain('sreg.email');
    },
  );

  it('carries no code when the combined flow was not asked for', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(address({ 'openid.spark.combined_flow': undefined }), 'agent');

    expect(callback.searchParams.get('openid.mode')).toBe('id_res');
    expect(callback.searchParams.has('openid.spark.code')).toBe(false);
    expect(callback.searchParams.get('openid.signed')).not.toContain('spark');
  });

  it('needs no key for the identity alone', async () => {
    const spark = await startEmulator();

    const callback = await spark.signIn(
      address({ 'openid.spark.combined_flow': undefined, 'openid.spark.client_id': undefined }),
      'agent',
    );

    expect(callback.searchParams.get('openid.mode')).toBe('id_res');
  });

  it('is cancel when the person denies, with the state', async () => {
    const spark = await startEmulator();

    const callback = await deny(spark, address({ 'openid.spark.state': 's1' }));

    expect(callback.searchParams.get('openid.mode')).toBe('cancel');
    expect(callback.searchParams.get('openid.spark.state')).toBe('s1');
    expect(callback.searchParams.has('openid.spark.code')).toBe(false);
  });

  it('is setup_needed for the silent form', async () => {
    const spark = await startEmulator();

    const callback = locationOf(await spark.get(address({ 'openid.mode': 'checkid_immediate' })));

    expect(callback.searchParams.get('openid.mode')).toBe('setup_needed');
  });

  it.each([
    ['a mode that does not exist', { 'openid.mode': 'sing' }],
    ['no mode', { 'openid.mode': undefined }],
  ])('is an error for %s', async (_case, parameters) => {
    const spark = await startEmulator();

    const callback = locationOf(await spark.get(address({ ...parameters, 'openid.spark.state': 's1' })));

    expect(callback.searchParams.get('openid.mode')).toBe('error');
    expect(callback.searchParams.get('openid.error')).toContain('Unsupported openid.mode');
    expect(callback.searchParams.get('openid.spark.state')).toBe('s1');
  });

  it('is an error for a key of portals, which the hybrid flow does not support', async () => {
    const spark = await startEmulator({
      clients: [{ id: 'k', secret: 's', redirectURIs: 'loopback', roles: ['vow'] }],
    });

    const callback = locationOf(await spark.get(address({ 'openid.spark.client_id': 'k' })));

    expect(callback.searchParams.get('openid.mode')).toBe('error');
  });

  it.each([
    ['another address', 'https://elsewhere.example.com/', 'does not match registered URI'],
    ['no address', undefined, 'Missing required parameter openid.return_to'],
  ])('is an error at the URI on record for %s', async (_case, returnTo, text) => {
    const spark = await startEmulator({
      clients: [{ id: 'k', secret: 's', redirectURIs: ['https://app.example.com/cb'] }],
    });

    const callback = locationOf(
      await spark.get(address({ 'openid.spark.client_id': 'k', 'openid.return_to': returnTo })),
    );

    expect(callback.origin + callback.pathname).toBe('https://app.example.com/cb');
    expect(callback.searchParams.get('openid.mode')).toBe('error');
    expect(callback.searchParams.get('openid.error')).toContain(text);
  });
});

describe('the hybrid sign-in page', () => {
  it.each([
    ['an unknown key', { 'openid.spark.client_id': 'nobody' }],
    ['no key', { 'openid.spark.client_id': undefined }],
    ['an address elsewhere and a loopback key', { 'openid.return_to': 'https://elsewhere.example.com/' }],
  ])('keeps the person: %s', async (_case, parameters) => {
    const spark = await startEmulator();

    const answer = await spark.get(address(parameters));

    expect(answer.status).toBe(400);
    expect(answer.headers.get('location')).toBeNull();
  });

  it.each([
    ['a wrong password', 'agent', 'wrong', 401, 'not correct'],
    ['a consumer', 'consumer', 'spark', 403, 'sign-in of agents'],
  ])('comes again with a message for %s', async (_case, username, password, status, message) => {
    const spark = await startEmulator();
    const { action, fields } = readForm(await (await spark.get(address({ 'openid.spark.state': 's1' }))).text());

    const answer = await spark.postForm(action, { ...fields, username, password, decision: 'allow' });

    const html = await answer.text();
    expect(answer.status).toBe(status);
    expect(alertOf(html)).toContain(message);
    expect(readForm(html).fields['openid.spark.state']).toBe('s1');
  });

  it('ends with a page after the sign-out', async () => {
    const spark = await startEmulator();

    const answer = await spark.get('/openid/logout');

    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('Signed out');
  });
});

describe('direct verification of an assertion', () => {
  async function assertion(spark: Spark, parameters = {}): Promise<Record<string, string>> {
    return Object.fromEntries((await spark.signIn(address(parameters), 'agent')).searchParams);
  }

  async function verify(spark: Spark, fields: Record<string, string>): Promise<string> {
    const answer = await spark.postForm('/openid', { ...fields, 'openid.mode': 'check_authentication' });
    expect(answer.headers.get('content-type')).toContain('text/plain');
    return answer.text();
  }

  const valid = 'ns:http://specs.openid.net/auth/2.0\nis_valid:true\n';
  const invalid = 'ns:http://specs.openid.net/auth/2.0\nis_valid:false\n';

  it('says true once, and false when the same assertion is shown again', async () => {
    const spark = await startEmulator();
    const fields = await assertion(spark, { 'openid.spark.state': 's1' });

    expect(await verify(spark, fields)).toBe(valid);
    expect(await verify(spark, fields)).toBe(invalid);
  });

  it.each([
    ['the identity was changed', { 'openid.identity': 'https://example.com/other' }],
    ['the code was changed', { 'openid.spark.code': '0'.repeat(25) }],
    ['the signature was changed', { 'openid.sig': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
    ['the signature is missing', { 'openid.sig': '' }],
    ['the association is unknown', { 'openid.assoc_handle': '{HMAC-SHA1}{00000000}{AAAA}' }],
    ['the nonce was taken out of the list', { 'openid.signed': 'mode' }],
  ])('says false when %s, and the true one can still be verified', async (_case, change) => {
    const spark = await startEmulator();
    const fields = await assertion(spark);

    expect(await verify(spark, { ...fields, ...change })).toBe(invalid);
    expect(await verify(spark, fields)).toBe(valid);
  });

  it('refuses associations', async () => {
    const spark = await startEmulator();

    const answer = await spark.postForm('/openid', { 'openid.mode': 'associate' });

    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('error_code:unsupported-type\n');
  });
});

describe('attribute exchange', () => {
  it('answers the attributes that were asked for, signed, and leaves out what it does not know', async () => {
    const spark = await startEmulator();

    const { searchParams } = await spark.signIn(
      address({
        'openid.ns.ax': 'http://openid.net/srv/ax/1.0',
        'openid.ax.mode': 'fetch_request',
        'openid.ax.required': 'first_name,last_name,id,shoe_size',
        'openid.ax.if_available': 'email,friendly,middle_name',
        'openid.ax.type.first_name': 'http://openid.net/schema/namePerson/first',
        'openid.ax.type.last_name': 'http://openid.net/schema/namePerson/last',
        'openid.ax.type.middle_name': 'http://openid.net/schema/namePerson/middle',
        'openid.ax.type.friendly': 'http://openid.net/schema/namePerson/friendly',
        'openid.ax.type.id': 'http://openid.net/schema/person/guid',
        'openid.ax.type.email': 'http://openid.net/schema/contact/internet/email',
        'openid.ax.type.shoe_size': 'http://example.com/schema/shoe',
      }),
      'agent',
    );

    const values = [...searchParams].filter(([name]) => name.startsWith('openid.ax.value.'));
    expect(Object.fromEntries(values)).toEqual({
      'openid.ax.value.first_name': 'Agent',
      'openid.ax.value.last_name': 'Example',
      'openid.ax.value.middle_name': '',
      'openid.ax.value.friendly': 'agent',
      'openid.ax.value.id': searchParams.get('openid.sreg.nickname'),
      'openid.ax.value.email': 'agent@example.com',
    });
    expect(searchParams.get('openid.ax.mode')).toBe('fetch_response');
    expect(searchParams.get('openid.signed')?.split(',')).toContain('ax.value.email');
  });

  it('says nothing about attributes when none were asked for', async () => {
    const spark = await startEmulator();

    const { searchParams } = await spark.signIn(address(), 'agent');

    expect([...searchParams.keys()].some((name) => name.includes('ax'))).toBe(false);
  });
});
