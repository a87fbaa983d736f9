import { ConfigError } from '../../src/index.js';
import { fragmentPage, OAuth2Client, type OAuth2ClientOptions } from '../../src/oauth2/index.js';
import { serve } from '../support/server.js';
import { errorOf } from './start.js';

function problemsOf(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('options of OAuth2Client', () => {
  it('are all looked at before one error lists every problem', () => {
    const options = {
      tokenURL: 'http://server.example.com/token',
      authorizationURL: '/authorize',
      clientId: 'app',
      clientAuthentication: 'basic',
      format: 'xml',
      scope: 5,
      scopeSeparator: ';',
      timeoutMs: 1.5,
      defaultLifetimeMs: 0,
      revocationURL: 'http://server.example.com/revoke',
      customHeaders: { 'X-Key': 5 },
      tokenStore: {},
      apiURL: 'https://api.example.com/v1',
    } as unknown as OAuth2ClientOptions;

    const problems = problemsOf(() => new OAuth2Client(options));

    expect(problems.map((problem) => /"(\w+)/.exec(problem)?.[1]).sort()).toEqual([
      'apiURL',
      'authorizationURL',
      'clientAuthentication',
      'clientID',
      'clientId',
      'customHeaders',
      'defaultLifetimeMs',
      'format',
      'revocationURL',
      'scope',
      'scopeSeparator',
      'timeoutMs',
      'tokenStore',
      'tokenURL',
    ]);
    expect(problems.join()).toContain('did you mean "clientID"?');
  });

  it.each([undefined, null, 'https://server.example.com/token'])('are asked for when they are %p', (options) => {
    expect(problemsOf(() => new OAuth2Client(options as never)).join()).toContain('write new OAuth2Client({ tokenURL');
  });

  it('hold no white space around id and secret, as a file does', () => {
    const options = { tokenURL: 'https://server.example.com/token', clientID: ' app', clientSecret: 'app-secret\n' };

    expect(problemsOf(() => new OAuth2Client(options))).toEqual([
      expect.stringContaining('"clientID" begins or ends with white space'),
      expect.stringContaining('"clientSecret" begins or ends with white space'),
    ]);
  });

  it('may be no more than the token endpoint and an id', () => {
    expect(
      problemsOf(() => new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app' })),
    ).toEqual([]);
  });

  it('are asked for where a grant needs them', async () => {
    const client = new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app' });

    expect(problemsOf(() => client.authorizationRequest()).join()).toContain('authorizationURL');
    expect(problemsOf(() => client.implicitRequest()).join()).toContain('authorizationURL');
    expect(await errorOf(client.useMachineTokens('reports'))).toBeInstanceOf(ConfigError);
  });

  it('of one call are checked like those of the client', async () => {
    const client = new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app' });
    const scope = 5 as unknown as string;

    for (const error of [
      await errorOf(client.clientCredentials({ scope })),
      await errorOf(client.refresh('one', { scope })),
    ]) {
      expect(error).toMatchObject({ name: 'ConfigError', problems: [expect.stringContaining('"scope" is neither')] });
    }
  });

  // Else a TypeError from within, which says nothing of what to write.
  it('of one call are asked for where they are missing', async () => {
    const client = new OAuth2Client({
      tokenURL: 'https://server.example.com/token',
      clientID: 'app',
      clientSecret: 's',
    });
    const asked = client as unknown as Record<string, (...args: unknown[]) => unknown>;
    const call = async (name: string, ...args: unknown[]): Promise<unknown> => asked[name]?.(...args);

    for (const [made, remedy] of [
      [call('exchangeCode'), 'write exchangeCode({ code, codeVerifier })'],
      [call('exchangeCode', {}), '"code" is missing'],
      // A session that was lost meanwhile: without the verifier the code would go up without its proof.
      [call('exchangeCode', { code: 'c' }), '"codeVerifier" is missing; write the one of authorizationRequest'],
      [call('exchangeCode', { code: 'c', codeVerifier: '' }), '"codeVerifier" is blank'],
      [call('readCallback', '/callback?code=1'), 'write readCallback(req.url, { state })'],
      [call('readCallback', undefined, { state: 's' }), '"url" is no text'],
      [call('readFragment', 'access_token=1'), 'write readFragment(req.body?.fragment, { state })'],
      [call('password'), 'write password({ username, password })'],
      [call('password', { username: 'ada' }), '"password" is missing'],
      [call('password', { password: 'the-password' }), '"username" is missing'],
      [call('refresh', 'r', null), 'write refresh(refreshToken, {'],
      [call('clientCredentials', 'read'), "write clientCredentials({ scope: ['read'] })"],
      [call('refresh'), '"refreshToken" is missing'],
      [call('useMachineTokens'), 'client.useMachineTokens: "name" is missing'],
      [call('accessToken'), 'client.accessToken: "name" is missing'],
    ] as const) {
      expect(await errorOf(made)).toMatchObject({ name: 'ConfigError', message: expect.stringContaining(remedy) });
    }
  });

  it('of one call that are none are told: each of them would be ignored without a word', async () => {
    const client = new OAuth2Client({
      tokenURL: 'https://server.example.com/token',
      authorizationURL: 'https://server.example.com/authorize',
      clientID: 'app',
      clientSecret: 's',
    });
    const asked = client as unknown as Record<string, (...args: unknown[]) => unknown>;
    const call = async (name: string, ...args: unknown[]): Promise<unknown> => asked[name]?.(...args);
    const exchange = { code: 'the-code', codeVerifier: 'the-verifier' };

    for (const [made, problem] of [
      [call('clientCredentials', { scop: 'read' }), 'client.clientCredentials: "scop" is not an option.'],
      [call('useMachineTokens', 'reports', { Scope: 'read' }), '"Scope" is not an option; did you mean "scope"?'],
      [call('useMachineTokens', 'reports', { audience: 'the-audience' }), '"audience" is not an option'],
      [call('refresh', 'r', { parms: {} }), '"parms" is not an option'],
      [call('authorizationRequest', { redirectUri: 'https://app.example.com' }), 'did you mean "redirectURI"?'],
      [call('implicitRequest', { response_type: 'token' }), 'did you mean "responseType"?'],
      [call('password', { username: 'a', password: 'b', scop: 'c' }), '"scop" is not an option'],
      [call('exchangeCode', { ...exchange, redirect_uri: 'x' }), 'did you mean "redirectURI"?'],
      [call('readCallback', '/cb', { State: 's' }), 'did you mean "state"?'],
      [call('readFragment', '', { ISSUER: 's' }), 'did you mean "issuer"?'],
    ] as const) {
      expect(await errorOf(made)).toMatchObject({ name: 'ConfigError', message: expect.stringContaining(problem) });
    }
  });

  it('of one call are what they are for the client', async () => {
    const client = new OAuth2Client({
      tokenURL: 'https://server.example.com/token',
      authorizationURL: 'https://server.example.com/authorize',
      clientID: 'app',
    });
    const redirectURI = 'http://app.example.com/cb';
    const params = { audience: 'the-audience', max_age: 5, hint: undefined } as unknown as Record<string, string>;
    const exchange = { code: 'the-code', codeVerifier: 'the-verifier' };

    for (const [made, problems] of [
      [() => client.authorizationRequest({ redirectURI }), ['"redirectURI" uses http: on the public host']],
      [
        () => client.implicitRequest({ redirectURI, responseType: '' }),
        ['"responseType" is blank', '"redirectURI" uses'],
      ],
      [() => client.exchangeCode({ ...exchange, redirectURI: '/cb' }), ['"redirectURI" is']],
      [() => client.clientCredentials({ params }), ['a "max_age" that is of type number', 'a "hint" that is missing']],
      [() => client.refresh('r', { params: 'a=b' as never }), ['"params" is of type string']],
      [() => client.readCallback('/cb', { state: {} as never }), ['"state" is of type object']],
      [() => client.readCallback('/cb', { state: 's', issuer: 'server' }), ['"issuer" is']],
    ] as const) {
      const error = await errorOf((async () => made())());
      expect(error).toMatchObject({ problems: problems.map((problem) => expect.stringContaining(problem)) });
      expect(String(error)).not.toMatch(/the-code|the-verifier|the-audience/);
    }
  });

  it('of one call may be what the session kept, whole', async () => {
    const { url } = await serve((req, res) => {
      req.resume();
      res.end('{"access_token":"a"}');
    });
    const client = new OAuth2Client({ tokenURL: url, authorizationURL: `${url}/authorize`, clientID: 'app' });
    const signIn = client.authorizationRequest();

    const { code } = client.readCallback(`/cb?code=c&state=${signIn.state}`, signIn);

    expect((await client.exchangeCode({ code, ...signIn })).tokens.accessToken).toBe('a');
  });

  it('name tokens that there are: nobody is asked to sign in for a name', async () => {
    const client = new OAuth2Client({ tokenURL: 'https://server.example.com/token', clientID: 'app' });

    expect(await errorOf(client.accessToken('nope'))).toMatchObject({
      code: 'sign_in_required',
      message: "No tokens are stored under the name 'nope'; call useMachineTokens or tokens.adopt first.",
    });
  });

  it('limit how long a token request may take', async () => {
    const { url } = await serve(() => undefined);
    const client = new OAuth2Client({ tokenURL: url, clientID: 'app', clientSecret: 'app-secret', timeoutMs: 50 });

    expect(await errorOf(client.clientCredentials())).toMatchObject({ code: 'timeout', outcome: 'unknown' });
  });
});

describe('options of the fragment page', () => {
  it.each(['', 'fragment', '//evil.example.com/x', '/\\evil.example.com', 'https://evil.example.com', '/a b'])(
    'lead to no other origin: "%s"',
    (path) => {
      expect(problemsOf(() => fragmentPage({ postPath: path, scriptPath: path }))).toHaveLength(2);
    },
  );

  it('are asked for when there are none', () => {
    expect(problemsOf(() => fragmentPage(undefined as never)).join()).toContain(
      'the options are missing; write fragmentPage({',
    );
  });

  it('are written into the page as text', () => {
    const { html } = fragmentPage({ postPath: '/a?b="><script>', scriptPath: '/s.js', title: '<b>' });

    expect(html).toContain('action="/a?b=&quot;&gt;&lt;script&gt;"');
    expect(html).not.toContain('<b>');
  });
});
