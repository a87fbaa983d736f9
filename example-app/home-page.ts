import type { Request } from 'express';
import { type Html, html } from './html.js';
import type { EmulatorPerson, SiteSettings } from './options.js';
import type { Page } from './page.js';
import type { Person } from './person.js';

interface Visitor {
  readonly person: Person | undefined;
  /** Signed in with Spark, and not only with the application around this site. */
  readonly withSpark: boolean;
}

const NOTICES = new Map([
  ['sign-in', 'Sign in to see that page.'],
  ['ended', 'Your sign-in has ended. Sign in again to go on.'],
]);

/** The first page: who are you, and how do you want to sign in? */
export function homePage(req: Request, settings: SiteSettings, visitor: Visitor): Page {
  const { role, flow, portal } = settings.strategy;
  const unnamed = portal ? 'it is the one of this site' : 'Spark asks which agent’s portal it is';
  const main = html`
    ${notice(req, settings)}
    ${greeting(req.baseUrl, visitor)}
    <div class="intro">
      <h1>Sign in with Spark</h1>
      <p class="lead">Choose as whom you come. Your password is asked for by Spark, and only there.</p>
    </div>
    <form class="card" id="sign-in" method="get" action="${req.baseUrl}/login">
      <fieldset>
        <legend>Your role</legend>
        <div class="choices">
          ${choice('role', 'private', 'Private', 'Agents and staff, with everything they may see in the MLS.', role)}
          ${choice('role', 'idx', 'IDX', 'An agent’s public site: the listings that may be shown to everybody.', role)}
          ${choice('role', 'vow', 'VOW', 'Consumers who have an account at an agent’s portal.', role)}
        </div>
      </fieldset>
      <div class="field" id="portal-field">
        <label for="portal">Portal</label>
        <p class="hint" id="portal-hint">With VOW: the portal’s name. Left empty, ${unnamed}.</p>
        <input id="portal" name="portal" type="text" value="${settings.portal}" maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="portal-hint">
      </div>
      <fieldset>
        <legend>How Spark signs you in</legend>
        <div class="choices two">
          ${choice('flow', 'oauth2', 'OAuth 2', 'For every role.', flow)}
          ${choice('flow', 'hybrid', 'OpenID + OAuth 2 hybrid', 'For Private and IDX. Spark has no hybrid flow for portals, so VOW signs in by OAuth 2.', flow)}
        </div>
      </fieldset>
      <button class="button" type="submit">Continue to ${settings.emulator ? 'the emulator' : 'Spark'}</button>
    </form>
    ${people(settings.emulator?.people)}
    ${settings.cloud && html`<p>Looking for your Spark Core? <a href="${req.baseUrl}/cloud">Sign in at the cloud</a>, another system of the same name.</p>`}`;
  return { title: 'Sign in', main, script: 'sign-in.js' };
}

/** `chosen`: what the strategy does where nobody chooses. */
function choice(name: string, value: string, title: string, text: string, chosen: string): Html {
  const id = `${name}-${value}`;
  return html`
          <div class="choice">
            <input type="radio" id="${id}" name="${name}" value="${value}" aria-describedby="${id}-text"${value === chosen && html` checked`}>
            <label for="${id}">${title}</label>
            <p class="hint" id="${id}-text">${text}</p>
          </div>`;
}

function notice(req: Request, { strategy }: SiteSettings): Html | undefined {
  const { notice: name } = req.query;
  if (name === 'signed-out') {
    return html`<p class="note good" role="status"><strong>You are signed out.</strong> Spark itself may still remember you: on a shared computer, <a href="${strategy.providerSignOutURL}">sign out at Spark</a> too.</p>`;
  }
  const text = typeof name === 'string' ? NOTICES.get(name) : undefined;
  return text === undefined ? undefined : html`<p class="note" role="status">${text}</p>`;
}

function greeting(base: string, { person, withSpark }: Visitor): Html | undefined {
  if (withSpark) {
    return html`<p class="note good">You are signed in as <strong>${person?.name}</strong>. <a href="${base}/account">Go to your page</a>, or sign in as somebody else.</p>`;
  }
  return (
    person &&
    html`<p class="note">This application knows you as <strong>${person.name}</strong>. You are not signed in with Spark yet.</p>`
  );
}

function people(list: readonly EmulatorPerson[] | undefined): Html | undefined {
  if (!list || list.length === 0) return undefined;
  return html`
    <section class="card quiet" aria-labelledby="people">
      <h2 id="people">People to try</h2>
      <ul class="people">
        ${list.map(({ username, password, roles }) => html`<li>${roles}: user name <code>${username}</code>, password <code>${password}</code></li>`)}
      </ul>
    </section>`;
}
