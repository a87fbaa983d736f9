import { hkdfSync, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'cookie';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { ConfigError } from '../errors.js';
import type { Flow, Role } from '../platform.js';
import { clearCookie, setCookie, shortDigest } from './cookies.js';
import type { Once } from './once.js';

/** One attempt to sign in, from the redirect to Spark until the callback. */
export interface Transaction {
  readonly state: string;
  readonly role: Role;
  readonly flow: Flow;
  readonly portal?: string | undefined;
  readonly redirectURI: string;
  /** The page that was wanted. */
  readonly returnTo: string;
  /** PKCE verifier (RFC 7636 §4.1). */
  readonly verifier?: string | undefined;
  /** Application state, returned as `info.state`. */
  readonly appState?: string | object | undefined;
}

/** An attempt of this browser. */
export interface Found {
  readonly transaction: Transaction;
  /** Its cookie's value, which is sealed with a new random number each time. A state of a custom store may come again. */
  readonly id: string;
  forget(): void;
}

const LIFETIME_S = 10 * 60;
const MAX_ATTEMPTS = 5;
const MAX_COOKIE_BYTES = 1_024;

/**
 * The attempts under way in one browser, each in a sealed cookie of its own (so that two tabs both finish), and none
 * in a session (so that anonymous visitors have none).
 */
export class Attempts {
  private readonly key: Uint8Array;
  /** Attempts that this process is finishing, by id: did they end in a sign-in? */
  private readonly finishing = new Map<string, Promise<boolean>>();

  constructor(
    secret: string,
    private readonly once: Once,
  ) {
    this.key = new Uint8Array(hkdfSync('sha256', secret, '', 'passport-spark attempt cookie', 32));
  }

  /** Seals an attempt into a cookie on the response; beyond {@link MAX_ATTEMPTS} the oldest cookie goes. */
  async begin(req: IncomingMessage, res: ServerResponse, transaction: Transaction): Promise<void> {
    const secure = transaction.redirectURI.startsWith('https:');
    const present = cookieNames(req)
      .filter((name) => name.startsWith(prefix(secure)))
      .sort();
    for (const name of present.slice(0, Math.max(0, present.length - MAX_ATTEMPTS + 1))) clearCookie(res, name, secure);
    const sealed = await this.seal(transaction);
    const value = sealed.length <= MAX_COOKIE_BYTES ? sealed : await this.seal({ ...transaction, returnTo: '/' });
    if (value.length > MAX_COOKIE_BYTES) {
      throw new ConfigError('SparkStrategy', [
        '"state" is too long for the attempt cookie; write a short one, like the id of a record.',
      ]);
    }
    // The time stands in front of the name, so that the oldest sorts first.
    const name = `${prefix(secure)}${Date.now().toString(36)}-${shortDigest(transaction.state)}`;
    setCookie(res, name, value, secure, LIFETIME_S);
  }

  /** Opens the attempt that this state belongs to. `forget` takes its cookie away. */
  async find(req: IncomingMessage, res: ServerResponse, state: string): Promise<Found | undefined> {
    const cookies = parse(req.headers.cookie ?? '');
    const suffix = `-${shortDigest(state)}`;
    for (const secure of [true, false]) {
      for (const [name, value] of Object.entries(cookies)) {
        if (!name.startsWith(prefix(secure)) || !name.endsWith(suffix)) continue;
        const transaction = await this.open(value ?? '');
        const forget = (): void => clearCookie(res, name, secure);
        if (transaction?.state === state && transaction.redirectURI.startsWith('https:') === secure)
          return { transaction, id: value ?? '', forget };
        forget();
      }
    }
    return undefined;
  }

  /** Spends an attempt: true for the first callback, over all processes as far as the token store can tell. @throws UnavailableError */
  async spend({ id }: Found): Promise<boolean> {
    return await this.once.isFirst(`attempt ${id}`, LIFETIME_S * 1_000);
  }

  /** Finishes an attempt, while another callback of it may wait for what becomes of it. */
  async finish({ id }: Found, work: () => Promise<boolean>): Promise<void> {
    const outcome = work();
    this.finishing.set(
      id,
      outcome.catch(() => false),
    );
    try {
      await outcome;
    } finally {
      this.finishing.delete(id);
    }
  }

  /** How the first callback of an attempt ended, if this process is at it. Undefined: long ago, or elsewhere. */
  async outcome({ id }: Found): Promise<boolean | undefined> {
    return await this.finishing.get(id);
  }

  /** A list instead of named fields, so that a long `returnTo` still fits a cookie. */
  private async seal(t: Transaction): Promise<string> {
    const expiresAt = Math.ceil(Date.now() / 1_000) + LIFETIME_S;
    const fields = [expiresAt, t.state, t.role, t.flow, t.redirectURI, t.returnTo, t.portal, t.verifier, t.appState];
    return await new CompactEncrypt(Buffer.from(JSON.stringify(fields)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(this.key);
  }

  private async open(sealed: string): Promise<Transaction | undefined> {
    let fields: SealedFields;
    try {
      const { plaintext } = await compactDecrypt(sealed, this.key, ONLY_OUR_ALGORITHMS);
      fields = JSON.parse(Buffer.from(plaintext).toString('utf8')) as SealedFields; // sealed by us: nobody else has the key
    } catch {
      return undefined; // tampered, or sealed with another secret: the same to the person
    }
    const [expiresAt, state, role, flow, redirectURI, returnTo, portal, verifier, appState] = fields;
    if (expiresAt * 1_000 < Date.now()) return undefined;
    return {
      state,
      role,
      flow,
      redirectURI,
      returnTo,
      portal: portal ?? undefined,
      verifier: verifier ?? undefined,
      appState: appState ?? undefined,
    };
  }
}

type SealedFields = [
  expiresAt: number,
  state: string,
  role: Role,
  flow: Flow,
  redirectURI: string,
  returnTo: string,
  portal: string | null,
  verifier: string | null,
  appState: string | object | null,
];

const ONLY_OUR_ALGORITHMS = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };

/** 128 random bits, as the OAuth `state` (RFC 6749 §10.12). */
export function newState(): string {
  return randomBytes(16).toString('base64url');
}

function prefix(secure: boolean): string {
  return secure ? '__Host-spark-attempt.' : 'spark-attempt.';
}

function cookieNames(req: IncomingMessage): string[] {
  return Object.keys(parse(req.headers.cookie ?? ''));
}
