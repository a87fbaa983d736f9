// A test as users write it for their own application, run by Jest as it comes, without any configuration.
const { once } = require('node:events');
const { get } = require('node:http');
const { startApp } = require('./app.cjs');

let app;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app.close();
});

test('signs in and calls the API', async () => {
  const wall = await open(app.url);
  const back = await allow(wall.headers.location);
  const callback = await open(back, { cookie: cookiesOf(wall.headers['set-cookie']) });
  const headers = { cookie: cookiesOf(callback.headers['set-cookie']), 'sec-fetch-site': 'same-origin' };

  const account = await fetch(`${app.url}/spark/v1/my/account`, { headers });

  expect(callback.statusCode).toBe(302);
  expect(account.status).toBe(200);
  expect((await account.json()).D.Success).toBe(true);
  expect(app.spark.grants('authorization_code')).toHaveLength(1);
});

/** Fills in the emulator's sign-in form, and answers where it leads. */
async function allow(address) {
  const html = await (await fetch(address)).text();
  const form = new URLSearchParams({ username: 'agent', password: 'spark', decision: 'allow' });
  for (const [, name, value] of html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
    form.append(name, value.replaceAll('&amp;', '&'));
  }
  const [, action] = html.match(/<form method="post" action="([^"]*)"/);
  const answer = await fetch(new URL(action, address), { method: 'POST', body: form, redirect: 'manual' });
  return answer.headers.get('location');
}

/** Goes to a page as a browser does. (`fetch` says that it is a script, and a script is not sent to Spark.) */
async function open(address, headers = {}) {
  const request = get(address, { headers: { ...headers, accept: 'text/html' } });
  const [answer] = await once(request, 'response');
  answer.resume();
  return answer;
}

function cookiesOf(setCookie) {
  return setCookie.map((cookie) => cookie.split(';', 1)[0]).join('; ');
}
