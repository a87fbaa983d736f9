import { escapeHTML } from '../html.js';
import { OptionCheck } from '../options.js';

export interface FragmentPageOptions {
  /** Path that the page posts to, as the form field `fragment`: give that to `client.readFragment`. Its answer, a redirect for one, is what the browser shows next. */
  readonly postPath: string;
  /** Path where the application serves `script`. */
  readonly scriptPath: string;
  /** Shown while it happens. Default `Signing in …`. */
  readonly title?: string | undefined;
}

/** What to serve at the redirect URI of an implicit grant, and at `scriptPath`. */
export interface FragmentPage {
  readonly html: string;
  readonly script: string;
  /** Headers of the page. */
  readonly headers: Readonly<Record<string, string>>;
  /** Headers of the script. */
  readonly scriptHeaders: Readonly<Record<string, string>>;
}

/**
 * The page that an implicit grant needs, because a browser sends no fragment to the server (RFC 6749 §4.2, step E): it takes
 * the fragment out of the address and its history, and posts it to a path of the same origin. It decides nothing:
 * `client.readFragment` checks the state where the session is.
 * @deprecated As the grant itself: RFC 9700 §2.1.2.
 * @throws ConfigError
 */
export function fragmentPage(options: FragmentPageOptions): FragmentPage {
  const check = new OptionCheck('fragmentPage');
  check.object(options, "write fragmentPage({ postPath: '/auth/fragment', scriptPath: '/auth/fragment.js' }).");
  check.known(options, ['postPath', 'scriptPath', 'title']);
  const postPath = pathOption(check, 'postPath', options.postPath);
  const scriptPath = pathOption(check, 'scriptPath', options.scriptPath);
  check.done();
  const title = escapeHTML(options.title ?? 'Signing in …');
  return {
    html: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<p>${title}</p>
<noscript><p>This sign-in needs JavaScript.</p></noscript>
<form method="post" action="${escapeHTML(postPath)}"><input type="hidden" name="fragment"></form>
<script src="${escapeHTML(scriptPath)}"></script>
</html>
`,
    script: SCRIPT,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      // Nothing runs but the one script, and nothing leaves for another origin.
      'Content-Security-Policy':
        "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
      // A fragment never stands in a Referer. Without one the form would say `Origin: null`, which looks like another site's.
      'Referrer-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    },
    scriptHeaders: { 'Content-Type': 'text/javascript; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  };
}

/** A form, not `fetch`: the browser then follows the application's redirect as after any sign-in. */
const SCRIPT = `'use strict';
const fragment = location.hash.slice(1);
history.replaceState(null, '', location.pathname + location.search);
const form = document.querySelector('form');
form.elements.fragment.value = fragment;
form.submit();
`;

/** A path of the same origin: `//host` and `/\host` would lead to another. */
function pathOption(check: OptionCheck, name: 'postPath' | 'scriptPath', value: unknown): string {
  const path = check.text(name, value, "write a path of your application, like '/auth/fragment'.");
  if (path !== '' && !/^\/(?![/\\])[\x21-\x7e]*$/.test(path)) {
    check.problem(`"${name}" is no path of your own origin; write it from the root, like '/auth/fragment'.`);
  }
  return path;
}
