import { ensureLoggedIn } from 'connect-ensure-login';
import refresh from 'passport-oauth2-refresh';
import { startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

describe('connect-ensure-login', () => {
  // Passport makes the session anew in logIn, and loses the page that was remembered there.
  it('leads back to the page it remembered, by successReturnToOrRedirect', async () => {
    const sids: string[] = [];
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use((req, _res, next) => {
          sids.push(req.sessionID);
          next();
        });
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { successReturnToOrRedirect: '/' }));
        app.get('/reports', ensureLoggedIn('/login'), (req, res) => {
          res.json(req.session);
        });
      },
    });
    const person = new Visitor(url);
    expect((await person.page('/reports?year=2026')).headers.location).toBe('/login');
    expect((await person.signIn('/login')).headers.location).toBe('/reports?year=2026');
    const { body } = await person.page('/reports?year=2026');
    expect(body.returnTo).toBeUndefined();
    expect(sids.at(-1)).not.toBe(sids.at(-2)); // a session of before the sign-in can't be slipped in
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  it('leads to no other site, whoever wrote the session', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/login', (req, _res, next) => {
          Object.assign(req.session, { returnTo: '//evil.example.com' });
          next();
        });
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { successReturnToOrRedirect: '/' }));
      },
    });
    expect((await new Visitor(url).signIn('/login')).headers.location).toBe('/');
  });
});

describe('passport-oauth2-refresh', () => {
  it.each([
    ['', {}, undefined],
    [', with a redirect URI of its own', { redirect_uri: 'http://127.0.0.1/own' }, 'http://127.0.0.1/own'],
  ])('renews tokens that the application keeps itself%s', async (_what, params, redirectURI) => {
    const kept: { refreshToken?: string } = {};
    const { url, spark, strategy } = await startApp({
      emulator: { refreshNeedsRedirectURI: true }, // the package sends none by itself
      routes: (app, passport) => {
        app.get('/login', passport.authenticate('spark'));
        app.get('/auth/spark/callback', passport.authenticate('spark', { session: false }), (_req, res) => {
          res.json({});
        });
      },
      tokens: (refreshToken) => Object.assign(kept, { refreshToken }),
    });
    refresh.use('kept', strategy);
    await new Visitor(url).signIn('/login');
    const renew = (refreshToken: string): Promise<unknown[]> =>
      new Promise((resolve) => {
        refresh.requestNewAccessToken('kept', refreshToken, params, (...answer: unknown[]) => resolve(answer));
      });
    const [error, accessToken, refreshToken] = await renew(kept.refreshToken ?? '');
    expect([error, typeof accessToken, typeof refreshToken]).toEqual([null, 'string', 'string']);
    expect(refreshToken).not.toBe(kept.refreshToken);
    expect(spark.grants('refresh_token')).toMatchObject([
      { status: 200, redirectURI: redirectURI ?? `${url}/auth/spark/callback` },
    ]);

    const [spent] = await renew(kept.refreshToken ?? ''); // and what Spark refuses is an error with its code
    expect(spent).toMatchObject({ name: 'TokenError', code: 'invalid_grant' });
  });
});
