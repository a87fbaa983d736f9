import { SparkError } from '../errors.js';
import { PROFILE_PATH, type Role } from '../platform.js';

/** Who signed in, in Passport's normalised form, with what Spark adds to it. */
export interface SparkProfile {
  readonly provider: 'spark';
  /** Unique within `role`: accounts and contacts count separately, so a user key is role + id. */
  readonly id: string;
  readonly role: Role;
  readonly displayName: string;
  readonly name: { readonly givenName?: string; readonly familyName?: string };
  readonly emails: readonly { readonly value: string; readonly type?: string; readonly primary?: boolean }[];
  readonly phones: readonly { readonly value: string; readonly type?: string }[];
  readonly photos: readonly { readonly value: string; readonly type?: string }[];
  readonly mls?: { readonly id?: string; readonly name?: string };
  readonly office?: { readonly id?: string; readonly name?: string };
  readonly _raw: string;
  readonly _json: unknown;
}

const TIMEOUT_MS = 30_000;

/** Asks Spark who signed in. @throws SparkError `profile_failed` */
export async function fetchProfile(
  api: { readonly apiURL: string; readonly userAgent: string },
  accessToken: string,
  role: Role,
): Promise<SparkProfile> {
  const path = PROFILE_PATH[role];
  try {
    const response = await fetch(api.apiURL + path, {
      headers: {
        accept: 'application/json',
        authorization: `OAuth ${accessToken}`,
        'x-sparkapi-user-agent': api.userAgent,
      },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const profile = response.ok ? readProfile(await response.text(), role) : undefined;
    if (profile) return profile;
    throw new Error(`${path} answered ${response.status}${response.ok ? ' without naming anybody' : ''}`);
  } catch (cause) {
    throw new SparkError('Spark did not tell who signed in.', { code: 'profile_failed', status: 502, cause });
  }
}

/** Reads the answer of `/v1/my/account` or `/v1/my/contact`; undefined when it names nobody. */
export function readProfile(body: string, role: Role): SparkProfile | undefined {
  const json = parseJSON(body);
  const person = ((json as { D?: { Results?: unknown } } | undefined)?.D?.Results as unknown[] | undefined)?.[0];
  if (typeof person !== 'object' || person === null) return undefined;
  const fields = person as Record<string, unknown>;
  const id = text(fields.Id);
  if (id === undefined) return undefined;
  const givenName = text(fields.FirstName) ?? text(fields.GivenName);
  const familyName = text(fields.LastName) ?? text(fields.FamilyName);
  const mls = compact({ id: text(fields.MlsId), name: text(fields.Mls) });
  const office = compact({ id: text(fields.OfficeId), name: text(fields.Office) });
  return {
    provider: 'spark',
    id,
    role,
    displayName: text(fields.Name) ?? text(fields.DisplayName) ?? [givenName, familyName].filter(Boolean).join(' '),
    name: compact({ givenName, familyName }) ?? {},
    emails: emails(fields),
    phones: list(fields.Phones).flatMap((phone) => labelled(phone, 'Number')),
    photos: list(fields.Images).flatMap((image) => labelled(image, 'Uri')),
    ...(mls ? { mls } : {}),
    ...(office ? { office } : {}),
    _raw: body,
    _json: json,
  };
}

function emails(fields: Record<string, unknown>): SparkProfile['emails'] {
  const listed = list(fields.Emails).flatMap((email) => {
    const [entry] = labelled(email, 'Address');
    return entry ? [{ ...entry, ...(email.Primary === true ? { primary: true } : {}) }] : [];
  });
  const primary = text(fields.PrimaryEmail);
  if (listed.length > 0 || primary === undefined)
    return listed.sort((a, b) => Number('primary' in b) - Number('primary' in a));
  return [{ value: primary, primary: true }];
}

function labelled(entry: Record<string, unknown>, field: string): { value: string; type?: string }[] {
  const value = text(entry[field]);
  if (value === undefined) return [];
  const type = text(entry.Type);
  return [type === undefined ? { value } : { value, type }];
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : [];
}

/** A text that says something: hidden values come as asterisks. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && !/^\*+$/.test(value) ? value : undefined;
}

function compact<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as { [K in keyof T]?: string }) : undefined;
}

function parseJSON(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
