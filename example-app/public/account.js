const base = document.body.dataset.base;
const POLL_MS = 5_000;
const LISTINGS = `/spark/v1/listings?_limit=10&_orderby=-ListPrice&_expand=Photos&_select=${[
  'StreetNumber',
  'StreetName',
  'City',
  'StateOrProvince',
  'PostalCode',
  'ListPrice',
  'BedsTotal',
  'BathsTotal',
  'BuildingAreaTotal',
  'MlsStatus',
  'Photos',
].join(',')}`;

const byId = (id) => document.getElementById(id);

// A page from the back-forward cache may belong to somebody who signed out meanwhile: ask the server again.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) window.location.reload();
});

/* ---- Listings, through the proxy ---- */

const reload = byId('reload');
const listingsState = byId('listings-state');
const frame = byId('listings-frame');

async function loadListings() {
  reload.disabled = true;
  say(listingsState, 'Loading the listings …');
  try {
    const results = await callSpark(LISTINGS);
    byId('listings').replaceChildren(...results.map(row));
    frame.hidden = results.length === 0;
    say(listingsState, results.length === 0 ? 'Spark has no listings for you.' : '');
  } catch (error) {
    frame.hidden = true;
    sayError(listingsState, error);
  } finally {
    reload.disabled = false;
    refreshPanel();
  }
}

async function callSpark(path) {
  const response = await fetch(base + path, { headers: { accept: 'application/json' } }).catch(() => undefined);
  if (!response) throw new Error('This site can not be reached. Check the connection, then reload.');
  if (response.status === 401) throw new SignInEnded();
  const answer = await response.json().catch(() => undefined);
  if (!response.ok || !answer?.D?.Success) {
    throw new Error(`The listings could not be loaded. ${reasonOf(response.status, answer?.D)}`);
  }
  return answer.D.Results;
}

/** What this site answers by itself has a name in `Error`, and a message for those who run it; Spark's answers have none. */
function reasonOf(status, { Error: name, Message: message } = {}) {
  if (name === undefined && message !== undefined) return `Spark’s answer: ${message}`;
  if (name === 'upstream_failed' || name === 'upstream_timeout') return 'Spark does not answer right now.';
  if (status === 503) return 'This site can not do that right now. Try again in a moment.';
  return `The answer came with status ${status}.`;
}

class SignInEnded extends Error {}

function row({ ResourceUri, StandardFields: home }) {
  const address = [home.StreetNumber, home.StreetName].filter(shown).join(' ') || 'Address not shown';
  const town = [home.City, [home.StateOrProvince, home.PostalCode].filter(shown).join(' ')].filter(Boolean).join(', ');
  const facts = [
    shown(home.BedsTotal) && `${home.BedsTotal} bd`,
    shown(home.BathsTotal) && `${home.BathsTotal} ba`,
    shown(home.BuildingAreaTotal) && `${count(home.BuildingAreaTotal)} sq ft`,
    home.MlsStatus,
  ];
  const price = shown(home.ListPrice) ? money(home.ListPrice) : '–';
  const line = element('tr');
  line.append(
    photoCell(ResourceUri, home.Photos, address),
    addressCell(address, town, price, facts.filter(Boolean).join(' · ')),
    cell('number wide price', price),
    cell('number wide', shown(home.BedsTotal) ? home.BedsTotal : '–'),
    cell('number wide', shown(home.BathsTotal) ? home.BathsTotal : '–'),
    cell('number wide', shown(home.BuildingAreaTotal) ? count(home.BuildingAreaTotal) : '–'),
    statusCell(home.MlsStatus),
  );
  return line;
}

/** On a narrow screen the other columns are hidden, and what they say stands below the address. */
function addressCell(address, town, price, facts) {
  const head = element('th');
  head.scope = 'row';
  const all = element('span', 'facts');
  all.append(element('span', 'price', price), facts);
  head.append(element('span', 'address', address), element('span', 'town', town), all);
  return head;
}

function statusCell(status) {
  const line = cell('wide');
  line.append(element('span', `badge ${status === 'Active' ? 'active' : ''}`, status ?? '–'));
  return line;
}

function photoCell(resource, photos, address) {
  const place = cell('photo');
  const frame = element('span', 'thumb');
  place.append(frame);
  if (photos?.length > 0) showPhoto(frame, photos, address);
  // Not every server expands photos in a list; those have a resource of their own.
  else if (resource)
    callSpark(`/spark${resource}/photos`).then(
      (own) => showPhoto(frame, own, address),
      () => undefined,
    );
  return place;
}

function showPhoto(frame, photos, address) {
  const uri = (photos.find((photo) => photo.Primary) ?? photos[0])?.UriThumb;
  if (!uri) return;
  const image = new Image(56, 42);
  image.alt = `Photo of ${address}`;
  image.addEventListener('error', () => image.remove()); // the empty frame stays
  image.src = photoAddress(uri);
  frame.append(image);
}

/** A photo that is a resource of the API needs the person's token, so it comes through the proxy; others are public. */
function photoAddress(uri) {
  const { pathname, search } = new URL(uri, window.location.href);
  return pathname.startsWith('/v1/') ? `${base}/spark${pathname}${search}` : uri;
}

/* ---- How the sign-in stands ---- */

const panelState = byId('panel-state');
const timeLeft = byId('time-left');
let expiresAt = deadline(timeLeft.dataset.ms === '' ? undefined : Number(timeLeft.dataset.ms));
let generation = Number(byId('generation').textContent);
let failed = false; // the last time that the panel asked

async function refreshPanel() {
  const status = await askStatus().catch((error) => {
    sayError(panelState, error);
  });
  if (failed && status) say(panelState, '');
  failed = !status;
  if (!status) return;
  expiresAt = deadline(status.expiresInMs);
  byId('generation').textContent = status.generation;
  byId('renewable').textContent = status.renewable ? 'automatic' : 'none';
  if (status.generation > generation) say(panelState, 'The token was renewed. You did not have to do anything.');
  else if (status.state === 'dead') say(panelState, 'Spark no longer renews this sign-in. Sign in again soon.', true);
  generation = status.generation;
  showTimeLeft();
}

async function askStatus() {
  const response = await fetch(`${base}/status`, { headers: { accept: 'application/json' } }).catch(() => undefined);
  if (response?.status === 401) throw new SignInEnded();
  const status = response?.ok ? await response.json().catch(() => undefined) : undefined;
  if (!status) throw new Error('This site does not answer right now.');
  return status;
}

function deadline(ms) {
  return ms === undefined ? undefined : performance.now() + ms;
}

function showTimeLeft() {
  timeLeft.textContent = expiresAt === undefined ? 'no limit' : duration(expiresAt - performance.now());
}

function duration(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [h, min, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h} h ${two(min)} min ${two(s)} s` : `${min} min ${two(s)} s`;
}

byId('expire')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  const response = await fetch(event.target.action, { method: 'POST', redirect: 'manual' }).catch(() => undefined);
  button.disabled = false;
  const done = response?.type === 'opaqueredirect';
  say(
    panelState,
    done ? 'Expired. Reload the listings: the call finds out and renews it.' : 'That did not work.',
    !done,
  );
});

setInterval(showTimeLeft, 1_000);
setInterval(() => {
  if (document.visibilityState === 'visible') refreshPanel();
}, POLL_MS);

/* ---- Words and elements ---- */

function say(place, text, isError = false) {
  place.classList.toggle('error', isError);
  if (place.textContent !== text) place.textContent = text; // the same words again would be read out again
}

function sayError(place, error) {
  if (!(error instanceof SignInEnded)) {
    say(place, error.message, true);
    return;
  }
  if (place.querySelector('a')) return;
  say(place, 'Your sign-in has ended. ', true);
  const link = element('a', '', 'Sign in again');
  link.href = `${base}/?notice=ended`;
  place.append(link);
}

/** Hidden values come as asterisks. */
function shown(value) {
  return value !== undefined && value !== null && value !== '' && !/^\*+$/.test(value);
}

function money(value) {
  return new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 }).format(value);
}

function count(value) {
  return new Intl.NumberFormat('en-US').format(value);
}

function two(value) {
  return String(value).padStart(2, '0');
}

function cell(className, text = '') {
  return element('td', className, text);
}

function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(String(text));
  return made;
}

reload.addEventListener('click', loadListings);
loadListings();
