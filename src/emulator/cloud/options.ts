/** A device of an account, as `GET /v1/devices` lists it (the cloud's API of 2014). */
export interface CloudDevice {
  /** 24 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly last_app: string | null;
  /** ISO 8601, or `null` for one that never reported. */
  readonly last_heard: string | null;
  readonly connected: boolean;
}

/** Somebody with an account at the cloud. */
export interface CloudAccountOptions {
  /** The e-mail address. */
  readonly username: string;
  readonly password: string;
  /** One-time code that a password grant asks for, and `/v1/access_tokens` (as `otp` in the query). Default: none is. */
  readonly otp?: string | undefined;
  /** Default: two synthetic devices. */
  readonly devices?: readonly CloudDevice[] | undefined;
}

/** Options of `createSparkCloudEmulator`. Every one can be left out. */
export interface SparkCloudEmulatorOptions {
  /** Default: `maker@example.com` with password `spark`, and `careful@example.com` with the one-time code `123456` too. */
  readonly accounts?: readonly CloudAccountOptions[] | undefined;
  /** OAuth clients. Default: `particle-api` with secret `particle-api`. */
  readonly clients?: readonly { readonly id: string; readonly secret: string }[] | undefined;
  /** Lifetime of access tokens in seconds. Default 7 776 000, the 90 days of the cloud's own answers. */
  readonly expiresIn?: number | undefined;
  /** Lifetime of an `auth_token` in seconds. Default 5 184 000, 60 days. */
  readonly authTokenExpiresIn?: number | undefined;
  /** Password grants come with a refresh token, as today (default), or without, as in 2014. */
  readonly refreshTokens?: boolean | undefined;
  /** A sign-in tells an unknown account from a wrong password. Default false, as today's cloud. */
  readonly revealsAccounts?: boolean | undefined;
  /** Status of the answer to a bad access token. Default 400, as observed; 401 is what the standard says. */
  readonly badTokenStatus?: 400 | 401 | undefined;
}

export interface CloudAccount {
  readonly username: string;
  readonly password: string;
  readonly otp: string | null;
  readonly devices: readonly CloudDevice[];
}

/** The options, checked and complete. */
export interface CloudSettings {
  readonly accounts: readonly CloudAccount[];
  readonly clients: readonly { readonly id: string; readonly secret: string }[];
  readonly lifetimeMs: number;
  readonly authLifetimeMs: number;
  readonly refreshTokens: boolean;
  readonly revealsAccounts: boolean;
  readonly badTokenStatus: 400 | 401;
}

const OPTION_NAMES: readonly string[] = [
  'accounts',
  'clients',
  'expiresIn',
  'authTokenExpiresIn',
  'refreshTokens',
  'revealsAccounts',
  'badTokenStatus',
] satisfies (keyof SparkCloudEmulatorOptions)[];

const DEVICES: readonly CloudDevice[] = [
  {
    id: '0123456789abcdef01234567',
    name: 'greenhouse',
    last_app: null,
    last_heard: '2026-01-15T08:30:00.000Z',
    connected: true,
  },
  { id: '89abcdef0123456789abcdef', name: 'letterbox', last_app: 'bell', last_heard: null, connected: false },
];

const ACCOUNTS: readonly CloudAccountOptions[] = [
  { username: 'maker@example.com', password: 'spark' },
  { username: 'careful@example.com', password: 'spark', otp: '123456' },
];

/** @throws Error that lists every problem at once: a plain one, since the emulator stands alone */
export function parseCloudOptions(options: SparkCloudEmulatorOptions): CloudSettings {
  const unknown = Object.keys(options).filter((name) => !OPTION_NAMES.includes(name));
  const problems = unknown.map((name) => `"${name}" is not an option. Options: ${OPTION_NAMES.join(', ')}.`);
  const seconds = (name: 'expiresIn' | 'authTokenExpiresIn', fallback: number): number => {
    const value = options[name] ?? fallback;
    if (!(Number.isFinite(value) && value > 0)) problems.push(`"${name}" must be a number of seconds above 0.`);
    return value * 1_000;
  };
  const flag = (name: 'refreshTokens' | 'revealsAccounts', fallback: boolean): boolean => {
    const value: unknown = options[name] ?? fallback;
    if (typeof value !== 'boolean') problems.push(`"${name}" must be true or false; it was ${JSON.stringify(value)}.`);
    return value === true;
  };
  const accounts = options.accounts ?? ACCOUNTS;
  for (const { username, password } of accounts) {
    if (!username || !password) problems.push('"accounts": each needs a username and a password.');
  }
  const settings: CloudSettings = {
    accounts: accounts.map(({ username, password, otp = null, devices = DEVICES }) => ({
      username,
      password,
      otp,
      devices,
    })),
    clients: options.clients ?? [{ id: 'particle-api', secret: 'particle-api' }],
    lifetimeMs: seconds('expiresIn', 7_776_000),
    authLifetimeMs: seconds('authTokenExpiresIn', 5_184_000),
    refreshTokens: flag('refreshTokens', true),
    revealsAccounts: flag('revealsAccounts', false),
    badTokenStatus: options.badTokenStatus ?? 400,
  };
  if (![400, 401].includes(settings.badTokenStatus)) problems.push('"badTokenStatus" must be 400 or 401.');
  if (problems.length > 0) throw new Error(`createSparkCloudEmulator:\n  - ${problems.join('\n  - ')}`);
  return settings;
}
