import express from 'express';
import helmet from 'helmet';
import type { Browser, Page } from 'playwright-core';
import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { serve, type TestServer } from '../login-site/servers.js';
import { answerSpark, findChromium, launchChromium, Person, screenshot } from './chromium.js';

const PEOPLE = [
  { username: 'agent', password: 'spark', roles: 'Private and IDX' },
  { username: 'consumer', password: 'spark', roles: 'VOW, portal myportal' },
];

let browser: Browser;
let spark: SparkEmulatorHandle;
let server: TestServer;
let site: string;
let person: Person;

beforeAll(async () => {
  browser = await launchChromium();
}, 30_000);
afterAll(() => browser?.close());

beforeEach(async () => {
  spark = await createSparkEmulator().listen(0);
  server = await serve((origin) => createLoginSite({ baseURL: origin, emulator: { ...spark, people: PEOPLE } }));
  site = server.origin;
  person = await Person.sitDown(browser);
});

afterEach(async () => {
  const { complaints } = person;
  await person.context.close();
  await server.close();
  await spark.close();
  expect(complaints).toEqual([]); // in every test: nothing was blocked, nothing threw
});

/** Chooses on the first page, and answers Spark. */
async function signIn(page: Page, role: 'Private' | 'IDX' | 'VOW', hybrid = false): Promise<void> {
  await page.getByRole('radio', { name: role }).check();
  if (hybrid) await page.getByRole('radio', { name: 'OpenID + OAuth 2 hybrid' }).check();
  await page.getByRole('button', { name: /^Continue to/ }).click();
  await answerSpark(page, role === 'VOW' ? 'consumer' : 'agent');
  await page.waitForURL('**/account');
}

/** The fact of this name in the panel. */
async function fact(page: Page, name: string): Promise<string> {
  const entry = page.locator('#panel > div').filter({ has: page.getByText(name, { exact: true }) });
  return (await entry.locator('dd').textContent()) ?? '';
}

async function rowsOf(page: Page): Promise<number> {
  await page.locator('#listings tr').first().waitFor();
  return await page.locator('#listings tr').count();
}

/** Waits until every row has its photo. */
async function photosLoaded(page: Page): Promise<void> {
  const widths = (photos: { naturalWidth: number }[]): number[] => photos.map((photo) => photo.naturalWidth);
  const seen = async (): Promise<number[]> => await page.locator('#listings img').evaluateAll(widths);
  for (;;) {
    const found = await seen();
    if (found.length === 10 && found.every((width) => width > 0)) return;
    await page.waitForTimeout(20);
  }
}

describe('in a browser', () => {
  it('signs in as Private by OAuth 2 and shows account, listings with photos, and the sign-in', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');

    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Agent Example');
    expect(await page.locator('.details').textContent()).toMatch(/Example Realty[\s\S]*agent@example\.com/);
    expect(await rowsOf(page)).toBe(10);
    await photosLoaded(page);
    expect(await fact(page, 'Role')).toBe('Private');
    expect(await fact(page, 'Renewed so far')).toBe('0');
    const before = await fact(page, 'Time left');
    expect(before).toMatch(/^23 h 59 min \d\d s$|^24 h 00 min 00 s$/);
    await page.route('**/status', (route) => route.abort()); // it counts down by itself, without asking
    await page.getByText(before, { exact: true }).waitFor({ state: 'detached', timeout: 8_000 });
  });

  it('signs in as IDX by the hybrid flow', async () => {
    const page = await person.open(site);
    await signIn(page, 'IDX', true);

    expect(await rowsOf(page)).toBe(10);
    expect(await fact(page, 'Role')).toBe('IDX');
  });

  it('signs in to a portal, for which it offers no hybrid flow', async () => {
    const page = await person.open(site);
    expect(await page.getByLabel('Portal', { exact: true }).isVisible()).toBe(false);
    await page.getByRole('radio', { name: 'OpenID + OAuth 2 hybrid' }).check();
    await page.getByRole('radio', { name: 'VOW' }).check();
    expect(await page.getByRole('radio', { name: 'OpenID + OAuth 2 hybrid' }).isDisabled()).toBe(true);
    expect(await page.getByLabel('Portal', { exact: true }).inputValue()).toBe('myportal');

    await signIn(page, 'VOW');

    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Consumer Example');
    expect(await fact(page, 'Portal')).toBe('myportal');
    expect(await rowsOf(page)).toBe(10);
  });

  it('can be used by keyboard alone', async () => {
    const page = await person.open(site);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab'); // the chosen role
    await page.keyboard.press('ArrowDown');
    expect(await page.getByRole('radio', { name: 'IDX' }).isChecked()).toBe(true);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${spark.url}/**`);
  });

  it('says why after a denial, and what to do', async () => {
    const page = await person.open(site);
    await page.getByRole('button', { name: /^Continue to/ }).click();
    await answerSpark(page, 'agent', 'Deny');

    await page.getByRole('heading', { name: 'You did not allow access' }).waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('the answer was no');
    // Chromium reports every page with an error status on its console.
    expect(person.complaints.splice(0)).toEqual([expect.stringContaining('403 (Forbidden)')]);

    await page.getByRole('link', { name: 'To the first page' }).click();
    await signIn(page, 'Private');
  });

  it('survives an expired access token: the listings come, after one renewal', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await rowsOf(page);
    await page.getByRole('button', { name: 'Expire it now' }).click();
    await page.getByText('Expired. Reload the listings').waitFor();

    await page.getByRole('button', { name: 'Reload' }).click();
    await page.getByText('The token was renewed.').waitFor();

    expect(await rowsOf(page)).toBe(10);
    expect(spark.grants('refresh_token')).toHaveLength(1);
    expect(await fact(page, 'Renewed so far')).toBe('1');
  });

  it('lets two tabs sign in at the same time', async () => {
    const [one, two] = [await person.open(site), await person.open(site)];
    for (const tab of [one, two]) await tab.getByRole('button', { name: /^Continue to/ }).click();
    for (const tab of [one, two]) await tab.getByLabel('User name').waitFor();

    await Promise.all([answerSpark(one, 'agent'), answerSpark(two, 'agent')]);

    for (const tab of [one, two]) {
      await tab.waitForURL('**/account');
      await tab.reload();
      expect(await rowsOf(tab)).toBe(10);
    }
    // The later sign-in puts a new session in place of the earlier one, whose page may still have been loading.
    for (const complaint of person.complaints.splice(0)) expect(complaint).toContain('401 (Unauthorized)');
  });

  it('shows nothing private after signing out, by Back neither', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await photosLoaded(page); // those on their way when the session ends would come back as 401

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await page.goBack();
    await page.waitForLoadState();

    expect(await page.locator('body').textContent()).not.toMatch(/Agent Example|agent@example\.com/);
    expect(spark.requests().filter(({ method }) => method === 'DELETE')).toHaveLength(1); // revoked at Spark too
  });

  it('says in another tab that the sign-in has ended', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await rowsOf(page);
    const other = await person.open(`${site}/account`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByText('You are signed out.').waitFor();

    await page.getByRole('button', { name: 'Reload' }).click();
    await page.locator('#listings-state').getByRole('link', { name: 'Sign in again' }).click();

    await page.getByText('Your sign-in has ended.').waitFor();
    for (const complaint of person.complaints.splice(0)) expect(complaint).toContain('401 (Unauthorized)');
  });

  it('says what Spark said when the listings can not be had, and loads them at the next try', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await photosLoaded(page);
    spark.failNextCall({ code: 1550 });
    await page.getByRole('button', { name: 'Reload' }).click();

    await page.locator('#listings-state.error').waitFor();
    expect(await page.locator('#listings-state').textContent()).toMatch(/could not be loaded\. Spark’s answer: \S/);
    await screenshot(page, 'account-error');
    await page.getByRole('button', { name: 'Reload' }).click();

    expect(await rowsOf(page)).toBe(10);
    expect(person.complaints.splice(0)).toEqual([expect.stringContaining('429')]);
  });

  it('does not put words into the mouth of Spark when that is away', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await photosLoaded(page);
    await spark.close();
    await page.getByRole('button', { name: 'Reload' }).click();

    await page.getByText('Spark does not answer right now.').waitFor();
    expect(await page.locator('#listings-state').textContent()).not.toContain('Spark’s answer');
    expect(person.complaints.splice(0)).toEqual([expect.stringContaining('502')]);
  });

  it('takes back that the site does not answer when it answers again', async () => {
    const page = await person.open(site);
    await signIn(page, 'Private');
    await photosLoaded(page);
    await page.route('**/status', (route) => route.abort());
    await page.getByRole('button', { name: 'Reload' }).click();
    const note = page.getByText('This site does not answer right now.');
    await note.waitFor();

    await page.unrouteAll();
    await page.getByRole('button', { name: 'Reload' }).click();
    await note.waitFor({ state: 'detached' });

    expect(await page.locator('#panel-state').getAttribute('class')).not.toContain('error');
    for (const complaint of person.complaints.splice(0)) expect(complaint).toContain('ERR_FAILED');
  });

  it("works below a path under helmet's policy, which allows forms no way to another origin", async () => {
    await server.close();
    server = await serve((origin) => {
      const mount = createLoginSite({ baseURL: `${origin}/members`, emulator: spark });
      return express()
        .use(helmet({ strictTransportSecurity: false }))
        .use('/members', mount);
    });
    const page = await person.open(`${server.origin}/members`);

    await signIn(page, 'Private');
    expect(await rowsOf(page)).toBe(10);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();

    expect(new URL(page.url()).pathname).toBe('/members/');
  });

  it('works without scripts as far as signing in and out', async () => {
    const plain = await Person.sitDown(browser, { javaScriptEnabled: false });
    const page = await plain.open(site);

    await signIn(page, 'Private');
    await screenshot(page, 'account-without-scripts');
    await page.locator('noscript p').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();

    expect(plain.complaints).toEqual([]);
    await plain.context.close();
  });
});

describe('looks', () => {
  const shapes = [
    ['wide', 1200],
    ['narrow', 360],
  ] as const;

  it('fits the window on every page, from a wide one to a phone', async () => {
    const page = await person.open(site);
    const look = async (name: string): Promise<void> => {
      for (const [shape, width] of shapes) {
        await page.setViewportSize({ width, height: 800 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          await screenshot(page, `${name}-${shape}-${colorScheme}`);
        }
      }
    };

    await look('home');
    await page.getByRole('radio', { name: 'VOW' }).check();
    await look('home-vow');
    await page.goto(`${site}/login?role=vow&flow=hybrid`);
    await look('problem');
    await page.goto(site);
    await signIn(page, 'Private');
    await photosLoaded(page);
    await look('account');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await look('signed-out');

    expect(person.complaints.splice(0)).toEqual([expect.stringContaining('400 (Bad Request)')]);
  });
});

describe('without Chromium', () => {
  it('fails, and says how to get one', () => {
    expect(() => findChromium({ PATH: '/nowhere' })).toThrow(/none of chromium,.* Run "npm run setup"/);
    expect(() => findChromium({ CHROMIUM: '/nowhere/chromium' })).toThrow(
      /CHROMIUM is \/nowhere\/chromium.*npm run setup/,
    );
  });
});
