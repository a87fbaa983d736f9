import type { Request, RequestHandler, Response } from 'express';
import { type Html, html } from './html.js';
import type { SiteSettings } from './options.js';
import type { Problem } from './problem.js';
import { isFromOwnPage } from './same-origin.js';

/** What makes one page differ from another. */
export interface Page {
  readonly title: string;
  readonly main: Html;
  /** What stands at the right of the header. */
  readonly header?: Html;
  /** Script file of this page, below `/assets/`. */
  readonly script?: string;
}

/** Sets the headers of what the site itself answers. What the host has set (helmet) stays as it is. */
export function guardPages(settings: SiteSettings): RequestHandler {
  const policy = contentSecurityPolicy(settings);
  return (_req, res, next) => {
    setUnlessSet(res, 'Content-Security-Policy', policy);
    setUnlessSet(res, 'X-Content-Type-Options', 'nosniff');
    setUnlessSet(res, 'Referrer-Policy', 'same-origin');
    res.set('Cache-Control', 'no-store'); // after sign-out, Back shows nothing of the person
    next();
  };
}

/** Turns a rejected promise into `next(error)`, which Express 4 does not do by itself. */
export function handler(act: (req: Request, res: Response) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    act(req, res).catch(next);
  };
}

export function sendPage(req: Request, res: Response, settings: SiteSettings, page: Page, status = 200): void {
  res
    .status(status)
    .type('html')
    .send(layout(req.baseUrl, settings, page).text);
}

/** Answers what did not work: with a page, or where a script asks with the JSON that the proxy answers with. */
export function sendProblem(req: Request, res: Response, settings: SiteSettings, problem: Problem): void {
  const { status, code, reason, advice } = problem;
  if (status === 503) res.set('Retry-After', String(problem.retryAfterS ?? 1));
  if (wantsJSON(req)) {
    res.status(status).json(settings.strategy.tokens.upstream.errorBody(status, code, `${reason} ${advice}`));
    return;
  }
  const main = html`
    <section class="card narrow">
      <h1>${problem.title}</h1>
      <p class="lead" role="alert">${reason}</p>
      <p>${advice}</p>
      <p><a class="button" href="${req.baseUrl}/">To the first page</a></p>
      ${status >= 500 && html`<p class="hint">Code: ${code}</p>`}
    </section>`;
  sendPage(req, res, settings, { title: problem.title, main }, status);
}

/** A call of the proxy is a script's, whatever it accepts. */
function wantsJSON(req: Request): boolean {
  return req.path.startsWith('/spark/v1/') || req.accepts(['html', 'json']) === 'json';
}

/** Everything that changes something is for this site's own pages. */
export function refuseOtherSites(settings: SiteSettings): RequestHandler {
  return (req, res, next) => {
    if (isFromOwnPage(req, settings.base.origin)) {
      next();
      return;
    }
    sendProblem(req, res, settings, {
      status: 403,
      code: 'cross_site',
      title: 'Not done',
      reason: 'This request did not come from a page of this site.',
      advice: 'Use the button on this site. If you did, your browser hides where requests come from.',
    });
  };
}

/**
 * `form-action` names Spark, because browsers apply it to the redirect that answers the form.
 * Photos of listings come from hosts of Spark's own domain; the emulator's come through the proxy.
 */
function contentSecurityPolicy({ strategy, emulator }: SiteSettings): string {
  const platform = new URL(strategy.providerSignOutURL);
  const photos = emulator || platform.protocol !== 'https:' ? '' : ` https://*.${platform.host}`;
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self'${photos}`,
    "connect-src 'self'",
    `form-action 'self' ${platform.origin}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function setUnlessSet(res: Response, name: string, value: string): void {
  if (!res.hasHeader(name)) res.set(name, value);
}

function layout(base: string, settings: SiteSettings, page: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${page.title} · Spark sign-in</title>
  <link rel="icon" href="${base}/assets/spark.svg" type="image/svg+xml">
  <link rel="stylesheet" href="${base}/assets/site.css">
  ${page.script !== undefined && html`<script src="${base}/assets/${page.script}" defer></script>`}
</head>
<body data-base="${base}">
  <a class="skip" href="#main">Skip to the content</a>
  <header class="top">
    <a class="brand" href="${base}/"><img src="${base}/assets/spark.svg" alt="" width="28" height="28"> Spark sign-in</a>
    ${page.header}
  </header>
  <main id="main" tabindex="-1">
    ${memoryNote(settings)}
    ${page.main}
  </main>
  <footer class="bottom">
    <p>${whichSpark(settings)}</p>
    <p>${whichStorage(settings)}</p>
  </footer>
</body>
</html>
`;
}

function memoryNote({ storage }: SiteSettings): Html | undefined {
  if (storage !== 'memory') return undefined;
  return html`<p class="note"><strong>Kept in memory.</strong> Everybody is signed out when this server restarts, and a second server would know nobody. Fine for trying things; use Redis for more.</p>`;
}

function whichSpark({ strategy, emulator }: SiteSettings): Html {
  if (emulator)
    return html`This is the <strong>emulator</strong> at ${emulator.url}, not Spark. All people and listings are made up.`;
  return html`People sign in at ${new URL(strategy.providerSignOutURL).origin}.`;
}

function whichStorage({ storage, session }: SiteSettings): Html | undefined {
  if (storage !== undefined) return html`Sessions and tokens: ${storage}.`;
  return (session === false && html`Sessions are kept by the application around this site.`) || undefined;
}
