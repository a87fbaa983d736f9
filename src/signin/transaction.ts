import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse, serialize } from 'cookie';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { ConfigError } from '../errors.js';
import type { Flow, Role } from '../platform.js';
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
  /** Began at a sign-in wall, which finishes it too. */
  readonly wall: boolean;
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
const MAX_RETURN_TO = 512;
const FINISHED_S = 60;

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
    const name = `${prefix(secure)}${Date.now().toString(36)}-${stateName(transaction.state)}`;
    setCookie(res, name, value, secure, LIFETIME_S);
  }

  /** Opens the attempt that this state belongs to. `forget` takes its cookie away. */
  async find(req: IncomingMessage, res: ServerResponse, state: string): Promise<Found | undefined> {
    const cookies = parse(req.headers.cookie ?? '');
    const suffix = `-${stateName(state)}`;
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
    const fields = [
      expiresAt,
      t.state,
      t.role,
      t.flow,
      t.redirectURI,
      t.returnTo,
      t.wall ? 1 : 0,
      t.portal,
      t.verifier,
      t.appState,
    ];
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
    const [expiresAt, state, role, flow, redirectURI, returnTo, wall, portal, verifier, appState] = fields;
    if (expiresAt * 1_000 < Date.now()) return undefined;
    return {
      state,
      role,
      flow,
      redirectURI,
      returnTo,
      wall: wall === 1,
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
  wall: 0 | 1,
  portal: string | null,
  verifier: string | null,
  appState: string | object | null,
];

const ONLY_OUR_ALGORITHMS = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };

/** 128 random bits, as the OAuth `state` (RFC 6749 §10.12). */
export function newState(): string {
  return randomBytes(16).toString('base64url');
}

/**
 * The page to go to after sign-in, if it is one of this application's: checked when it is stored and when it is used.
 * Anything that a browser could read as another origin, and the callback itself, becomes `/`.
 */
export function safeReturnTo(wanted: unknown, callbackPath: string): string {
  if (typeof wanted !== 'string' || wanted.length > MAX_RETURN_TO || !/^\/(?![/\\])[\x21-\x7e]*$/.test(wanted))
    return '/';
  if (/\\|%(?:5c|0[0-9a-f]|1[0-9a-f]|7f)/i.test(wanted) || /^\/%2f/i.test(wanted)) return '/';
  const url = new URL(wanted, 'http://same-origin.invalid');
  if (url.host !== 'same-origin.invalid' || url.pathname.startsWith('//') || url.pathname === callbackPath) return '/';
  return wanted;
}

/** What a browser finished of late, for one page. */
export interface Finished {
  /** How often it finished a sign-in for this very page, each within a minute of the one before. */
  readonly times: number;
  /** The callback led to another page, by the options of its route. */
  readonly ledElsewhere: boolean;
}

/** Remembers for a minute what this browser finished for a page: the loop guard looks for it. */
export function rememberFinished(res: ServerResponse, page: string, finished: Finished, secure: boolean): void {
  const value = `${stateName(page)}.${finished.times}${finished.ledElsewhere ? ELSEWHERE : ''}`;
  setCookie(res, finishedName(secure), value, secure, FINISHED_S);
}

export function readFinished(req: IncomingMessage, page: string, secure: boolean): Finished {
  const value = parse(req.headers.cookie ?? '')[finishedName(secure)] ?? '';
  const [name, times = ''] = value.split('.');
  if (name !== stateName(page)) return { times: 0, ledElsewhere: false };
  // Not a number: whatever the browser made of it.
  return { times: /^[1-9]\d{0,2}$/.test(times) ? Number(times) : 1, ledElsewhere: value.endsWith(ELSEWHERE) };
}

const ELSEWHERE = '.elsewhere';

/** After a sign-out, or a page that was reached, the same page may lead to Spark again. */
export function forgetFinished(res: ServerResponse, secure: boolean): void {
  clearCookie(res, finishedName(secure), secure);
}

function prefix(secure: boolean): string {
  return secure ? '__Host-spark-attempt.' : 'spark-attempt.';
}

function finishedName(secure: boolean): string {
  return secure ? '__Host-spark-finished' : 'spark-finished';
}

function stateName(state: string): string {
  return createHash('sha256').update(state).digest('base64url').slice(0, 16);
}

function cookieNames(req: IncomingMessage): string[] {
  return Object.keys(parse(req.headers.cookie ?? ''));
}

function setCookie(res: ServerResponse, name: string, value: string, secure: boolean, maxAge: number): void {
  res.appendHeader('Set-Cookie', serialize(name, value, { ...attributes(secure), maxAge }));
}

function clearCookie(res: ServerResponse, name: string, secure: boolean): void {
  res.appendHeader('Set-Cookie', serialize(name, '', { ...attributes(secure), expires: new Date(0) }));
}

function attributes(secure: boolean): { httpOnly: true; sameSite: 'lax'; secure: boolean; path: string } {
  return { httpOnly: true, sameSite: 'lax', secure, path: '/' };
}
