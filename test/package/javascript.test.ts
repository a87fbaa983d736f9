import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/redis.js';
import { Visitor } from '../support/visitor.js';
import { entryPoints, installConsumer, packPackage, ROOT, run, startConsumer } from './packed.js';

let folder: string;
let names: string[];

beforeAll(async () => {
  folder = await installConsumer('javascript', await packPackage());
  const manifest = await readFile(join(folder, 'node_modules', 'passport-spark', 'package.json'), 'utf8');
  names = entryPoints(JSON.parse(manifest));
}, 180_000);

describe('the package in a JavaScript project', () => {
  it.each([
    ['an ES module', 'main.mjs'],
    ['a CommonJS module', 'main.cjs'],
  ])('signs in and calls the API from %s', async (_kind, script) => {
    const person = new Visitor(await startConsumer(folder, script));

    const back = await person.signIn();
    const page = await person.page('/');
    const account = await person.call('/spark/v1/my/account');

    expect(back.status).toBe(302);
    expect(page.body.user.id).toEqual(expect.any(String));
    expect(account.status).toBe(200);
    expect(account.body.D.Success).toBe(true);
  });

  it('signs in and calls the API in a Jest test without configuration', async () => {
    const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');

    await expect(run(process.execPath, [jest, '--ci'], folder)).resolves.toBeDefined();
  }, 60_000);

  it('signs in and calls the API from the quick start of the README, pasted as it is', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const [, code] = /<!-- quick start -->\n```js\n(.*?)\n```\n<!-- \/quick start -->/s.exec(readme) ?? [];
    if (code === undefined) throw new Error('README.md has no quick start');
    await writeFile(join(folder, 'app.mjs'), code);
    const person = new Visitor(await startConsumer(folder, 'app.mjs', await freePort()));

    expect((await person.signIn()).headers.location).toBe('/');
    expect((await person.page('/')).text).toContain('/spark/v1/my/account');
    expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  });

  it('gives import and require the same objects at every entry point', async () => {
    const answers = JSON.parse(await run(process.execPath, ['same.mjs', ...names], folder));

    expect(Object.keys(answers)).toEqual(names);
    for (const name of names) {
      expect(answers[name].names).not.toEqual([]);
      expect({ name, different: answers[name].different }).toEqual({ name, different: [] });
    }
    expect(answers['passport-spark'].names).toContain('SparkStrategy');
  });

  it('is required at every entry point without a warning, and without an ES module among what it loads', async () => {
    // Jest on Node 20 to 22 and older bundlers can't require an ES module, so none may be reached. Newer Nodes lack the flag.
    const strict = process.allowedNodeEnvironmentFlags.has('--experimental-require-module')
      ? ['--no-experimental-require-module']
      : [];
    const script = `
      process.on('warning', (warning) => { console.error(warning); process.exitCode = 1; });
      for (const name of ${JSON.stringify(names)}) require(name);`;

    await expect(run(process.execPath, [...strict, '-e', script], folder)).resolves.toBe('');
  });

  it('brings the emulator as a command', async () => {
    const help = await run(join(folder, 'node_modules', '.bin', 'spark-emulator'), ['--help'], folder);

    expect(help).toContain('--port');
  });
});
