import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import type TestAgent from 'supertest/lib/agent.js';
import { startApp } from './support/app.js';

type SignIn = (app: unknown, who?: { username?: string; decision?: string }) => Promise<TestAgent>;

/** The recipe as it stands there. */
function recipe(): SignIn {
  const page = readFileSync(join(__dirname, '..', 'docs', 'testing.md'), 'utf8');
  const [, code] = /<!-- recipe -->\n```js\n(.*?)\n```\n<!-- \/recipe -->/s.exec(page) ?? [];
  if (code === undefined) throw new Error('docs/testing.md has no recipe');
  const common = transformSync(code, { module: { type: 'commonjs' }, jsc: { target: 'es2022' } }).code;
  const exports: Record<string, unknown> = {};
  new Function('require', 'exports', common)(require, exports);
  return exports.signIn as SignIn;
}

describe('the recipe of docs/testing.md', () => {
  it('signs in, sees a page, and calls through the proxy', async () => {
    const { url, spark } = await startApp();

    const agent = await recipe()(url);
    const page = await agent.get('/').set('Accept', 'text/html');
    const account = await agent.get('/spark/v1/my/account');
    const post = await agent
      .post('/spark/v1/contacts')
      .set('Sec-Fetch-Site', 'same-origin')
      .send({ D: { Contacts: [] } });
    const bare = await agent.post('/spark/v1/contacts').send({});

    expect([page.status, account.status, bare.body.D.Error]).toEqual([200, 200, 'cross_site']);
    expect(post.body.D.Error).toBeUndefined();
    expect(spark.requests().map(({ method }) => method)).toContain('POST');
  });

  it('works with the application itself, which listens at another port for each request', async () => {
    const { app } = await startApp({ strategy: { callbackURL: '/auth/spark/callback' } });

    const agent = await recipe()(app);

    expect((await agent.get('/spark/v1/my/account')).status).toBe(200);
  });

  it('denies', async () => {
    const { url } = await startApp();

    const agent = await recipe()(url, { decision: 'deny' });

    expect((await agent.get('/').set('Accept', 'text/html')).status).toBe(302);
  });
});
