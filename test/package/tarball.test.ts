import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { packPackage, ROOT, unpack } from './packed.js';

interface Manifest {
  readonly name: string;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, unknown>;
  readonly typesVersions: { readonly '*': Record<string, string[]> };
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

let folder: string;
let files: string[];
let manifest: Manifest;

beforeAll(async () => {
  folder = await unpack(await packPackage());
  files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}, 60_000);

function read(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

/** All file names in a tree of export conditions. */
function targets(tree: unknown): string[] {
  if (typeof tree === 'string') return [tree.replace('./', '')];
  return Object.values(tree as Record<string, unknown>).flatMap(targets); // conditions hold strings or conditions
}

describe('the packed tarball', () => {
  it('holds the build, the papers and nothing else', () => {
    const expected =
      /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[a-z0-9-]+\.md|bench\/README\.md|dist\/(?:src|example-app)\/.+\.(?:js|mjs|d\.ts|d\.mts)|dist\/example-app\/public\/.+)$/;

    expect(files.filter((file) => !expected.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'docs/tokens.md', 'docs/oauth2.md', 'dist/src/index.js']),
    );
    // The program of the login site runs in a clone of the repository: its Redis client is no business of an application.
    expect(files.filter((file) => /example-app\/(?:server|storage)\./.test(file))).toEqual([]);
  });

  it('has every file that its papers link to, but for tests', () => {
    const papers = files.filter((file) => file.endsWith('.md'));
    const linked = papers
      .flatMap((paper) =>
        [...read(paper).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, to = '']) => join(dirname(paper), to)),
      )
      .filter((file) => !file.startsWith('test/'));

    expect(linked.length).toBeGreaterThan(5);
    expect(linked.filter((file) => !files.includes(file))).toEqual([]);
  });

  it('points to no source map, since the sources are not in it', () => {
    expect(files.filter((file) => /\.m?js$/.test(file) && read(file).includes('sourceMappingURL'))).toEqual([]);
  });

  it('has every file that its exports name', () => {
    expect(targets(manifest.exports).filter((file) => !files.includes(file))).toEqual([]);
  });

  it('tells compilers that do not read exports where the types of each sub-path are', () => {
    const { '.': _main, './package.json': _manifest, ...subPaths } = manifest.exports;
    const types = Object.entries(subPaths).map(([path, conditions]) => [
      path.replace('./', ''),
      [(conditions as { require: { types: string } }).require.types],
    ]);

    expect(manifest.typesVersions['*']).toEqual(Object.fromEntries(types));
  });

  it('has commands that can be executed', async () => {
    for (const file of Object.values(manifest.bin).map((path) => join(folder, path))) {
      expect(readFileSync(file, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
      expect(statSync(file).mode & 0o111).toBe(0o111);
    }
  });

  it('depends on all that its code loads', () => {
    const installed = { ...manifest.dependencies, ...manifest.peerDependencies };
    const loaded = packagesNamedIn(files.filter((file) => /\.m?js$/.test(file)));

    expect(loaded.filter((name) => !name.startsWith('node:') && !(name in installed))).toEqual([]);
  });

  it('depends on the types that its declarations mention, in any version', () => {
    const mentioned = packagesNamedIn(files.filter((file) => /\.d\.m?ts$/.test(file)));
    const missing = mentioned
      .filter((name) => !shipsTypes(name))
      .map((name) => (name.startsWith('node:') ? 'node' : name))
      .filter((name) => manifest.dependencies[`@types/${name}`] !== '*');

    expect(mentioned).toContain('node:http');
    expect([...new Set(missing)]).toEqual([]);
  });

  it('mentions no place of the machine that built it', () => {
    const places = [ROOT, dirname(dirname(folder)), homedir()];

    expect(files.filter((file) => places.some((place) => read(file).includes(`${place}/`)))).toEqual([]);
  });
});

/** Does a dependency declare its types itself? */
function shipsTypes(name: string): boolean {
  if (!(name in manifest.dependencies)) return false;
  const { types, typings } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8'));
  return types !== undefined || typings !== undefined;
}

/** The packages and `node:` modules that files import, without what comes after a package's name. */
function packagesNamedIn(names: readonly string[]): string[] {
  const form = /\b(?:from\s*|import\s*\(?\s*|require\s*\(\s*|declare module\s+)(['"])([a-z@][\w./:@-]*)\1/g;
  const found = names.flatMap((file) => [...withoutComments(read(file)).matchAll(form)].map(([, , name = '']) => name));
  return [...new Set(found.map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name))].sort();
}

/** Examples in TSDoc import whatever they like. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(?:\/\*\*?|\*|\/\/).*$/gm, '');
}
