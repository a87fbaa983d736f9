import type { BinaryLike, KeyObject } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parse, serialize } from 'cookie';
import { sign, unsign } from 'cookie-signature';
import type { CookieOptions, SessionData, SessionOptions, Store } from 'express-session';
import { LRUCache } from 'lru-cache';
import { UnavailableError } from './errors.js';
import type { OptionCheck } from './options.js';

/**
 * A session that the lane has read, as express-session would have put it on the request. Requests that came together
 * share one.
 */
export type LaneSession = SessionData & { readonly id: string; touch(): unknown };

/** Longer than a store that works ever takes, and shorter than a browser waits. */
const STORE_MS = 5_000;
const MAX_VERIFIED = 10_000;

/**
 * The express lane: reads the session of a request without express-session, whose hashing, wrapping and saving the
 * proxy has no use for. What it answers, and what becomes of the session's time, is the same (express-session 1.19).
 *
 * `cookie.expires` is not judged here: connect-redis' `touch` extends the TTL alone, so that the stored date lies in the
 * past while the session lives. A store that goes by it does not give an expired session out.
 */
export class ExpressLane {
  private readonly name: string;
  private readonly secrets: readonly Secret[];
  readonly store: Store;
  private storeReady = true;
  /** Cookie values with a signature that was found good, and by which secret: working it out anew costs 20 µs. */
  private readonly verified = new LRUCache<string, { readonly id: string; readonly secret: Secret }>({
    max: MAX_VERIFIED,
  });
  /** Sessions to be read at the end of this turn of the event loop. */
  private readonly asked = new Map<string, Promise<LaneSession | undefined>>();
  /** Sessions that were touched, or stored: once for all requests that share one. */
  private readonly kept = new WeakSet<LaneSession>();

  constructor(
    private readonly options: SessionOptions & { readonly store: Store },
    private readonly failed: (error: Error, req: IncomingMessage) => void,
  ) {
    const { name, secret, store } = options;
    this.name = name || (options as { key?: string }).key || 'connect.sid'; // as express-session has it: '' is no name
    this.secrets = Array.isArray(secret) ? secret : [secret];
    this.store = store;
    store.on('disconnect', () => {
      this.storeReady = false;
    });
    store.on('connect', () => {
      this.storeReady = true;
    });
  }

  /**
   * The session that the request's cookie names; undefined when there is none.
   * @throws UnavailableError the store is away, or the cookie's path does not cover this address
   */
  async read(req: IncomingMessage): Promise<LaneSession | undefined> {
    const present = (req as { session?: LaneSession }).session;
    if (present) return present; // express-session stands before the proxy after all
    if (!this.storeReady) throw new UnavailableError('The session store is away.', { code: 'no_session' });
    this.checkPath(req);
    const id = this.sessionId(req.headers.cookie);
    return id === undefined ? undefined : await this.readTogether(id);
  }

  /**
   * A page sends many requests at once: those that come in one turn of the event loop share one read. It begins when
   * all of them have come, so that none is told what was true before.
   */
  private readTogether(id: string): Promise<LaneSession | undefined> {
    const present = this.asked.get(id);
    if (present) return present;
    const reading = nextTurn().then(async () => {
      this.asked.delete(id);
      const data = await this.get(id);
      return data ? this.revived(id, data) : undefined;
    });
    this.asked.set(id, reading);
    return reading;
  }

  /** What express-session does when the answer ends: touches the session. One that was changed is stored instead. */
  async keep(session: LaneSession, changed: boolean, req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (session === (req as { session?: unknown }).session) return; // express-session will
    if (!changed && this.kept.has(session)) return;
    this.kept.add(session);
    session.touch();
    if (changed) await this.save(session, req, res);
    else this.touch(session, req);
  }

  /** Stores a session, and tells the browser its new end, if it has one. */
  private async save(session: LaneSession, req: IncomingMessage, res: ServerResponse): Promise<void> {
    await withinTime((done) => this.store.set(session.id, session, done));
    // The declarations leave out `data`, which is what express-session serialises the cookie from.
    const { cookie } = session as unknown as { cookie: CookieOptions & { data: object } };
    if (cookie.expires == null || (cookie.secure && !isSecure(req, this.options.proxy))) return;
    const [secret] = this.secrets;
    if (secret !== undefined)
      res.appendHeader('Set-Cookie', serialize(this.name, `s:${sign(session.id, secret)}`, cookie.data));
  }

  /** express-session leaves a request without a session where the browser would not send the cookie. */
  private checkPath(req: IncomingMessage): void {
    const { cookie } = this.options;
    const path = (typeof cookie === 'function' ? cookie(req as Parameters<typeof cookie>[0]) : cookie)?.path || '/';
    if (path === '/') return;
    const [address = ''] = ((req as { originalUrl?: string }).originalUrl ?? req.url ?? '').split('?', 1);
    if (address.startsWith(path)) return;
    throw new UnavailableError(
      `The request has no session: the session cookie's path ${path} does not cover the proxy. Mount the proxy below it, or widen it.`,
      { code: 'no_session' },
    );
  }

  /** The id in the session cookie, if one of the secrets has signed it. */
  private sessionId(header: string | undefined): string | undefined {
    if (header === undefined || !header.includes(this.name)) return undefined;
    const value = parse(header)[this.name];
    // The cookie library of express-session takes quotes off, later ones leave them.
    const raw = value?.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    if (!raw?.startsWith('s:')) return undefined;
    return this.verifiedId(raw.slice(2));
  }

  private verifiedId(signed: string): string | undefined {
    const known = this.verified.get(signed);
    if (known && this.secrets.includes(known.secret)) return known.id; // the application may take a secret out of its list
    for (const secret of this.secrets) {
      const id = unsign(signed, secret);
      if (id === false) continue;
      if (id === '') return undefined;
      this.verified.set(signed, { id, secret });
      return id;
    }
    return undefined;
  }

  private async get(id: string): Promise<SessionData | null | undefined> {
    return await withinTime<SessionData | null | undefined>((done) =>
      this.store.get(id, (error: { code?: unknown } | null | undefined, data) => {
        if (error?.code === 'ENOENT')
          done(null, undefined); // what stores of files say of a session that is gone
        else done(error, data);
      }),
    );
  }

  /** With the methods that a store may use: its own `Session` and `Cookie`. */
  private revived(id: string, data: SessionData): LaneSession {
    // All that createSession reads of a request.
    const request = { sessionID: id, sessionStore: this.store } as unknown as Parameters<Store['createSession']>[0];
    try {
      return this.store.createSession(request, data) as LaneSession;
    } catch (cause) {
      throw new UnavailableError('The session store holds something that is no session.', {
        code: 'session_unreadable',
        cause,
      });
    }
  }

  /** Nothing waits for it. A failure costs the session some of its time, and this request nothing. */
  private touch(session: LaneSession, req: IncomingMessage): void {
    if (typeof this.store.touch !== 'function') return;
    const failed = (cause: unknown): void => {
      try {
        this.failed(storeAway(cause), req);
      } catch {} // an onError that throws: this request has its answer, and nobody waits for another
    };
    try {
      // A store may give a promise beside its callback: one that rejects and that nobody looks at ends the process.
      Promise.resolve(
        this.store.touch(session.id, session, (error?: unknown) => {
          if (error) failed(error);
        }),
      ).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

type Secret = BinaryLike | KeyObject;

/** express-session's own reading of `proxy` and Express' `trust proxy`. */
function isSecure(req: IncomingMessage, proxy: boolean | undefined): boolean {
  if ((req.socket as { encrypted?: boolean }).encrypted) return true;
  if (proxy === false) return false;
  if (proxy === undefined) return (req as { secure?: boolean }).secure === true;
  const [first = ''] = String(req.headers['x-forwarded-proto'] ?? '').split(',', 1);
  return first.trim().toLowerCase() === 'https';
}

/** Calls the store, whose callback some stores call twice. @throws UnavailableError */
async function withinTime<T>(call: (done: (error?: unknown, answer?: T) => void) => unknown): Promise<T | undefined> {
  return await new Promise<T | undefined>((resolve, reject) => {
    const timer = setTimeout(() => reject(storeAway(new Error(`no answer within ${STORE_MS} ms`))), STORE_MS);
    const done = (error?: unknown, answer?: T): void => {
      clearTimeout(timer);
      if (error) reject(storeAway(error));
      else resolve(answer);
    };
    try {
      // A promise that a store gives beside its callback must not be lost when it rejects.
      Promise.resolve(call(done)).catch(done);
    } catch (error) {
      done(error);
    }
  });
}

function storeAway(cause: unknown): UnavailableError {
  return new UnavailableError('The session store did not answer.', { code: 'session_store_unavailable', cause });
}

/** Checks the options of `session()`: what the lane could not honour is refused here. */
export function laneStore(check: OptionCheck, session: unknown): Store | undefined {
  if (typeof session !== 'object' || session === null) {
    check.problem('"session" is not an object; write the same object that session() gets.');
    return undefined;
  }
  const options = session as Partial<SessionOptions>;
  const { store, rolling, resave, saveUninitialized, genid } = options;
  if (typeof store?.get !== 'function' || typeof store.createSession !== 'function' || typeof store.on !== 'function')
    check.problem('"session.store" is missing or no store; write the store that session() uses, in an object of both.');
  checkSecret(check, options.secret);
  checkCookie(check, options.cookie);
  if (rolling) {
    check.problem('"session.rolling" needs express-session: leave it out, or leave "session" out of sparkProxy.');
  }
  if (resave !== false)
    check.problem(
      '"session.resave" is not false, and the lane saves nothing that has not changed; write resave: false.',
    );
  if (saveUninitialized !== false) {
    check.problem(
      '"session.saveUninitialized" is not false, and the lane makes no sessions; write saveUninitialized: false.',
    );
  }
  check.func('session.genid', genid, 'write a function, or leave it out.');
  return store;
}

function checkSecret(check: OptionCheck, secret: unknown): void {
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  const fit = (one: unknown): boolean =>
    (typeof one === 'string' && one !== '') || (typeof one === 'object' && one !== null);
  if (secrets.length === 0 || !secrets.every(fit))
    check.problem('"session.secret" is missing or blank; write the secret, or the list of secrets, of session().');
}

function checkCookie(check: OptionCheck, cookie: unknown): void {
  if (cookie === undefined || typeof cookie === 'function') return;
  const path: unknown = (cookie as { path?: unknown } | null)?.path;
  if (path !== undefined && (typeof path !== 'string' || !path.startsWith('/')))
    check.problem('"session.cookie.path" is no path; write one that covers the proxy, like \'/\'.');
}
