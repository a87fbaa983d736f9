import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(__dirname, '..', '..');

/** What the build reads, and what npm puts into every package. */
const SOURCES = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
  'example-app',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'docs',
  'bench',
];

const folders: string[] = [];
const ends: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A temporary folder outside the project, so that nothing is found in the project's own node_modules. */
async function temporaryFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `passport-spark-${name}-`));
  folders.push(folder);
  return folder;
}

/** Ends with what the program printed; fails with all of it, since compilers tell their errors on standard output. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, timeout: 150_000, env: environment() });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

/** Without what `npm test` and Jest set for their own children: a consumer has none of it. */
function environment(): NodeJS.ProcessEnv {
  const kept = ['npm_config_cache', 'npm_config_registry', 'npm_config_userconfig'];
  const entries = Object.entries(process.env).filter(
    ([name]) => kept.includes(name) || !/^(?:npm_|JEST_|NODE_ENV$)/.test(name),
  );
  return Object.fromEntries(entries);
}

/** Packs the package as `npm publish` would. A copy is built, because other tests may be using dist at the same time. */
export async function packPackage(): Promise<string> {
  const folder = await temporaryFolder('pack');
  const present = await readdir(ROOT);
  await Promise.all(
    SOURCES.filter((name) => present.includes(name)).map((name) =>
      cp(join(ROOT, name), join(folder, name), { recursive: true }),
    ),
  );
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await run('npm', ['pack', '--silent'], folder);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  return join(folder, tarball);
}

/** Unpacks a tarball; answers the folder of the package. */
export async function unpack(tarball: string): Promise<string> {
  const folder = await temporaryFolder('unpacked');
  await run('tar', ['-xzf', tarball], folder);
  return join(folder, 'package');
}

/** Copies a project from test/consumers and installs the tarball into it. */
export async function installConsumer(name: string, tarball: string): Promise<string> {
  const folder = await temporaryFolder(name);
  await cp(join(ROOT, 'test', 'consumers', name), folder, { recursive: true });
  await run(
    'npm',
    ['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--silent'],
    folder,
  );
  return folder;
}

/** Starts a consumer's program until the tests end. It prints its address, and listens at `port` if one is given. */
export async function startConsumer(folder: string, script: string, port?: number): Promise<string> {
  const env = port === undefined ? environment() : { ...environment(), PORT: String(port) };
  const program = spawn(process.execPath, [script], { cwd: folder, env, stdio: 'pipe' });
  const ended = new Promise<void>((resolve) => program.once('close', () => resolve()));
  ends.push(async () => {
    program.kill();
    await ended;
  });
  let errors = '';
  program.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return await new Promise((resolve, reject) => {
    program.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
    program.once('close', () => reject(new Error(`${script} ended before it told its address:\n${errors}`)));
  });
}

/** The names by which consumers import the package: `passport-spark`, `passport-spark/emulator`, … */
export function entryPoints({ name, exports }: { name: string; exports: Record<string, unknown> }): string[] {
  return Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => name + path.slice(1));
}
