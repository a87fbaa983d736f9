import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSparkCloudEmulator, createSparkEmulator, type SparkEmulatorOptions } from '../../src/emulator/index.js';

function problemOf(options: object): string {
  try {
    createSparkEmulator(options as SparkEmulatorOptions);
  } catch (error) {
    return String(error);
  }
  return 'none';
}

const client = { id: 'k', secret: 's', redirectURIs: ['https://app.example.com/cb'] };
const person = { username: 'p', password: 'w', roles: ['private'] };

describe('createSparkEmulator', () => {
  it.each([
    [{ rotate: 'strict' }, '"rotate" is not an option'],
    [{ rotation: 'sometimes' }, `"rotation" must be one of 'strict', 'grace', 'none'; it was "sometimes"`],
    [{ graceMs: 5 }, '"graceMs" has no effect'],
    [{ rotation: 'grace', graceMs: 0 }, '"graceMs" must be a number of milliseconds above 0'],
    [{ expiresIn: 0 }, '"expiresIn" must be a number of seconds above 0; it was 0'],
    [{ expiresIn: Number.NaN }, 'it was NaN'],
    [{ expiresIn: '60' }, '"expiresIn"'],
    [{ expiresInFormat: 'roman' }, '"expiresInFormat"'],
    [{ omitRefreshToken: 1 }, '"omitRefreshToken" must be true or false'],
    [{ accessTokenAfterRefresh: 'x' }, '"accessTokenAfterRefresh"'],
    [{ grantsPerPerson: 2 }, '"grantsPerPerson"'],
    [{ reuseDetection: 'yes' }, '"reuseDetection"'],
    [{ refreshNeedsRedirectURI: 1 }, '"refreshNeedsRedirectURI" must be true or false'],
    [{ hybridCallback: 'x' }, '"hybridCallback"'],
    [{ requireUserAgent: 'x' }, '"requireUserAgent"'],
    [{ controls: 'on' }, '"controls"'],
    [{ portals: 'myportal' }, '"portals" must be a list'],
    [{ portals: ['my portal'] }, 'Portal "my portal"'],
    [{ portals: ['a', 'A'] }, '"portals" names one portal twice'],
    [{ clients: [] }, '"clients"'],
    [{ clients: [null] }, '"clients"'],
    [{ clients: [{ ...client, id: '' }] }, 'clients[0].id'],
    [{ clients: [{ ...client, secret: 5 }] }, 'clients[0].secret'],
    [{ clients: [client, client] }, 'same id'],
    [{ clients: [{ ...client, redirectURIs: undefined }] }, 'clients[0].redirectURIs'],
    [{ clients: [{ ...client, redirectURIs: ['/cb'] }] }, '"/cb" is not an absolute'],
    [{ clients: [{ ...client, redirectURIs: ['https://app.example.com/cb#x'] }] }, 'without a fragment'],
    [{ clients: [{ ...client, roles: ['admin'] }] }, 'clients[0].roles'],
    [{ clients: [{ ...client, roles: [] }] }, 'clients[0].roles'],
    [{ people: 'agent' }, '"people"'],
    [{ people: [{ ...person, username: '' }] }, 'people[0].username'],
    [{ people: [{ ...person, password: undefined }] }, 'people[0].password'],
    [{ people: [{ ...person, roles: undefined }] }, 'people[0].roles'],
    [{ people: [{ ...person, accountData: 'some' }] }, "people[0].accountData must be one of 'full', 'no-primary'"],
    [{ people: [person, person] }, 'one username'],
    [{ people: [{ ...person, portals: ['nowhere'] }] }, '"nowhere" is not in the option "portals"'],
    [{ people: [{ ...person, portals: 'myportal' }] }, 'people[0].portals must be a list'],
    [{ people: [{ ...person, roles: ['vow'], portals: [] }] }, 'needs at least one portal'],
  ])('refuses %j', (options, problem) => {
    expect(problemOf(options)).toContain(problem);
  });

  it('tells every problem in one error', () => {
    const problem = problemOf({ rotation: 'x', expiresIn: -1, clients: [{ ...client, id: '', secret: '' }] });

    expect(problem.split('\n- ')).toHaveLength(5);
  });

  it.each([
    [{}],
    [{ rotation: undefined, clients: undefined, expiresIn: undefined }],
    [{ rotation: 'grace', graceMs: 5, expiresIn: 0.5 }],
    [{ clients: [{ ...client, redirectURIs: [] }], people: [] }],
    [{ portals: ['MyPortal'], people: [{ ...person, roles: ['vow'], portals: ['MYPORTAL'] }] }],
  ])('accepts %j', (options) => {
    expect(problemOf(options)).toBe('none');
  });
});

describe('docs/emulator.md', () => {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'emulator.md'), 'utf8');
  const optionsOf = (create: (options: object) => unknown): readonly string[] => {
    try {
      create({ none: 1 });
    } catch (error) {
      return (/Options: ([\w, ]+)\./.exec(String(error))?.[1] ?? '').split(', ');
    }
    return [];
  };

  it.each([
    ['createSparkEmulator', optionsOf(createSparkEmulator)],
    ['createSparkCloudEmulator', optionsOf(createSparkCloudEmulator)],
  ])('has a row for each option of %s', (_name, options) => {
    expect(options.length).toBeGreaterThan(5);
    expect(options.filter((name) => !page.includes(`\n| \`${name}\` |`))).toEqual([]);
  });

  it.each([
    ['createSparkEmulator', createSparkEmulator],
    ['createSparkCloudEmulator', createSparkCloudEmulator],
  ] as const)('names every control of %s', async (_name, create) => {
    const handle = await create().listen(0);
    await handle.close();

    expect(
      Object.keys(handle).filter(
        (name) => !page.includes(`${name}(`) && !page.includes(`\`${name}\``) && !page.includes(`.${name}`),
      ),
    ).toEqual([]);
  });
});
