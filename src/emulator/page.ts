import { createHash } from 'node:crypto';
import type { Response } from 'express';

/** What the sign-in page shows and carries. */
export interface SignInPage {
  /** Path that the form is posted to. */
  readonly action: string;
  /** The parameters of the sign-in request; the emulator keeps nothing between page and answer. */
  readonly hidden: Iterable<readonly [string, string]>;
  readonly clientId: string;
  /** Where the person signs in, for example `Consumer portal myportal`. */
  readonly place: string;
  /** What went wrong at the last try. */
  readonly message?: string;
  /** What the person typed at the last try. */
  readonly username?: string;
}

const STYLE = `
  body { font: 1rem/1.5 system-ui, sans-serif; color: #1c2024; background: #f4f5f7; margin: 0; padding: 1rem; }
  main { max-width: 24rem; margin: 2rem auto; padding: 1.5rem; background: #fff; border: 1px solid #c9ced6; border-radius: .5rem; }
  h1 { font-size: 1.25rem; margin: 0 0 .5rem; }
  label { display: block; margin-top: 1rem; font-weight: 600; }
  input { box-sizing: border-box; width: 100%; font: inherit; padding: .5rem; border: 1px solid #6b7280; border-radius: .25rem; }
  button { font: inherit; margin: 1.25rem .5rem 0 0; padding: .5rem 1.25rem; border: 1px solid #1d4ed8; border-radius: .25rem; background: #1d4ed8; color: #fff; }
  button[value=deny] { background: #fff; color: #1c2024; border-color: #6b7280; }
  :focus-visible { outline: 3px solid #f59e0b; outline-offset: 2px; }
  [role=alert] { padding: .5rem .75rem; border-left: 4px solid #b91c1c; background: #fef2f2; }
  code { overflow-wrap: anywhere; }
`;

// No form-action: Chromium applies it to the redirects that follow a form post as well, and these lead to the client's site.
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Sends the sign-in form. */
export function sendSignInPage(res: Response, status: number, page: SignInPage): Response {
  const hidden = [...page.hidden]
    .map(([name, value]) => `<input type="hidden" name="${escapeHTML(name)}" value="${escapeHTML(value)}">`)
    .join('\n      ');
  const alert = page.message === undefined ? '' : `<p role="alert" id="message">${escapeHTML(page.message)}</p>`;
  return sendPage(
    res,
    status,
    'Sign in',
    `<h1>Sign in</h1>
    <p>${escapeHTML(page.place)}. The application <code>${escapeHTML(page.clientId)}</code> asks for access to your data.</p>
    ${alert}
    <form method="post" action="${escapeHTML(page.action)}">
      ${hidden}
      <label for="username">User name</label>
      <input id="username" name="username" autocomplete="username" autocapitalize="none" required value="${escapeHTML(page.username ?? '')}">
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password" required>
      <button type="submit" name="decision" value="allow">Allow</button>
      <button type="submit" name="decision" value="deny" formnovalidate>Deny</button>
    </form>`,
  );
}

/** Sends a page that only says something: the person stays with the provider. */
export function sendMessagePage(res: Response, status: number, title: string, message: string): Response {
  return sendPage(res, status, title, `<h1>${escapeHTML(title)}</h1>\n    <p>${escapeHTML(message)}</p>`);
}

function sendPage(res: Response, status: number, title: string, main: string): Response {
  return res
    .status(status)
    .set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
    .set('X-Content-Type-Options', 'nosniff')
    .set('Referrer-Policy', 'no-referrer')
    .set('Cache-Control', 'no-store')
    .type('html')
    .send(`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${escapeHTML(title)} · Spark emulator</title>
  <style>${STYLE}</style>
</head>
<body>
  <main>
    ${main}
  </main>
</body>
</html>
`);
}

function escapeHTML(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
