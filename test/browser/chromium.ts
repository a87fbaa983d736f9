import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const SCREENSHOTS = path.resolve(__dirname, '../../test-screenshots');

/** Starts the Chromium of this machine. @throws Error that says how to get one: a test that is skipped proves nothing */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** `CHROMIUM`, else the first known name on the PATH. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string {
  const folders = (env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const candidates = env.CHROMIUM
    ? [env.CHROMIUM]
    : NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found) return found;
  const where = env.CHROMIUM
    ? `CHROMIUM is ${env.CHROMIUM}, which can not be run`
    : `none of ${NAMES.join(', ')} is on the PATH`;
  throw new Error(`The browser tests need Chromium: ${where}. Run "npm run setup", or set CHROMIUM to its path.`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A person at a browser of their own, with everything that the browser complained about. */
export class Person {
  /** Console errors, uncaught errors and what a Content-Security-Policy kept from happening. */
  readonly complaints: string[] = [];

  private constructor(readonly context: BrowserContext) {}

  static async sitDown(browser: Browser, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
    context.setDefaultTimeout(5_000);
    const person = new Person(context);
    context.on('weberror', (error) => person.complaints.push(String(error.error())));
    context.on('console', (message) => {
      if (message.type() === 'error') person.complaints.push(`${message.text()} (${message.location().url})`);
    });
    return person;
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }
}

/** Fills in the provider's form, where the page is now. */
export async function answerSpark(page: Page, username: string, decision: 'Allow' | 'Deny' = 'Allow'): Promise<void> {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill('spark');
  await page.getByRole('button', { name: decision }).click();
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage: true });
}
