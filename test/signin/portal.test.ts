import { inspect } from 'node:util';
import type { SparkAuthenticateOptions } from '../../src/index.js';
import { startApp } from '../support/app.js';
import { serve } from '../support/server.js';
import { Visitor } from '../support/visitor.js';

describe('discoverPortal', () => {
  it('asks with the tokens of the signed-in agent, and its answer is the portal of a sign-in', async () => {
    const { url, spark } = await startApp({
      routes: (app, passport, strategy) => {
        app.get('/agents', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/' }));
        app.get('/portal', (req, res, next) => {
          strategy.discoverPortal(req).then((portal) => res.json(portal), next);
        });
        app.get('/buyers', (req, res, next) => {
          strategy.discoverPortal(req).then((portal) => {
            const options: SparkAuthenticateOptions = { role: 'vow', portal };
            passport.authenticate('spark', options)(req, res, next);
          }, next);
        });
      },
    });
    const agent = new Visitor(url);
    expect((await agent.page('/portal')).status).toBe(401);
    await agent.signIn('/agents');
    const portal = { name: 'myportal', authorizationURL: `${spark.url}/auth/vow/myportal` };
    expect((await agent.page('/portal')).body).toEqual(portal);
    expect(new URL((await agent.page('/buyers')).headers.location as string).pathname).toBe('/auth/vow/myportal');

    spark.expireAllAccessTokens(); // and renews what has expired
    expect((await agent.page('/portal')).body).toEqual(portal);
  });

  it('asks with a token that was stored for the office, or is at hand', async () => {
    const { strategy, spark } = await startApp();
    const grant = await fetch(`${spark.url}/v1/oauth2/grant`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_id: 'emulator-client',
        client_secret: 'emulator-secret',
        grant_type: 'password',
        username: 'agent',
        password: 'spark',
      }),
    });
    const { access_token: accessToken } = (await grant.json()) as { access_token: string };
    await strategy.tokens.adopt('office', { accessToken, refreshToken: undefined, lifetimeMs: undefined });
    const portal = { name: 'myportal', authorizationURL: `${spark.url}/auth/vow/myportal` };
    expect(await strategy.discoverPortal({ tokenKey: 'office' })).toEqual(portal);
    expect(await strategy.discoverPortal(accessToken)).toEqual(portal);
    await expect(strategy.discoverPortal({ tokenKey: 'nobody' })).rejects.toMatchObject({ code: 'sign_in_required' });
    await expect(strategy.discoverPortal('no-token')).rejects.toMatchObject({ code: 'system_failed', status: 502 });
  });

  // The HTTP client's own error quotes the header.
  it('refuses a token that no header may hold, and does not show it', async () => {
    const { strategy } = await startApp();
    const error: unknown = await strategy.discoverPortal('hush\nhush').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'ConfigError', message: expect.stringContaining('without a line break') });
    expect(inspect(error, { showHidden: true })).not.toContain('hush');
  });

  it.each([undefined, {}, { tokenKey: 5 }, 5])('says what to ask it with: %j', async (from) => {
    const { strategy } = await startApp();

    await expect(strategy.discoverPortal(from as never)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining("write the request, an access token, or { tokenKey: 'office' }"),
    });
  });

  const system = async (configuration: unknown): Promise<Awaited<ReturnType<typeof startApp>>['strategy']> => {
    const { url } = await serve((_req, res) => {
      res.end(JSON.stringify({ D: { Success: true, Results: [{ Configuration: configuration }] } }));
    });
    return (await startApp({ strategy: { apiURL: url } })).strategy;
  };

  it('takes the newer addresses on other hosts, and their name', async () => {
    const strategy = await system([{ OAuth2ServiceEndpointPortal: 'https://portal.example.com/r/login/Lakeside' }]);
    expect(await strategy.discoverPortal('token')).toEqual({
      name: 'Lakeside',
      authorizationURL: 'https://portal.example.com/r/login/Lakeside',
    });
  });

  it.each([
    ['no configuration', undefined, 404],
    ['no portal', [{}], 404],
    ['http to a public host', [{ OAuth2ServiceEndpointPortal: 'http://portal.example.com/r/login/x' }], 502],
    ['a script', [{ OAuth2ServiceEndpointPortal: 'javascript:alert(1)' }], 502],
    ['no text', [{ OAuth2ServiceEndpointPortal: 42 }], 502],
  ])('refuses %s', async (_name, configuration, status) => {
    const strategy = await system(configuration);
    await expect(strategy.discoverPortal('token')).rejects.toMatchObject({ code: 'portal_unknown', status });
  });
});

it('sends people to the authorizationURL of the options, with its own query', async () => {
  const { url } = await startApp({ strategy: { authorizationURL: 'https://portal.example.com/r/login/x?skin=blue' } });
  const away = new URL((await new Visitor(url).page('/')).headers.location as string);
  expect(away.origin + away.pathname).toBe('https://portal.example.com/r/login/x');
  expect(away.searchParams.get('skin')).toBe('blue');
  expect(away.searchParams.get('client_id')).toBe('emulator-client');
});
