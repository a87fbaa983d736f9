import { setTimeout as delay } from 'node:timers/promises';
import { SparkError } from '../errors.js';
import { PROFILE_PATH, type Role } from '../platform.js';
import { type Api, type ApiAnswer, askSpark, firstResult, parseJSON } from './ask.js';
import type { Attributes } from './attributes.js';

/** Who signed in, in Passport's normalised form, with what Spark adds to it. */
export interface SparkProfile {
  readonly provider: 'spark';
  /** Unique within `role`: accounts and contacts count separately, so a user key is role + id. */
  readonly id: string;
  readonly role: Role;
  readonly displayName: string;
  readonly name: { readonly givenName?: string; readonly middleName?: string; readonly familyName?: string };
  /** Of the hybrid flow, where the option `ax` asked for `friendly`. */
  readonly username?: string;
  readonly emails: readonly { readonly value: string; readonly type?: string; readonly primary?: boolean }[];
  readonly phones: readonly { readonly value: string; readonly type?: string }[];
  readonly photos: readonly { readonly value: string; readonly type?: string }[];
  readonly mls?: { readonly id?: string; readonly name?: string };
  readonly office?: { readonly id?: string; readonly name?: string };
  /** Of the hybrid flow: what the verified assertion answered to the options `ax` and `sreg`. */
  readonly attributes?: Attributes;
  readonly _raw: string;
  readonly _json: unknown;
}

const RETRY_MS = 200;

/** Asks Spark who signed in; once more where it hiccups, because the code is spent already. @throws SparkError `profile_failed` */
export async function fetchProfile(api: Api, accessToken: string, role: Role): Promise<SparkProfile> {
  const path = PROFILE_PATH[role];
  try {
    const { status, body } = await askTwice(() => askSpark(api, accessToken, path));
    const profile = status === 200 ? readProfile(body, role) : undefined;
    if (profile) return profile;
    throw new Error(`${path} answered ${status}${status === 200 ? ' without naming anybody' : ''}`);
  } catch (cause) {
    throw new SparkError('Spark did not tell who signed in.', { code: 'profile_failed', status: 502, cause });
  }
}

async function askTwice(ask: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  const first = await ask().catch(() => undefined);
  if (first && first.status < 500) return first;
  await delay(RETRY_MS);
  return await ask();
}

/** Reads the answer of `/v1/my/account` or `/v1/my/contact`; undefined when it names nobody. */
export function readProfile(body: string, role: Role): SparkProfile | undefined {
  const json = parseJSON(body);
  const fields = firstResult(json);
  if (!fields) return undefined;
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

/** The profile with what the API left open. The API goes first; without a profile (`skipUserProfile`) the assertion makes one. */
export function withAttributes(
  profile: SparkProfile | undefined,
  attributes: Attributes,
  role: Role,
): SparkProfile | undefined {
  const { first_name, last_name, middle_name, friendly, email, fullname, nickname } = attributes;
  const id = profile?.id ?? attributes.id ?? nickname; // the nickname is the account's id
  if (id === undefined) return profile;
  const base: SparkProfile = profile ?? { ...NOBODY, id, role };
  const names = {
    ...(first_name === undefined ? {} : { givenName: first_name }),
    ...(middle_name === undefined ? {} : { middleName: middle_name }),
    ...(last_name === undefined ? {} : { familyName: last_name }),
    ...base.name,
  };
  const built = fullname ?? [first_name, last_name].filter(Boolean).join(' ');
  return {
    ...base,
    displayName: base.displayName || built,
    name: names,
    ...(friendly === undefined ? {} : { username: base.username ?? friendly }),
    emails: base.emails.length > 0 || email === undefined ? base.emails : [{ value: email }],
    attributes,
  };
}

const NOBODY = {
  provider: 'spark',
  displayName: '',
  name: {},
  emails: [],
  phones: [],
  photos: [],
  _raw: '',
  _json: undefined,
} as const;

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
