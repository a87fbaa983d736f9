import type { Browser, Page } from 'playwright-core';
import type { SparkStrategyOptions } from '../../src/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { answerSpark, launchChromium, Person } from './chromium.js';

let browser: Browser;
let person: Person;

beforeAll(async () => {
  browser = await launchChromium();
}, 30_000);
afterAll(() => browser?.close());
beforeEach(async () => {
  person = await Person.sitDown(browser);
});
afterEach(() => person.context.close());

const WAYS: [name: string, username: string, strategy: Partial<SparkStrategyOptions>][] = [
  ['Private by OAuth 2', 'agent', { role: 'private' }],
  ['IDX by OAuth 2', 'agent', { role: 'idx' }],
  ['VOW by its portal', 'consumer', { role: 'vow', portal: 'myportal' }],
  ['VOW by the multi-agent endpoint', 'consumer', { role: 'vow', portal: false }],
  ['Private by the hybrid flow', 'agent', { role: 'private', flow: 'hybrid' }],
  ['IDX by the hybrid flow', 'agent', { role: 'idx', flow: 'hybrid' }],
];

/** A wall before everything but `/public`, whose pages are real ones. */
async function start(strategy: Partial<SparkStrategyOptions> = {}): Promise<TestApp> {
  return await startApp({
    strategy,
    routes: (app, passport) => {
      app.get('/favicon.ico', (_req, res) => {
        res.status(204).end();
      });
      app.get('/public', (_req, res) => {
        res.send('<!doctype html><title>Public</title><h1>Public</h1>');
      });
      app.get('/frames', (_req, res) => {
        res.send('<!doctype html><title>Frames</title><iframe src="/inner"></iframe>');
      });
      app.use(passport.authenticate('spark'));
      app.use((req, res) => {
        const { name } = req.user as { name?: string };
        res.send(`<!doctype html><title>In</title><h1>Welcome ${name}</h1><p>${req.originalUrl}</p>`);
      });
    },
  });
}

const heading = async (page: Page): Promise<string | null> =>
  await page.getByRole('heading', { level: 1 }).textContent();

/** Answers Spark, but keeps its redirect from the browser, and tells where it leads. */
async function callbackOf(page: Page, { spark }: TestApp, username: string): Promise<string> {
  let address = '';
  await page.route(`${spark.url}/**`, async (route) => {
    if (route.request().method() !== 'POST') return await route.continue();
    const answer = await route.fetch({ maxRedirects: 0 });
    address = answer.headers().location ?? '';
    await route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Held</h1>' });
  });
  await answerSpark(page, username);
  await page.getByRole('heading', { name: 'Held' }).waitFor();
  await page.unrouteAll();
  return address;
}

describe.each(WAYS)('%s in Chromium', (_name, username, strategy) => {
  it('signs in and comes to the page that was wanted', async () => {
    const { url } = await start(strategy);
    const page = await person.open(`${url}/wanted?a=1`);
    await answerSpark(page, username);
    await page.waitForURL(`${url}/wanted?a=1`);
    expect(await heading(page)).toMatch(/^Welcome (?:Agent|Consumer) Example$/);
    await page.reload();
    expect(await heading(page)).toMatch(/^Welcome/);
  });

  it('says why after a denial, and signs in by the link', async () => {
    const { url } = await start(strategy);
    const page = await person.open(`${url}/wanted`);
    await answerSpark(page, username, 'Deny');
    expect(await heading(page)).toBe('You did not allow access');
    await page.getByRole('link', { name: 'Try again' }).click();
    await answerSpark(page, username);
    await page.waitForURL(`${url}/`);
    expect(await heading(page)).toMatch(/^Welcome/);
  });

  it('refuses a state of somebody else, a stale attempt, and another browser; takes its own', async () => {
    const app = await start(strategy);
    const page = await person.open(`${app.url}/wanted`);
    const address = await callbackOf(page, app, username);

    await page.goto(address.replace(/state=[^&]*/, 'state=tampered'));
    expect(await heading(page)).toBe('This sign-in is over');
    const stranger = await Person.sitDown(browser);
    expect(await heading(await stranger.open(address))).toBe('This sign-in is over');
    await stranger.context.close();
    expect(app.spark.grants()).toHaveLength(0);

    await page.goto(address);
    expect(new URL(page.url()).pathname).toBe('/wanted');
    expect(await heading(page)).toMatch(/^Welcome/);
    await page.goto(address); // a replay by the person who is in by now
    expect(new URL(page.url()).pathname).toBe('/');
    expect(app.spark.grants()).toHaveLength(1);

    await person.context.clearCookies();
    await page.goto(address);
    expect(await heading(page)).toBe('This sign-in is over');
  });

  it('says why when Spark reports an error, or refuses the code', async () => {
    const app = await start(strategy);
    const page = await person.open(`${app.url}/wanted`);
    const address = new URL(await callbackOf(page, app, username));
    await page.goto(`${address.origin}${address.pathname}?error=server_error&error_description=Call+555-0100`);
    expect(await heading(page)).toBe('Spark could not sign you in');
    expect(await page.locator('body').textContent()).not.toContain('555');

    app.spark.failNextGrant({ kind: 'refuse', error: 'invalid_grant' });
    await page.goto(address.href);
    expect(await heading(page)).toBe('This sign-in is over');
  });
});

it('comes back by Back and Forward without a second sign-in', async () => {
  const { url, spark } = await start();
  const page = await person.open(`${url}/public`);
  await page.goto(`${url}/wanted`);
  await answerSpark(page, 'agent');
  await page.waitForURL(`${url}/wanted`);
  await page.goBack(); // the form at Spark
  await answerSpark(page, 'agent');
  await page.waitForURL(`${url}/`);
  expect(await heading(page)).toBe('Welcome Agent Example');
  await page.goBack();
  await page.goForward();
  expect(await heading(page)).toBe('Welcome Agent Example');
  expect(spark.grants('authorization_code')).toHaveLength(1);
});

it('shows in a frame what leads out of it, and no form of Spark', async () => {
  const { url } = await start();
  const page = await person.open(`${url}/frames`);
  await page.frameLocator('iframe').getByRole('link', { name: 'Sign in' }).click();
  await answerSpark(page, 'agent'); // in the whole window
  await page.waitForURL(`${url}/inner`);
  expect(await heading(page)).toBe('Welcome Agent Example');
});

it('answers a script of the page with 401, and begins no attempt for it', async () => {
  const { url } = await start();
  const page = await person.open(`${url}/public`);
  const answer = await page.evaluate(
    `fetch('/data', { headers: { accept: 'text/html' } }).then(async (r) => [r.status, r.redirected, (await r.json()).D.Error])`,
  );
  expect(answer).toEqual([401, false, 'sign_in_required']);
  expect(await person.context.cookies()).toEqual([]);
});

it('ends on a page that says why when the browser keeps no cookies', async () => {
  const { url } = await start();
  const page = await person.open(`${url}/wanted`);
  await person.context.clearCookies();
  await answerSpark(page, 'agent');
  expect(await heading(page)).toBe('This sign-in is over');
  expect(await page.locator('body').textContent()).toContain('cookies must be allowed');
});
