import type { SparkAuthenticateOptions } from '../../src/index.js';
import { startApp } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

const NAVIGATE = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };

describe('without sign-in', () => {
  it.each([
    ['a browser with fetch metadata', 'get', NAVIGATE, 302],
    ['an old browser, by what it accepts', 'get', { Accept: 'text/html,*/*' }, 302],
    ['HEAD of a page', 'head', { Accept: 'text/html' }, 302],
    ['fetch() of the page itself', 'get', { 'Sec-Fetch-Mode': 'cors', Accept: '*/*' }, 401],
    ['fetch() that asks for HTML', 'get', { 'Sec-Fetch-Mode': 'same-origin', Accept: 'text/html' }, 401],
    ['an image', 'get', { 'Sec-Fetch-Mode': 'no-cors', Accept: 'image/*' }, 401],
    ['a program', 'get', { Accept: 'application/json' }, 401],
    ['a form', 'post', NAVIGATE, 401],
    ['a JSON call', 'post', { Accept: 'application/json' }, 401],
  ] as const)('%s is answered as it can use it', async (_name, method, headers, status) => {
    const { url } = await startApp();
    const reply = await new Visitor(url).agent[method]('/page').set({ Accept: '', ...headers });

    expect(reply.status).toBe(status);
    expect(reply.headers['cache-control']).toBe('no-store');
    if (status === 401 && method === 'get')
      expect(reply.body.D).toMatchObject({ Success: false, Error: 'sign_in_required' });
  });

  it('writes no session', async () => {
    const { url } = await startApp();
    const reply = await new Visitor(url).page('/page');
    const cookies = ([reply.headers['set-cookie']].flat() as string[]).map((cookie) => cookie.split('=')[0]);
    expect(cookies).toEqual([expect.stringMatching(/^spark-attempt\./)]);
  });

  it('leaves ?code= and ?error= of other pages alone', async () => {
    const { url, spark } = await startApp();
    const reply = await new Visitor(url).page('/coupon?code=SUMMER&error=none&state=x');
    expect(reply.status).toBe(302);
    expect(spark.grants()).toHaveLength(0);
  });
});

describe('signed in', () => {
  it('passes, for pages and programs', async () => {
    const { url } = await startApp();
    const person = new Visitor(url);
    await person.signIn();
    expect((await person.page('/page')).status).toBe(200);
    expect((await person.agent.post('/page').set('Accept', 'application/json')).status).toBe(200);
  });

  it('is over when the tokens are dead', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    await person.signIn();
    await person.page('/');
    spark.expireAllRefreshTokens();
    spark.expireAllAccessTokens();
    await person.call('/spark/v1/system');

    const page = await person.page('/page');
    expect(page.status).toBe(302);
    expect(page.headers.location).toContain(spark.url);
  });

  it('is over after the application signs out, and the same page leads to Spark again', async () => {
    const { url } = await startApp({
      routes: (app, passport, strategy) => {
        app.post('/logout', (req, res, next) => {
          req.logout((error) => (error ? next(error) : res.json({})));
        });
        app.post('/sign-out', (req, res, next) => {
          strategy.signOut(req).then(() => res.json({}), next);
        });
        app.use(passport.authenticate('spark'));
        app.use((_req, res) => {
          res.json({});
        });
      },
    });
    for (const way of ['/logout', '/sign-out']) {
      const person = new Visitor(url);
      await person.signIn();
      expect((await person.page('/')).status).toBe(200);
      expect((await person.agent.post(way)).status).toBe(200);
      expect((await person.call('/spark/v1/system')).status).toBe(401);
      expect((await person.page('/')).status).toBe(302);
    }
  });
});

describe('trouble', () => {
  it('answers 503 without a session, never a redirect', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use((req, _res, next) => {
          Object.defineProperty(req, 'session', { value: undefined });
          next();
        });
        app.use(passport.authenticate('spark'));
      },
    });
    const reply = await new Visitor(url).page('/page');
    expect(reply.status).toBe(503);
    expect(reply.headers['retry-after']).toBeDefined();
  });

  it('ends a loop of a browser that does not keep the session cookie', async () => {
    const { url } = await startApp({ session: { cookie: { secure: true } } }); // over http: never sent
    const person = new Visitor(url);
    expect((await person.signIn('/page')).headers.location).toBe('/page');
    const page = await person.page('/page');
    expect(page.status).toBe(403);
    expect(page.text).toContain('your browser did not keep it');
  });

  it('redirects to failureRedirect where the application has one, for navigations only', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/sorry', (_req, res) => {
          res.json({});
        });
        app.use(passport.authenticate('spark', { failureRedirect: '/sorry' }));
      },
    });
    const person = new Visitor(url);
    expect((await person.signIn('/', { decision: 'deny' })).headers.location).toBe('/sorry');
    expect((await person.agent.get('/data').set('Accept', 'application/json')).status).toBe(401);
  });

  it('fails instead of answering where it is told to', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use(passport.authenticate('spark', { wall: 'fail' } as SparkAuthenticateOptions));
      },
    });
    const reply = await new Visitor(url).agent.get('/data').set('Accept', 'application/json');
    expect(reply.status).toBe(401);
    expect(reply.text).toBe('Unauthorized'); // Passport's own answer
  });

  it('warns once and passes when a route sends a person to Spark who just came from there', async () => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.get('/auth/spark/callback', passport.authenticate('spark', { successRedirect: '/page' }));
        app.get('/page', passport.authenticate('spark'), (_req, res) => {
          res.json({});
        });
      },
    });
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const person = new Visitor(url);
    await person.signIn('/page');
    expect((await person.page('/page')).status).toBe(200);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain('{ wall: true }');
    warn.mockRestore();
  });
});
