/** What the pages show of a person. */
export interface Person {
  readonly name: string;
  readonly office?: string;
  readonly email?: string;
}

/**
 * Reads a Passport user. The strategy's profile has every field; a host's user may have any shape, so nothing is
 * taken for granted.
 */
export function readPerson(user: unknown): Person | undefined {
  if (typeof user !== 'object' || user === null) return typeof user === 'string' ? { name: user } : undefined;
  const { displayName, name, username, office, emails, email } = user as Record<string, unknown>;
  const foundOffice = text(office) ?? text((office as { name?: unknown } | undefined)?.name);
  const foundEmail = text(email) ?? text((Array.isArray(emails) ? emails[0] : undefined)?.value);
  return {
    name: text(displayName) ?? text(name) ?? text(username) ?? 'Signed in',
    ...(foundOffice === undefined ? {} : { office: foundOffice }),
    ...(foundEmail === undefined ? {} : { email: foundEmail }),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
