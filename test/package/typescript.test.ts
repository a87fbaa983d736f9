import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Visitor } from '../support/visitor.js';
import { installConsumer, packPackage, ROOT, run, startConsumer } from './packed.js';

let express5: string;
let express4: string;

beforeAll(async () => {
  const tarball = await packPackage();
  [express5, express4] = await Promise.all([
    installConsumer('typescript-express-5', tarball),
    installConsumer('typescript-express-4', tarball),
  ]);
}, 180_000);

/** Signs in at a consumer's wall, calls the API and looks at the login site that it mounted. */
async function useConsumer(folder: string): Promise<void> {
  const person = new Visitor(await startConsumer(folder, join('out', 'app.js')));

  const back = await person.signIn();
  const page = await person.page('/');
  const account = await person.call('/spark/v1/my/account');
  const site = await person.page('/members');

  expect(back.status).toBe(302);
  expect(page.body.link).toBeGreaterThan(0);
  expect(account.status).toBe(200);
  expect(account.body.D.Success).toBe(true);
  expect(site.status).toBe(200);
}

describe('the package in a TypeScript project that checks declarations too', () => {
  it('compiles and works with Express 5, ES modules and ioredis', async () => {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

    await run(process.execPath, [tsc, '-p', '.'], express5);

    await useConsumer(express5);
  }, 60_000);

  it('compiles and works with Express 4, CommonJS without interop, an older TypeScript and no Redis client', async () => {
    const types = await readFile(join(express4, 'node_modules', '@types', 'express', 'package.json'), 'utf8');

    await run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], express4);

    await useConsumer(express4);
    expect(JSON.parse(types).version).toMatch(/^4\./);
    expect(['ioredis', 'connect-redis'].filter((name) => existsSync(join(express4, 'node_modules', name)))).toEqual([]);
  }, 60_000);

  it('shares one copy of the Express types with the project, of whatever version', () => {
    const nested = [express5, express4].map((folder) => join(folder, 'node_modules', 'passport-spark', 'node_modules'));

    expect(nested.filter((folder) => existsSync(join(folder, '@types')))).toEqual([]);
  });
});
