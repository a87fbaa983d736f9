import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';

/** The rooms of src/, from the ground up: each imports only from those that stand before it. */
const ROOMS = `
  errors
  called-back
  platform
  conceal
  html
  http-authorization
  options
  hidden-class
  unpack
  headers
  header-editor
  report
  paths
  cross-site
  allow
  upload
  tokens/record
  tokens/store
  tokens/recent
  tokens/cache
  tokens/seal
  tokens/happened
  tokens/memory
  tokens/store-option
  tokens/redis-scripts
  tokens/redis
  tokens/adopted
  tokens/events
  tokens/renewer
  tokens/running
  tokens/service
  grant
  signin/urls
  signin/callback
  signin/link
  signin/ask
  signin/once
  signin/portal
  signin/assertion
  signin/attributes
  signin/role
  signin/options
  signin/state-store
  signin/cookies
  signin/return-to
  signin/rounds
  signin/transaction
  signin/profile
  signin/verify
  signin/login
  signin/request
  signin/host
  signin/oauth2
  signin/wall
  signin/messages
  lane
  session
  signin/sign-out
  signin/discover
  signin/call
  signin/refuse
  signin/begin
  signin/guard
  signin/finish
  upstream
  answer
  exchange
  proxy-options
  body-up
  proxy
  strategy
  index
`
  .trim()
  .split(/\s+/);

/** Folders with a public sub-path of their own. Nothing else imports them; they use the rooms above, unless they are said to stand alone. */
const SUB_PATHS: Readonly<Record<string, 'uses the rooms' | 'stands alone'>> = {
  emulator: 'stands alone', // it plays the other side, so it must not share our idea of it
  oauth2: 'uses the rooms',
  cloud: 'uses the rooms',
  'fast-server': 'uses the rooms',
  testing: 'uses the rooms',
};

/**
 * Rooms that the example app uses though the package's index doesn't give them out. It is written as its readers would
 * write theirs, but ships as `passport-spark/login-site`.
 */
const SHARED_WITH_THE_EXAMPLE_APP = [
  'src/options', // so it reports bad options in the package's words
  'src/platform', // so it offers the roles and flows that there are
];

const ROOT = join(__dirname, '..');

/** A source file, by its path without extension (`src/tokens/store`), and what it imports of the project. */
interface Source {
  readonly name: string;
  readonly imports: readonly string[];
}

function readSources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.m?ts$/.test(file))
    .map((file) => posix.join(folder, file.replaceAll('\\', '/')))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      // `index.mts` re-exports `index.ts` beside it for `import`: a room of its own, though nobody imports it.
      return { name: path.replace(/\.ts$/, ''), imports: importsOf(text).map((to) => posix.join(dirname(path), to)) };
    });
}

/** Relative imports of every form, types too. */
function importsOf(text: string): string[] {
  const form = /\b(?:from\s*|import\s*\(?\s*|require\s*\(\s*)(['"])(\.[^'"]*)\1/g;
  return [...text.matchAll(form)].map(([, , path = '']) => path.replace(/\.m?js$/, ''));
}

/** The sub-path that a file belongs to, or undefined for a room. */
function subPathOf(name: string): string | undefined {
  const [, folder = ''] = name.split('/');
  return folder in SUB_PATHS ? folder : undefined;
}

function floorOf(name: string): number {
  return ROOMS.indexOf(name.replace(/^src\//, '').replace(/\.mts$/, ''));
}

/** What is wrong with one import, in words; undefined when it may be. */
function wrongImport(from: string, to: string): string | undefined {
  const arrow = `${from} imports ${to}`;
  if (from.endsWith('.mts'))
    return to === from.replace(/\.mts$/, '')
      ? undefined
      : `${arrow}: it only re-exports ${basename(from, '.mts')}.ts beside it`;
  const own = subPathOf(from);
  const other = subPathOf(to);
  if (own !== undefined && other === own) return undefined;
  if (other !== undefined) return `${arrow}: nothing in src/ imports the sub-path ${other}`;
  if (own !== undefined) return SUB_PATHS[own] === 'stands alone' ? `${arrow}: ${own} stands alone` : undefined;
  if (floorOf(from) === -1) return undefined; // the test before asks for its place
  return floorOf(to) < floorOf(from) ? undefined : `${arrow}, which stands after it in ROOMS`;
}

/** One circle of imports, as the way around it; undefined when there is none. */
function findCircle(sources: readonly Source[]): string | undefined {
  const importsByName = new Map(sources.map(({ name, imports }) => [name, imports]));
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]): string | undefined => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name].join(' → ');
    if (done.has(name)) return undefined;
    for (const next of importsByName.get(name) ?? []) {
      const circle = visit(next, [...way, name]);
      if (circle) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const { name } of sources) {
    const circle = visit(name, []);
    if (circle) return circle;
  }
  return undefined;
}

const src = readSources('src');
const exampleApp = readSources('example-app');

describe('the house', () => {
  it('names a place for every file of src', () => {
    const homeless = src
      .map(({ name }) => name)
      .filter((name) => subPathOf(name) === undefined && floorOf(name) === -1);

    expect(
      homeless.map((name) => `${name}.ts is in no list: add it to ROOMS or SUB_PATHS in test/house.test.ts`),
    ).toEqual([]);
  });

  it('names no place that has no file', () => {
    const empty = ROOMS.filter((room) => !src.some(({ name }) => name === `src/${room}`));

    expect(empty.map((room) => `src/${room}.ts does not exist: take it out of ROOMS in test/house.test.ts`)).toEqual(
      [],
    );
  });

  it('lets a file import only from the rooms before it', () => {
    const wrong = src.flatMap(({ name, imports }) => imports.map((to) => wrongImport(name, to)));

    expect(wrong.filter((problem) => problem !== undefined)).toEqual([]);
  });

  it.each([
    ['src', src],
    ['example-app', exampleApp],
  ])('has no circle of imports in %s', (_folder, sources) => {
    expect(findCircle(sources)).toBeUndefined();
  });

  it('lets the example app use of src what everybody can import', () => {
    const inside = exampleApp.flatMap(({ name, imports }) =>
      imports
        .filter((to) => to.startsWith('src/') && !to.endsWith('/index') && !SHARED_WITH_THE_EXAMPLE_APP.includes(to))
        .map((to) => `${name} imports ${to}`),
    );

    expect(inside).toEqual([]);
  });

  it('keeps types beside their owners and helpers where they are used', () => {
    const nameless = [...src, ...exampleApp].filter(({ name }) =>
      /(?:^|\/)(?:utils?|helpers?|types|common|misc)$/.test(name),
    );

    expect(nameless.map(({ name }) => name)).toEqual([]);
  });

  it('reads every form of import', () => {
    const text = `
      import a from './a.js';
      import { b,
        c } from "./b.js";
      import type {} from './c.js';
      export * from '../d.mjs';
      import './e.js';
      import f = require('./f.js');
      const g = await import('./g.js');
      import express from 'express';`;

    expect(importsOf(text)).toEqual(['./a', './b', './c', '../d', './e', './f', './g']);
  });
});
