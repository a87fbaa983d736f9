import type { Browser } from 'playwright-core';
import { startProxy, startUpstream, type Upstream } from '../proxy/support.js';
import { launchChromium, Person } from './chromium.js';

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

/** Calls the site before anything else of the document happens: who is heard of after its load has not run. */
const SCRIPT = `var x = new XMLHttpRequest(); x.open('GET', '/ran?' + location.pathname, false); x.send(); document.title = 'ran'`;
const SVG = 'http://www.w3.org/2000/svg';

/** What the API answers, by path. */
const DOCUMENTS: Readonly<Record<string, { readonly type?: string; readonly text: string }>> = {
  '/html': { type: 'text/html', text: `<!doctype html><title>API</title><script>${SCRIPT}</script><p>Text` },
  '/handler': { type: 'text/html', text: `<!doctype html><img src="data:," onerror="${SCRIPT}">` },
  '/xhtml': {
    type: 'application/xhtml+xml',
    text: `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>API</title><script>${SCRIPT}</script></head></html>`,
  },
  '/svg': { type: 'image/svg+xml', text: `<svg xmlns="${SVG}"><script>${SCRIPT}</script></svg>` },
  '/xml': { type: 'text/xml', text: `<a><script xmlns="http://www.w3.org/1999/xhtml">${SCRIPT}</script></a>` },
  '/untyped': { text: `<!doctype html><title>API</title><script>${SCRIPT}</script>` },
};
const PATHS = Object.keys(DOCUMENTS);

interface Site {
  readonly url: string;
  readonly upstream: Upstream;
  /** Paths of the documents whose script has run. */
  readonly ran: string[];
}

/**
 * A site with a page of its own. `/spark` is the proxy; `/bare` serves the same bytes without its headers, to show that
 * they would run.
 */
async function startSite(page = ''): Promise<Site> {
  const upstream = await startUpstream(({ target }, _req, res) => {
    const { headers, text } = documentAt(target);
    res.writeHead(200, headers).end(text);
  });
  const ran: string[] = [];
  const { url } = await startProxy({
    target: upstream.url,
    before: (app) => {
      app.get('/ran', (req, res) => {
        ran.push(req.originalUrl.slice('/ran?'.length));
        res.end();
      });
      app.get('/page', (_req, res) => {
        res.send(`<!doctype html><link rel="icon" href="data:,"><title>Page</title>${page}`);
      });
      app.use('/bare', (req, res) => {
        const { headers, text } = documentAt(req.url);
        res.writeHead(200, headers).end(text);
      });
    },
  });
  return { url, upstream, ran };
}

function documentAt(path: string): { readonly headers: Record<string, string>; readonly text: string } {
  const { type, text } = DOCUMENTS[path] ?? { text: '' };
  return { headers: type === undefined ? {} : { 'Content-Type': type }, text };
}

/** Opens an address and waits until all of it has loaded. A document that is no page to the browser is stored. */
async function open(url: string): Promise<void> {
  const page = await person.context.newPage();
  await page.goto(url, { waitUntil: 'load' }).catch((error: Error) => {
    if (!error.message.includes('Download is starting')) throw error;
  });
}

// An API that was broken into, or that shows what other people uploaded, must not get at the site's cookies and pages.
describe('a document of the API with a script', () => {
  it.each(PATHS)('does not run when a person opens its address: %s', async (path) => {
    const { url, upstream, ran } = await startSite();

    await open(`${url}/spark${path}`);
    expect(upstream.seen.map(({ target }) => target)).toContain(path);
    expect(ran).toEqual([]);

    await open(`${url}/bare${path}`);
    expect(ran).toEqual([`/bare${path}`]);
  });

  it.each([
    ['iframe', (address: string) => `<iframe src="${address}"></iframe>`],
    ['object', (address: string) => `<object data="${address}"></object>`],
    ['embed', (address: string) => `<embed src="${address}">`],
  ])('does not run in a page of the site either: <%s>', async (_element, show) => {
    const proxied = await startSite(PATHS.map((path) => show(`/spark${path}`)).join(''));
    await open(`${proxied.url}/page`);
    expect(proxied.upstream.seen.map(({ target }) => target).sort()).toEqual([...PATHS].sort());
    expect(proxied.ran).toEqual([]);

    const bare = await startSite(PATHS.map((path) => show(`/bare${path}`)).join(''));
    await open(`${bare.url}/page`);
    expect(bare.ran.sort()).toEqual(PATHS.map((path) => `/bare${path}`).sort());
  });
});
