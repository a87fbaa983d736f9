import type { Request } from 'express';
import type { SparkStatus } from '../src/index.js';
import type { Role } from '../src/platform.js';
import { type Html, html } from './html.js';
import type { SiteSettings } from './options.js';
import type { Page } from './page.js';
import type { Person } from './person.js';

const ROLE_NAMES: Readonly<Record<Role, string>> = { private: 'Private', idx: 'IDX', vow: 'VOW' };

/** The page of a signed-in person: account, how the sign-in stands, listings. The script fills in what changes. */
export function accountPage(req: Request, settings: SiteSettings, person: Person, status: SparkStatus): Page {
  const { baseUrl: base } = req;
  const main = html`
    <div class="intro">
      <h1>${person.name}</h1>
      ${details(person)}
    </div>
    <div class="columns">
      <section class="card listings" aria-labelledby="listings-title">
        <div class="card-head">
          <h2 id="listings-title">Listings</h2>
          <button class="button small secondary" type="button" id="reload">Reload</button>
        </div>
        <p class="state" id="listings-state" role="status"></p>
        <div class="table-frame" id="listings-frame" hidden>
          <table>
            <caption class="visually-hidden">Ten listings, as Spark shows them to you</caption>
            <thead>
              <tr><th scope="col"><span class="visually-hidden">Photo</span></th><th scope="col">Address</th><th scope="col" class="number wide">Price</th><th scope="col" class="number wide">Beds</th><th scope="col" class="number wide">Baths</th><th scope="col" class="number wide">Sq ft</th><th scope="col" class="wide">Status</th></tr>
            </thead>
            <tbody id="listings"></tbody>
          </table>
        </div>
        <noscript><p>The listings are loaded by a script; switch scripts on to see them.</p></noscript>
      </section>
      ${panel(base, settings, status)}
    </div>`;
  const header = html`<form method="post" action="${base}/logout"><button class="button small secondary" type="submit">Sign out</button></form>`;
  return { title: person.name, main, header, script: 'account.js' };
}

function details({ office, email }: Person): Html | undefined {
  if (office === undefined && email === undefined) return undefined;
  return html`
      <dl class="details">
        ${office !== undefined && html`<div><dt>Office</dt><dd>${office}</dd></div>`}
        ${email !== undefined && html`<div><dt>E-mail</dt><dd>${email}</dd></div>`}
      </dl>`;
}

function panel(base: string, { emulator }: SiteSettings, status: SparkStatus): Html {
  return html`
      <section class="card panel" aria-labelledby="panel-title">
        <h2 id="panel-title">Your sign-in</h2>
        <dl id="panel">
          <div><dt>Role</dt><dd>${status.role && ROLE_NAMES[status.role]}</dd></div>
          ${status.portal !== undefined && html`<div><dt>Portal</dt><dd>${status.portal}</dd></div>`}
          <div><dt>Renewed so far</dt><dd id="generation">${status.generation}</dd></div>
          <div><dt>Time left</dt><dd id="time-left" data-ms="${status.expiresInMs ?? ''}">${timeLeft(status.expiresInMs)}</dd></div>
          <div><dt>Renewal</dt><dd id="renewable">${status.renewable ? 'automatic' : 'none'}</dd></div>
        </dl>
        <p class="hint">The token stays on the server. This page only learns how old it is.</p>
        <p class="state" id="panel-state" role="status"></p>
        ${
          emulator &&
          html`
        <form method="post" action="${base}/expire" id="expire">
          <button class="button small" type="submit">Expire it now</button>
          <p class="hint">Makes the emulator forget the access token. The next call finds out, renews it and goes on.</p>
        </form>`
        }
      </section>`;
}

function timeLeft(ms: number | undefined): string {
  if (ms === undefined) return 'no limit';
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
