import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { MfaRequiredError } from '../../src/cloud/index.js';
import { serve } from '../support/server.js';
import { CAREFUL, MAKER, startCloud, startCloudApp } from './support.js';

const ROOT = join(__dirname, '..', '..');
const ORIGIN = 'https://app.example.com';
const page = readDoc('cloud.md');

/** By which name an application imports what. */
const MODULES: Readonly<Record<string, string>> = {
  'passport-spark': '../../src/index.js',
  'passport-spark/cloud': '../../src/cloud/index.js',
};

function readDoc(name: string): string {
  return readFileSync(join(ROOT, 'docs', name), 'utf8');
}

/** A piece of the page's code, as it stands there. */
function codeOf(name: string): string {
  const [, code] = new RegExp(`<!-- ${name} -->\n\`\`\`js\n(.*?)\n\`\`\`\n<!-- /${name} -->`, 's').exec(page) ?? [];
  if (code === undefined) throw new Error(`docs/cloud.md has no piece of code with the name ${name}`);
  return code;
}

type CreateApp = (options: { origin: string; apiURL: string; secret: string }) => RequestListener;

function createAppOfPage(): CreateApp {
  const options = { module: { type: 'commonjs' }, jsc: { target: 'es2022' } } as const;
  const exports: { createApp?: CreateApp } = {};
  const find = (name: string): unknown => require(MODULES[name] ?? name);
  new Function('require', 'exports', transformSync(codeOf('application'), options).code)(find, exports);
  return exports.createApp as CreateApp; // what is missing fails the test
}

async function startPage() {
  const cloud = await startCloud();
  const { url } = await serve(createAppOfPage()({ origin: ORIGIN, apiURL: cloud.url, secret: 'test secret' }));
  const agent = request.agent(url);
  /** As a browser sends a form of this very site. */
  const post = (
    path: string,
    fields: object = {},
    headers: Record<string, string> = { 'Sec-Fetch-Site': 'same-origin' },
  ) => agent.post(path).type('form').set(headers).send(fields);
  return { cloud, agent, post };
}

describe('the application of docs/cloud.md', () => {
  it('signs in, lists devices, calls through the proxy and signs out', async () => {
    const { agent, post } = await startPage();
    expect((await agent.get('/login')).text).toContain('action="/login"');

    expect((await post('/login', MAKER)).headers.location).toBe('/');
    expect((await agent.get('/')).body).toHaveLength(2);
    expect((await agent.get('/cloud/v1/devices').set('Sec-Fetch-Site', 'same-origin')).body).toHaveLength(2);
    expect((await post('/logout')).headers.location).toBe('/login');
    expect((await agent.get('/')).status).toBe(401);
  });

  it('shows the form again, with what was wrong', async () => {
    const { post } = await startPage();

    const reply = await post('/login', { ...MAKER, password: 'wrong' });

    expect(reply.status).toBe(401);
    expect(reply.text).toContain('The name or the password is not right.');
  });

  // Login CSRF: the visitor would go on in the attacker's account.
  it.each([
    [{ 'Sec-Fetch-Site': 'cross-site' }],
    [{ 'Sec-Fetch-Site': 'same-site', Origin: ORIGIN }],
    [{ Origin: 'https://evil.example.com' }],
    [{ Origin: 'null' }],
    [{}],
  ])('takes no form of another site: %j', async (headers) => {
    const { cloud, post } = await startPage();

    expect((await post('/login', MAKER, headers as Record<string, string>)).status).toBe(403);
    expect(cloud.grants()).toEqual([]);
  });

  it('takes its own form from a browser that sends Origin alone', async () => {
    const { post } = await startPage();

    expect((await post('/login', MAKER, { Origin: ORIGIN })).headers.location).toBe('/');
  });

  it('asks for the second factor, with one try for each password', async () => {
    const { cloud, agent, post } = await startPage();

    expect((await post('/login', CAREFUL)).text).toContain('name="otp"');
    expect((await agent.get('/')).status).toBe(401);
    expect((await post('/login/code', { otp: '000000' })).text).toContain('The one-time code is not right.');
    expect((await post('/login/code', { otp: '123456' })).headers.location).toBe('/login');
    expect(cloud.grants('urn:custom:mfa-otp')).toHaveLength(1);

    await post('/login', CAREFUL);
    expect((await post('/login/code', { otp: '123456' })).headers.location).toBe('/');
    expect((await agent.get('/')).body).toHaveLength(2);
  });
});

describe('account linking as docs/cloud.md has it', () => {
  const startLinking = async () => {
    const { visitor } = await startCloudApp({
      routes: (app, cloud) => {
        app.post('/local', (req, res, next) => {
          req.logIn({ id: 'local' } as Express.User, (error) => (error ? next(error) : res.json({})));
        });
        app.get('/who', (req, res) => {
          res.json(req.user);
        });
        const form: RequestHandler = (_req, _res, next) => next(); // the test's application has a parser already
        new Function('app', 'cloud', 'form', 'MfaRequiredError', codeOf('linking'))(app, cloud, form, MfaRequiredError);
      },
    });
    const person = visitor();
    return { person, post: (path: string, fields: object) => person.agent.post(path).type('form').send(fields) };
  };

  it('links an account to the user who is signed in', async () => {
    const { person, post } = await startLinking();
    expect((await post('/account/cloud', MAKER)).status).toBe(401); // whom to?
    await post('/local', {});

    expect((await post('/account/cloud', { ...MAKER, password: 'wrong' })).status).toBe(401);
    expect((await post('/account/cloud', MAKER)).headers.location).toBe('/account');

    expect((await person.call('/v1/devices')).body).toHaveLength(2);
    expect((await person.agent.get('/who')).body).toEqual({ id: 'local' });
  });

  it('links one with a second factor', async () => {
    const { person, post } = await startLinking();
    await post('/local', {});

    expect((await post('/account/cloud', CAREFUL)).headers.location).toBe('/account/cloud/code');
    expect((await person.call('/v1/devices')).status).toBe(401);
    expect((await post('/account/cloud/code', { otp: '123456' })).headers.location).toBe('/account');
    expect((await person.call('/v1/devices')).status).toBe(200);
    expect((await post('/account/cloud/code', { otp: '123456' })).headers.location).toBe('/account'); // spent
  });
});

describe('the tables of docs/cloud.md', () => {
  /** The first column of the table below a heading, name by name. */
  const firstColumn = (text: string, heading: string): string[] => {
    const [, section = ''] = new RegExp(`\n## ${heading}\n(.*?)(?=\n## |$)`, 's').exec(text) ?? [];
    return [...section.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
    );
  };

  it('have every option of SparkCloudStrategy, and no other', () => {
    const source = readFileSync(join(ROOT, 'src', 'cloud', 'options.ts'), 'utf8');
    const [, options = ''] = /interface SparkCloudStrategyOptions \{(.*?)\n\}/s.exec(source) ?? [];
    const names = [...options.matchAll(/readonly (\w+)\?:/g)].map(([, name]) => name);

    expect(names.length).toBeGreaterThan(10);
    expect(firstColumn(page, 'Options').sort()).toEqual(names.sort());
  });

  it('say what to do about every code of the cloud', () => {
    const codes = firstColumn(readDoc('errors.md'), 'The Spark Core cloud');

    expect(codes.length).toBeGreaterThan(10);
    expect(firstColumn(page, 'Errors')).toEqual(expect.arrayContaining(codes));
  });
});
