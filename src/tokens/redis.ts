import { conceal } from '../conceal.js';
import { UnavailableError } from '../errors.js';
import { MAX_TIMER_MS, OptionCheck } from '../options.js';
import type { Role } from '../platform.js';
import { RecordCache } from './cache.js';
import type { Seen, TokenRecord } from './record.js';
import { CLAIM, COMMIT, CREATE, EXTEND, MARK_DEAD, ONCE, READ, REMOVE, type Script, SETTLE } from './redis-scripts.js';
import { type SealedTokens, TokenSeal } from './seal.js';
import {
  type ClaimAnswer,
  type CommitAnswer,
  DEFAULT_TTL_MS,
  MAX_BACKOFF_MS,
  type NewTokenRecord,
  type RenewedTokens,
  type Settlement,
  type TokenStore,
} from './store.js';

/** What is used of a Redis client; `Redis` and `Cluster` of ioredis 5 and 6 have it. */
export interface RedisClient {
  evalsha(sha1: string, numkeys: number, ...args: string[]): Promise<unknown>;
  eval(script: string, numkeys: number, ...args: string[]): Promise<unknown>;
}

export interface RedisTokenStoreOptions {
  /** Prefix of the keys. Default `spark:token:`. */
  readonly prefix?: string;
  /** How long a record is kept after its last use, in milliseconds. Keep it above the session's. Default 30 days. */
  readonly ttlMs?: number;
  /** How long one call may take before it counts as failed, in milliseconds. Default 5 000. */
  readonly timeoutMs?: number;
  /**
   * How long this process may serve a record that it has read, in milliseconds: from 0 (off) to 5 000, the default.
   * Another process may use a person's access token for that long after a sign-out.
   */
  readonly cacheMs?: number;
  /** How many records the process remembers for that time. Default 10 000. */
  readonly cacheSize?: number;
  /**
   * Encrypts tokens at rest (AES-256-GCM). Secrets of at least 32 characters; the first seals, all open, so a new one is
   * put in front, on every process first behind the old one. Default: tokens are stored as they are.
   */
  readonly encryptionKeys?: readonly string[];
  /** With `encryptionKeys`: also read records that were stored before there were keys. Default false. */
  readonly allowUnencrypted?: boolean;
}

/**
 * Tokens in Redis, shared by all processes. One hash per key (so one Cluster slot), each decision one Lua script on
 * Redis' own time. Rejects with `UnavailableError` (`store_unavailable`) while Redis is away; never with a command's
 * arguments, which are the tokens.
 */
export class RedisTokenStore implements TokenStore {
  private readonly prefix: string;
  private readonly ttlMs: string;
  private readonly timeoutMs: number;
  private readonly cache: RecordCache | undefined;
  private readonly seal: TokenSeal | undefined;
  private readonly allowUnencrypted: boolean;

  constructor(
    private readonly client: RedisClient,
    options: RedisTokenStoreOptions = {},
  ) {
    const check = new OptionCheck('RedisTokenStore');
    if (typeof client?.evalsha !== 'function') {
      check.problem('the first argument is no ioredis client; write new RedisTokenStore(new Redis(url)).');
    }
    check.object(options, "write { prefix: 'app:tokens:' }, or leave them out.");
    check.known(options, [
      'prefix',
      'ttlMs',
      'timeoutMs',
      'cacheMs',
      'cacheSize',
      'encryptionKeys',
      'allowUnencrypted',
    ]);
    this.ttlMs = String(check.whole('ttlMs', options.ttlMs, DEFAULT_TTL_MS, { min: 1_000 }));
    this.timeoutMs = check.whole('timeoutMs', options.timeoutMs, 5_000, { min: 1, max: MAX_TIMER_MS });
    const cacheMs = check.whole('cacheMs', options.cacheMs, 5_000, { min: 0, max: 5_000 });
    const cacheSize = check.whole('cacheSize', options.cacheSize, 10_000, { min: 1 });
    this.allowUnencrypted = check.flag('allowUnencrypted', options.allowUnencrypted, false);
    const { prefix = 'spark:token:', encryptionKeys: keys } = options;
    if (typeof prefix !== 'string') check.problem('"prefix" is no text; write one like \'app:tokens:\'.');
    if (
      keys !== undefined &&
      (!Array.isArray(keys) || keys.length === 0 || keys.some((key) => typeof key !== 'string' || key.length < 32))
    ) {
      check.problem(
        '"encryptionKeys" needs at least one secret of at least 32 characters; write [process.env.TOKEN_KEY].',
      );
    }
    check.done();
    this.prefix = prefix;
    this.cache = cacheMs > 0 ? new RecordCache(cacheSize, cacheMs) : undefined;
    this.seal = keys ? new TokenSeal(keys) : undefined;
    conceal(this, 'client', 'cache', 'seal');
  }

  async create(key: string, record: NewTokenRecord): Promise<boolean> {
    const fields = definedFields({
      ...(await this.tokenFields(key, { ...record, generation: 0 })),
      lt: record.lifetimeMs,
      c: record.commitId,
      c0: record.commitId,
      ci: record.clientID,
      ro: record.role,
      po: record.portal,
      ru: record.redirectURI,
      gr: record.grant,
      sc: record.scope,
      pa: record.params && String(new URLSearchParams(record.params)),
      pm: record.permanent ? '1' : undefined,
      km: record.keepMs === undefined ? undefined : Math.ceil(record.keepMs),
    });
    return isOne(await this.write(CREATE, key, [this.ttlMs, record.commitId, ...fields]));
  }

  async read(key: string): Promise<TokenRecord | undefined> {
    const cached = this.cache?.get(key);
    if (cached) return cached;
    const fill = this.cache?.begin(key);
    let record: TokenRecord | undefined;
    try {
      const answer = await this.run(READ, key, [this.ttlMs]);
      record = Array.isArray(answer) ? await this.recordFrom(key, answer) : undefined;
    } finally {
      if (fill) this.cache?.end(fill, record);
    }
    return record;
  }

  async claim(key: string, seen: Seen, attemptId: string, leaseMs: number): Promise<ClaimAnswer> {
    // A claim finds out what others did: what is cached may be what made the caller ask.
    const [kind, detail, record] = answerOf(
      await this.write(CLAIM, key, [seen.commitId, attemptId, String(leaseMs), String(MAX_BACKOFF_MS)]),
    );
    switch (kind) {
      case 'granted':
        return { kind, record: await this.recordFrom(key, record), outcomeUnknown: detail === '1' };
      case 'fresh':
        return { kind, record: await this.recordFrom(key, record) };
      case 'backoff':
        return { kind, ms: Number(detail) };
      case 'held':
      case 'dead':
      case 'gone':
        return { kind };
      default:
        throw unexpected(kind);
    }
  }

  async extend(key: string, attemptId: string, leaseMs: number): Promise<boolean> {
    return isOne(await this.run(EXTEND, key, [attemptId, String(leaseMs)]));
  }

  async commit(
    key: string,
    generation: number,
    _attemptId: string,
    commitId: string,
    renewed: RenewedTokens,
  ): Promise<CommitAnswer> {
    const fields = definedFields({
      ...(await this.tokenFields(key, { ...renewed, generation: generation + 1 })),
      lt: renewed.lifetimeMs,
      ar: renewed.afterRefusal ? '1' : undefined,
      c0: renewed.rootId,
    });
    const args = [String(generation), commitId, this.ttlMs, renewed.ofRootId ?? '', ...fields];
    const [kind, , record] = answerOf(await this.write(COMMIT, key, args));
    if (kind === 'gone') return { kind };
    if (kind === 'committed' || kind === 'stale') return { kind, record: await this.recordFrom(key, record) };
    throw unexpected(kind);
  }

  async settle(key: string, attemptId: string, outcome: Settlement, backoffMs = 0): Promise<void> {
    await this.run(SETTLE, key, [attemptId, outcome, String(Math.ceil(backoffMs))]);
  }

  async markDead(key: string, seen: Seen): Promise<boolean> {
    return isOne(await this.write(MARK_DEAD, key, [seen.commitId]));
  }

  async remove(key: string): Promise<TokenRecord | undefined> {
    const answer = await this.write(REMOVE, key, []);
    if (!Array.isArray(answer)) return undefined;
    return await this.recordFrom(key, answer).catch(() => undefined); // gone, though nobody can read what it was
  }

  async once(name: string, callId: string, ttlMs: number): Promise<boolean> {
    return isOne(await this.run(ONCE, `once:${name}`, [callId, String(Math.ceil(ttlMs))]));
  }

  /**
   * Runs a script that may change the record: what was cached of it, or is being read, no longer counts afterwards. Also
   * when it fails: Redis may have run it all the same.
   */
  private async write(script: Script, key: string, args: string[]): Promise<unknown> {
    try {
      return await this.run(script, key, args);
    } finally {
      this.cache?.overtake(key);
    }
  }

  private async tokenFields(key: string, tokens: SealedTokens): Promise<Record<string, string | undefined>> {
    if (this.seal) return { bl: await this.seal.seal(key, tokens) };
    return { at: tokens.accessToken, rt: tokens.refreshToken };
  }

  private async recordFrom(key: string, answer: readonly unknown[]): Promise<TokenRecord> {
    const fields = fieldsOf(answer);
    const blob = fields.get('bl');
    const generation = Number(required(fields, 'g'));
    if (this.seal && blob === undefined && !this.allowUnencrypted) throw unexpected('a record that is not encrypted');
    if (!this.seal && blob !== undefined) throw unexpected('an encrypted record, without encryptionKeys to open it');
    if (!this.seal || blob === undefined) {
      return recordOf(answer, fields, {
        accessToken: required(fields, 'at'),
        refreshToken: fields.get('rt'),
        generation,
      });
    }
    const tokens = await this.seal.open(key, blob).catch((error: unknown) => {
      throw unexpected(`a record that can not be decrypted (${error instanceof Error ? error.message : 'unknown'})`);
    });
    if (tokens.generation !== generation) throw unexpected('the tokens of another generation');
    return recordOf(answer, fields, tokens);
  }

  private async run(script: Script, key: string, args: string[]): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${this.timeoutMs} ms`)), this.timeoutMs);
    });
    try {
      return await Promise.race([this.evaluate(script, this.prefix + key, args), late]);
    } catch (cause) {
      throw new UnavailableError('The token store did not answer.', { code: 'store_unavailable', cause });
    } finally {
      clearTimeout(timer);
    }
  }

  private async evaluate(script: Script, key: string, args: string[]): Promise<unknown> {
    try {
      return await this.client.evalsha(script.sha1, 1, key, ...args);
    } catch (error) {
      // Redis forgets scripts at a restart and a failover.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await this.client.eval(script.text, 1, key, ...args);
    }
  }
}

/** ioredis answers numbers as texts where its option `stringNumbers` says so. */
function isOne(answer: unknown): boolean {
  return Number(answer) === 1;
}

function definedFields(fields: Record<string, string | number | undefined>): string[] {
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}

function answerOf(answer: unknown): [kind: unknown, detail: unknown, record: unknown[]] {
  if (!Array.isArray(answer)) throw unexpected(answer);
  const record: unknown = answer[2];
  return [answer[0], answer[1], Array.isArray(record) ? record : []];
}

function fieldsOf(answer: readonly unknown[]): ReadonlyMap<string, string> {
  const flat = answer[1];
  if (!Array.isArray(flat)) throw unexpected(typeof flat);
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), String(flat[i + 1]));
  return fields;
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw unexpected(`a record without "${name}"`);
  return value;
}

function recordOf(answer: readonly unknown[], fields: ReadonlyMap<string, string>, tokens: SealedTokens): TokenRecord {
  const lifetime = fields.get('lt');
  const lifetimeMs = lifetime === undefined ? undefined : Number(lifetime);
  const ageMs = Math.max(0, Number(answer[0]) - Number(required(fields, 'sa')));
  return {
    ...tokens,
    lifetimeMs,
    leftMs: lifetimeMs === undefined ? undefined : lifetimeMs - ageMs,
    ageMs,
    commitId: required(fields, 'c'),
    rootId: required(fields, 'c0'),
    state: fields.get('s') === 'dead' ? 'dead' : 'live',
    afterRefusal: fields.get('ar') === '1',
    clientID: required(fields, 'ci'),
    role: fields.get('ro') as Role | undefined, // written by `create` alone
    portal: fields.get('po'),
    redirectURI: fields.get('ru'),
    grant: fields.get('gr'),
    scope: fields.get('sc'),
    params: paramsFrom(fields.get('pa')),
  };
}

function paramsFrom(form: string | undefined): Record<string, string> | undefined {
  return form === undefined ? undefined : Object.fromEntries(new URLSearchParams(form));
}

function unexpected(what: unknown): UnavailableError {
  const cause = new Error(`unexpected answer: ${typeof what === 'string' ? what : typeof what}`);
  return new UnavailableError('The token store holds something that is no token record.', {
    code: 'store_corrupt',
    cause,
  });
}
