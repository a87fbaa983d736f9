import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWERS } from './attacks/answers.js';
import type { Attack } from './attacks/attack.js';
import { FRAMING } from './attacks/framing.js';
import { HEADERS } from './attacks/headers.js';
import { CROSS_SITE, PEOPLE } from './attacks/people.js';
import { TARGETS } from './attacks/targets.js';
import { CONTENDERS, type Contender, type Site, startSites } from './sites.js';

/** By the headings of docs/security.md. */
const GROUPS: readonly [heading: string, attacks: readonly Attack[]][] = [
  ['What comes back', ANSWERS],
  ['What goes up', HEADERS],
  ['Where it goes', TARGETS],
  ['Where a request ends', FRAMING],
  ['Other sites', CROSS_SITE],
  ['People', PEOPLE],
];

const ROOT = join(__dirname, '..', '..');
const read = (...path: readonly string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

let sites: Record<Contender, Site>;

beforeAll(async () => {
  sites = await startSites();
});

afterAll(async () => {
  await Promise.all(Object.values(sites).map((site) => site.close()));
});

describe.each(GROUPS)('%s', (_heading, attacks) => {
  it.each(attacks)('$name', async ({ run, outcomes }) => {
    const found = await Promise.all(CONTENDERS.map((name) => run(sites[name])));

    expect(found).toEqual(outcomes);
  });
});

describe('docs/security.md', () => {
  const text = read('docs', 'security.md');

  it.each(GROUPS)('has these rows under "%s", and no others', (heading, attacks) => {
    const [, section = ''] = text.split(`\n### ${heading}\n`);
    const [, , ...rows] = (section.split(/\n#/, 1)[0] ?? '').split('\n').filter((line) => line.startsWith('|'));

    expect(rows).toEqual(attacks.map(rowOf));
  });

  it('names the versions that are measured here', () => {
    const peers = CONTENDERS.filter((name) => name !== 'passport-spark');
    const versions = peers.map((name) => `${name} ${JSON.parse(read('node_modules', name, 'package.json')).version}`);

    expect(versions.filter((version) => !text.includes(version))).toEqual([]);
  });
});

function rowOf({ name, outcomes, test }: Attack): string {
  const guard = test ? `[${test[0]}](../test/${test[0]}.test.ts): ${test[1]}` : '';
  return `| ${[name, ...outcomes, guard].join(' | ')} |`;
}

describe('a rule of ours', () => {
  const attacks = GROUPS.flatMap(([, group]) => group);

  it('has a test where it stops something, by the name that the table gives', () => {
    const missing = attacks.filter(
      ({ outcomes, test }) => outcomes[3].startsWith('stopped') && !(test && isTest(test)),
    );

    expect(missing.map(({ name, test }) => [name, test])).toEqual([]);
  });

  /** Is there `it('name'` or `it.each(…)('name'` in that file? */
  function isTest([file, name]: readonly [file: string, name: string]): boolean {
    const title = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`(?:\\bit|\\))\\(\\s*(?:'${title}'|"${title}"),`).test(read('test', `${file}.test.ts`));
  }
});
