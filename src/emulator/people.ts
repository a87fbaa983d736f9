import { createHash } from 'node:crypto';

/** Whom an API key may speak for: an agent's own data, an agent's public site, or a consumer of an agent's portal. */
export type SparkRole = 'private' | 'idx' | 'vow';

export const ALL_ROLES: readonly SparkRole[] = ['private', 'idx', 'vow'];

/** An API key, ready for use. */
export interface Client {
  readonly id: string;
  readonly secret: string;
  /** The URIs on record, compared character by character; `'loopback'` accepts any URI of the own machine. */
  readonly redirectURIs: readonly string[] | 'loopback';
  readonly roles: readonly SparkRole[];
}

/** How complete `/v1/my/account` is. */
export const ACCOUNT_DATA = ['full', 'no-primary', 'empty-lists', 'hidden'] as const;
export type AccountData = (typeof ACCOUNT_DATA)[number];

/** Somebody who can sign in. */
export interface Person {
  readonly username: string;
  readonly password: string;
  readonly roles: readonly SparkRole[];
  /** Lower case. For a consumer: where this person has an account; for an agent: the agent's own portals. */
  readonly portals: readonly string[];
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly accountData: AccountData;
  /** 26 digits, the id in `/v1/my/account` and in `openid.sreg.nickname`. */
  readonly accountId: string;
  /** 26 digits, the id in `/v1/my/contact`: another name space than account ids. */
  readonly contactId: string;
}

/** For whom, and through which key, a code or token was issued. */
export interface Grantee {
  readonly clientId: string;
  readonly person: Person;
  readonly role: SparkRole;
  /** Lower case; `null` outside VOW. */
  readonly portal: string | null;
}

/**
 * A 26-digit id in the shape that Spark gives its resources (a time stamp and twelve more digits).
 * The same seed always yields the same id, so that tests and several processes agree.
 */
export function sparkId(seed: string): string {
  const digest = createHash('sha256').update(seed).digest();
  const tail = String(digest.readUIntBE(0, 6) % 1_000_000_000_000).padStart(12, '0');
  return `20240101000000${tail}`;
}

/** How a person signs in at one of the endpoints: as an agent (Private and IDX), or as a consumer of a portal. */
export type Door = { readonly kind: 'agent' } | { readonly kind: 'vow'; readonly portal: string | null };

/** The role a token gets, decided by the key: the sign-in request itself names none. `null`: the key has no role for this door. */
export function roleOfClient(client: Client, door: Door): SparkRole | null {
  if (door.kind === 'vow') return client.roles.includes('vow') ? 'vow' : null;
  return client.roles.find((role) => role !== 'vow') ?? null;
}

/** What became of a user name and password. */
export type Admission =
  | { readonly grantee: Grantee }
  | { readonly grantee: null; readonly status: 401 | 403; readonly message: string };

/** Checks a password and whether this person may come through this door with this key. */
export function admit(
  people: readonly Person[],
  client: Client,
  door: Door,
  username: string,
  password: string,
): Admission {
  const person = people.find((candidate) => candidate.username === username && candidate.password === password);
  if (person === undefined) return turnAway(401, 'The user name or the password is not correct.');

  if (door.kind === 'vow') {
    if (!person.roles.includes('vow')) {
      return turnAway(403, 'This is the sign-in of a consumer portal. This user has no portal account.');
    }
    const portal = door.portal ?? person.portals[0] ?? null;
    if (portal === null || !person.portals.includes(portal)) {
      return turnAway(403, `This user has no account at the portal "${portal ?? ''}".`);
    }
    return { grantee: { clientId: client.id, person, role: 'vow', portal } };
  }

  const role = client.roles.find((candidate) => candidate !== 'vow' && person.roles.includes(candidate));
  if (role === undefined) {
    return turnAway(403, 'This is the sign-in of agents. This user must sign in at a consumer portal instead.');
  }
  return { grantee: { clientId: client.id, person, role, portal: null } };
}

function turnAway(status: 401 | 403, message: string): Admission {
  return { grantee: null, status, message };
}
