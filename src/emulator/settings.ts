import type { EmulatorClientOptions, EmulatorPersonOptions, SparkEmulatorOptions } from './options.js';
import { ACCOUNT_DATA, ALL_ROLES, type Client, type Person, type SparkRole, sparkId } from './people.js';

/** The options, checked and complete. */
export interface Settings {
  readonly clients: readonly Client[];
  readonly people: readonly Person[];
  /** As the options spell them. */
  readonly portals: readonly string[];
  readonly rotation: 'strict' | 'grace' | 'none';
  readonly graceMs: number;
  readonly lifetimeMs: number;
  readonly expiresInFormat: 'number' | 'string' | 'missing' | 'zero';
  readonly omitRefreshToken: boolean;
  readonly accessTokenAfterRefresh: 'lives' | 'dies';
  readonly grantsPerPerson: 'many' | 'one';
  readonly reuseDetection: boolean;
  readonly refreshNeedsRedirectURI: boolean;
  readonly hybridCallback: 'full' | 'minimal';
  readonly requireUserAgent: boolean;
  readonly controls: boolean;
}

/** The key of an emulator that is given none. */
export const DEFAULT_CLIENTS: readonly EmulatorClientOptions[] = [
  { id: 'emulator-client', secret: 'emulator-secret', redirectURIs: 'loopback' },
];

/** The people of an emulator that is given none: one for each way of signing in. */
export const DEFAULT_PEOPLE: readonly EmulatorPersonOptions[] = [
  { username: 'agent', password: 'spark', roles: ['private', 'idx'] },
  { username: 'consumer', password: 'spark', roles: ['vow'] },
];

const OPTION_NAMES: ReadonlySet<string> = new Set([
  'clients',
  'people',
  'portals',
  'rotation',
  'graceMs',
  'expiresIn',
  'expiresInFormat',
  'omitRefreshToken',
  'accessTokenAfterRefresh',
  'grantsPerPerson',
  'reuseDetection',
  'refreshNeedsRedirectURI',
  'hybridCallback',
  'requireUserAgent',
  'controls',
] satisfies (keyof SparkEmulatorOptions)[]);

/**
 * Checks the options and fills in the defaults.
 *
 * @throws Error that lists every problem at once: a plain one, since the emulator stands alone
 */
export function parseOptions(options: SparkEmulatorOptions): Settings {
  const problems: string[] = [];

  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) {
      problems.push(`"${name}" is not an option. Options: ${[...OPTION_NAMES].join(', ')}.`);
    }
  }

  function oneOf<T extends string>(name: string, value: T | undefined, allowed: readonly [T, ...T[]]): T {
    if (value === undefined) return allowed[0];
    if (!allowed.includes(value)) {
      problems.push(`"${name}" must be one of ${allowed.map((a) => `'${a}'`).join(', ')}; it was ${shown(value)}.`);
    }
    return value;
  }

  function flag(name: string, value: boolean | undefined): boolean {
    if (value !== undefined && typeof value !== 'boolean') {
      problems.push(`"${name}" must be true or false; it was ${shown(value)}.`);
    }
    return value ?? false;
  }

  function positive(name: string, unit: string, value: number | undefined, otherwise: number): number {
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value) && value > 0)) {
      problems.push(`"${name}" must be a number of ${unit} above 0; it was ${shown(value)}.`);
    }
    return value ?? otherwise;
  }

  const portals = parsePortals(options.portals ?? ['myportal'], problems);
  const settings: Settings = {
    clients: parseClients(options.clients ?? DEFAULT_CLIENTS, problems),
    people: parsePeople(options.people ?? DEFAULT_PEOPLE, portals, problems),
    portals,
    rotation: oneOf('rotation', options.rotation, ['strict', 'grace', 'none']),
    graceMs: positive('graceMs', 'milliseconds', options.graceMs, 30_000),
    lifetimeMs: positive('expiresIn', 'seconds', options.expiresIn, 86_400) * 1_000,
    expiresInFormat: oneOf('expiresInFormat', options.expiresInFormat, ['number', 'string', 'missing', 'zero']),
    omitRefreshToken: flag('omitRefreshToken', options.omitRefreshToken),
    accessTokenAfterRefresh: oneOf('accessTokenAfterRefresh', options.accessTokenAfterRefresh, ['lives', 'dies']),
    grantsPerPerson: oneOf('grantsPerPerson', options.grantsPerPerson, ['many', 'one']),
    reuseDetection: flag('reuseDetection', options.reuseDetection),
    refreshNeedsRedirectURI: flag('refreshNeedsRedirectURI', options.refreshNeedsRedirectURI),
    hybridCallback: oneOf('hybridCallback', options.hybridCallback, ['full', 'minimal']),
    requireUserAgent: flag('requireUserAgent', options.requireUserAgent),
    controls: flag('controls', options.controls),
  };
  if (options.graceMs !== undefined && settings.rotation !== 'grace') {
    problems.push(
      `"graceMs" has no effect with rotation '${settings.rotation}'. Write rotation: 'grace', or leave it out.`,
    );
  }

  if (problems.length > 0) {
    throw new Error(`createSparkEmulator cannot start:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
  }
  return settings;
}

function parsePortals(portals: readonly string[], problems: string[]): readonly string[] {
  if (!isListOfText(portals)) {
    problems.push('"portals" must be a list of names.');
    return [];
  }
  for (const name of portals) {
    if (!/^[A-Za-z0-9_-]+$/.test(name)) {
      problems.push(`Portal "${name}": a name consists of letters, digits, "-" and "_", because it is part of a URL.`);
    }
  }
  if (hasTwice(portals.map((name) => name.toLowerCase()))) problems.push('"portals" names one portal twice.');
  return portals;
}

function parseClients(clients: readonly EmulatorClientOptions[], problems: string[]): readonly Client[] {
  if (!isListOfObjects(clients) || clients.length === 0) {
    problems.push('"clients" must be a list of at least one { id, secret, redirectURIs }.');
    return [];
  }
  if (hasTwice(clients.map((client) => client.id))) problems.push('"clients" holds two clients with the same id.');
  return clients.map((client, index) => {
    const label = `clients[${index}]`;
    if (!isText(client.id)) problems.push(`${label}.id must be a non-empty string.`);
    if (!isText(client.secret)) problems.push(`${label}.secret must be a non-empty string.`);
    checkRedirectURIs(label, client.redirectURIs, problems);
    const roles = client.roles ?? ALL_ROLES;
    checkRoles(label, roles, problems);
    return { id: client.id, secret: client.secret, redirectURIs: client.redirectURIs, roles: inOrder(roles) };
  });
}

function checkRedirectURIs(label: string, uris: EmulatorClientOptions['redirectURIs'], problems: string[]): void {
  if (uris === 'loopback') return;
  if (!isListOfText(uris)) {
    problems.push(`${label}.redirectURIs must be a list of absolute URIs, or 'loopback' for any URI of this machine.`);
    return;
  }
  for (const uri of uris) {
    const absolute = URL.canParse(uri) && /^https?:\/\/[\x21-\x7e]+$/.test(uri) && !uri.includes('#');
    if (!absolute) {
      problems.push(`${label}.redirectURIs: "${uri}" is not an absolute http(s) URI without a fragment.`);
    }
  }
}

function parsePeople(
  people: readonly EmulatorPersonOptions[],
  allPortals: readonly string[],
  problems: string[],
): readonly Person[] {
  if (!isListOfObjects(people)) {
    problems.push('"people" must be a list of { username, password, roles }.');
    return [];
  }
  if (hasTwice(people.map((person) => person.username))) problems.push('"people" holds two people with one username.');
  const known = allPortals.map((name) => name.toLowerCase());
  return people.map((person, index) => {
    const label = `people[${index}]`;
    const username = isText(person.username) ? person.username : '';
    if (username === '') problems.push(`${label}.username must be a non-empty string.`);
    if (!isText(person.password)) problems.push(`${label}.password must be a non-empty string.`);
    checkRoles(label, person.roles, problems);
    if (person.accountData !== undefined && !ACCOUNT_DATA.includes(person.accountData)) {
      problems.push(`${label}.accountData must be one of ${ACCOUNT_DATA.map((one) => `'${one}'`).join(', ')}.`);
    }
    const portals = personPortals(label, person.portals ?? known, problems);
    for (const name of portals) {
      if (!known.includes(name)) problems.push(`${label}.portals: "${name}" is not in the option "portals".`);
    }
    if (Array.isArray(person.roles) && person.roles.includes('vow') && portals.length === 0) {
      problems.push(`${label} has the role 'vow' and therefore needs at least one portal.`);
    }
    return {
      username,
      password: person.password,
      roles: person.roles,
      portals,
      firstName: person.firstName ?? username.charAt(0).toUpperCase() + username.slice(1),
      lastName: person.lastName ?? 'Example',
      email: person.email ?? `${username}@example.com`,
      accountData: person.accountData ?? 'full',
      accountId: sparkId(`account:${username}`),
      contactId: sparkId(`contact:${username}`),
    };
  });
}

function personPortals(label: string, portals: readonly string[], problems: string[]): readonly string[] {
  if (isListOfText(portals)) return portals.map((name) => name.toLowerCase());
  problems.push(`${label}.portals must be a list of names.`);
  return [];
}

function checkRoles(label: string, roles: readonly SparkRole[], problems: string[]): void {
  const valid = Array.isArray(roles) && roles.length > 0 && roles.every((role) => ALL_ROLES.includes(role));
  if (!valid) problems.push(`${label}.roles must be a non-empty list of 'private', 'idx', 'vow'.`);
}

/** `private` before `idx`: where both fit, the wider role is the one a key gets. */
function inOrder(roles: readonly SparkRole[]): readonly SparkRole[] {
  return Array.isArray(roles) ? ALL_ROLES.filter((role) => roles.includes(role)) : [];
}

/** `JSON.stringify` turns NaN into null, which nobody wrote. */
function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
}

function hasTwice(values: readonly string[]): boolean {
  return new Set(values).size !== values.length;
}
