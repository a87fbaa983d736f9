import type { CloudDevice, CloudToken } from '../src/cloud/index.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';

/** What the page shows: the form, the question for a one-time code, or the account. */
export type CloudView =
  | { readonly kind: 'form'; readonly problem?: string }
  | { readonly kind: 'code' }
  | {
      readonly kind: 'account';
      readonly devices: readonly CloudDevice[];
      readonly tokens: readonly CloudToken[] | undefined;
    };

export function cloudPage(base: string, view: CloudView): Page {
  switch (view.kind) {
    case 'form':
      return { title: 'Spark Core cloud', main: form(base, view.problem) };
    case 'code':
      return { title: 'One-time code', main: code(base) };
    case 'account':
      return { title: 'Devices and tokens', main: account(view.devices, view.tokens), header: signOut(base) };
  }
}

function form(base: string, problem: string | undefined): Html {
  return html`
    <form class="card narrow" method="post" action="${base}/cloud">
      <h1>Spark Core cloud</h1>
      <p class="hint">Another system of the same name. Signing in here takes the place of a sign-in with Spark.</p>
      ${problem !== undefined && html`<p class="note" role="alert">${problem}</p>`}
      <div class="field"><label for="username">E-mail</label>
        <input id="username" name="username" type="email" autocomplete="username" required></div>
      <div class="field"><label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required></div>
      <button class="button" type="submit">Sign in</button>
    </form>`;
}

function code(base: string): Html {
  return html`
    <form class="card narrow" method="post" action="${base}/cloud/code">
      <h1>One-time code</h1>
      <p class="hint">This account also asks for the code that your authenticator shows.</p>
      <div class="field"><label for="otp">Code</label>
        <input id="otp" name="otp" type="text" inputmode="numeric" autocomplete="one-time-code" required></div>
      <button class="button" type="submit">Continue</button>
    </form>`;
}

function account(devices: readonly CloudDevice[], tokens: readonly CloudToken[] | undefined): Html {
  const note =
    tokens === undefined &&
    html`<p class="hint">Tokens are listed right after a sign-in with the password: the cloud asks for it, and this site does not keep it.</p>`;
  return html`
    <section class="card">
      <h1>Devices and tokens</h1>
      ${note}
      <table>
        <caption class="visually-hidden">Your devices, and the tokens that reach them</caption>
        <thead><tr><th scope="col">Name</th><th scope="col">Id</th><th scope="col">Last heard</th><th scope="col">Connected</th><th scope="col">Token</th></tr></thead>
        <tbody>
          ${devices.map((device) => row(device, tokens?.[0]))}
        </tbody>
      </table>
    </section>
    ${tokens !== undefined && tokenList(tokens)}`;
}

/** Any token of an account reaches every device of it; the first of the list stands in each row. */
function row({ id, name, last_heard: lastHeard, connected }: CloudDevice, token: CloudToken | undefined): Html {
  return html`
          <tr><th scope="row">${name ?? 'no name'}</th><td><code>${id}</code></td><td>${lastHeard ?? 'never'}</td><td>${connected ? 'yes' : 'no'}</td><td>${token === undefined ? '—' : secret(token.token)}</td></tr>`;
}

function tokenList(tokens: readonly CloudToken[]): Html {
  return html`
    <section class="card">
      <h2>All tokens of the account</h2>
      <ul>
        ${tokens.map(({ client, token, expires_at: expiresAt }) => html`<li>${client}, until ${expiresAt ?? 'it is revoked'}: ${secret(token)}</li>`)}
      </ul>
    </section>`;
}

/** Shown on demand: somebody may be looking over a shoulder. */
function secret(token: string): Html {
  return html`<details><summary>…${token.slice(-4)}</summary><code>${token}</code></details>`;
}

function signOut(base: string): Html {
  return html`<form method="post" action="${base}/cloud/sign-out"><button class="button small secondary" type="submit">Sign out</button></form>`;
}
