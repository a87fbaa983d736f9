import { isDeepStrictEqual } from 'node:util';
import express from 'express';
import type { Browser } from 'playwright-core';
import { fragmentPage, OAuth2Client } from '../../src/oauth2/index.js';
import { serve } from '../support/server.js';
import { launchChromium, Person } from './chromium.js';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
}, 30_000);

afterAll(async () => {
  await browser.close();
});

/**
 * An application that signs in by the implicit grant, and a server that gives every browser the same token, if it is asked as
 * RFC 6749 §4.2.1 has it.
 */
async function startApp(tamper: (state: string) => string = (state) => state) {
  const server = express();
  const { url: serverURL } = await serve(server);
  const app = express();
  const { url } = await serve(app);
  server.get('/authorize', (req, res) => {
    const { state, ...asked } = req.query;
    const expected = { response_type: 'token', client_id: 'app', redirect_uri: `${url}/cb`, scope: 'read' };
    if (!isDeepStrictEqual({ ...asked }, expected) || !/^[\w-]{43}$/.test(String(state))) {
      res.status(400).send(`asked for ${JSON.stringify(req.query)}`);
      return;
    }
    res.redirect(`${url}/cb#access_token=token-1&token_type=bearer&state=${tamper(String(state))}`);
  });
  const client = new OAuth2Client({
    tokenURL: `${serverURL}/token`,
    authorizationURL: `${serverURL}/authorize`,
    clientID: 'app',
    redirectURI: `${url}/cb`,
    scope: 'read',
  });
  const page = fragmentPage({ postPath: '/fragment', scriptPath: '/fragment.js' });
  const posted: unknown[] = [];
  const origins: unknown[] = [];
  let state: string | undefined; // one browser: its session
  app.get('/login', (_req, res) => {
    const request = client.implicitRequest();
    state = request.state;
    res.redirect(request.url);
  });
  app.get('/cb', (_req, res) => {
    res.set(page.headers).send(page.html);
  });
  app.get('/fragment.js', (_req, res) => {
    res.set(page.scriptHeaders).send(page.script);
  });
  app.post('/fragment', express.urlencoded({ extended: false }), (req, res) => {
    origins.push(req.headers.origin);
    try {
      posted.push(client.readFragment(req.body?.fragment, { state }).tokens.accessToken);
      res.redirect(303, '/welcome');
    } catch (error) {
      res.status(403).send((error as Error).message);
    }
  });
  app.get('/welcome', (_req, res) => {
    res.send('<!doctype html><link rel="icon" href="data:,"><title>Welcome</title>');
  });
  return { url, posted, origins };
}

describe('the page of an implicit grant', () => {
  // Applications that guard their forms by the Origin refuse one that says `null`, as any sandbox does.
  it('posts from the origin that it is on', async () => {
    const { url, origins } = await startApp();
    const person = await Person.sitDown(browser);

    const page = await person.open(`${url}/login`);
    await page.waitForURL(`${url}/welcome`);

    expect(origins).toEqual([url]);
  });

  it('hands the fragment to the application and leaves no trace of it in the history', async () => {
    const { url, posted } = await startApp();
    const person = await Person.sitDown(browser);

    const page = await person.open(`${url}/login`);
    await page.waitForURL(`${url}/welcome`);

    expect(posted).toEqual(['token-1']);
    await page.goBack().catch(() => undefined);
    expect(page.url()).not.toContain('token-1');
    expect(person.complaints.filter((text) => !text.includes('favicon'))).toEqual([]);
  });

  it('signs nobody in with a fragment that another sign-in got', async () => {
    const { url, posted } = await startApp(() => 'the-state-of-somebody-else');
    const person = await Person.sitDown(browser);

    const page = await person.open(`${url}/login`);
    await page.waitForURL(`${url}/fragment`);

    expect(await page.textContent('body')).toContain('belongs to no sign-in of this browser');
    expect(posted).toEqual([]);
  });
});
