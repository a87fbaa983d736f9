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
      [call('readCallback', '/callback?code=1'), 'write readCallback(req.url, { state })'],
      [call('readCallback', undefined, { state: 's' }), '"url" is no text'],
      [call('readFragment', 'access_token=1'), 'write readFragment(req.body.fragment, { state })'],
      [call('password'), 'write password({ username, password })'],
      [call('refresh'), '"refreshToken" is missing'],
      [call('useMachineTokens'), 'client.useMachineTokens: "name" is missing'],
      [call('accessToken'), 'client.accessToken: "name" is missing'],
    ] as const) {
      expect(await errorOf(made)).toMatchObject({ name: 'ConfigError', message: expect.stringContaining(remedy) });
    }
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
