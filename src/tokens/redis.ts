import { createHash } from 'node:crypto';
import { UnavailableError } from '../errors.js';
import { OptionCheck } from '../options.js';
import type { Role } from '../platform.js';
import type { Seen, TokenRecord } from './record.js';
import {
  type ClaimAnswer,
  type CommitAnswer,
  DEFAULT_TTL_MS,
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

  constructor(
    private readonly client: RedisClient,
    options: RedisTokenStoreOptions = {},
  ) {
    const check = new OptionCheck('RedisTokenStore');
    if (typeof client?.evalsha !== 'function') {
      check.problem('the first argument is no ioredis client; write new RedisTokenStore(new Redis(url)).');
    }
    check.known(options, ['prefix', 'ttlMs', 'timeoutMs']);
    this.ttlMs = String(check.number('ttlMs', options.ttlMs, DEFAULT_TTL_MS, { min: 1_000 }));
    this.timeoutMs = check.number('timeoutMs', options.timeoutMs, 5_000, { min: 1 });
    check.done();
    this.prefix = options.prefix ?? 'spark:token:';
  }

  async create(key: string, record: NewTokenRecord): Promise<boolean> {
    const fields = definedFields({
      at: record.accessToken,
      rt: record.refreshToken,
      lt: record.lifetimeMs,
      c: record.commitId,
      ci: record.clientID,
      ro: record.role,
      po: record.portal,
      ru: record.redirectURI,
      pm: record.permanent ? '1' : undefined,
    });
    return (await this.run(CREATE, key, [this.ttlMs, record.commitId, ...fields])) === 1;
  }

  async read(key: string): Promise<TokenRecord | undefined> {
    const answer = await this.run(READ, key, [this.ttlMs]);
    return Array.isArray(answer) ? recordFrom(answer) : undefined;
  }

  async claim(key: string, seen: Seen, attemptId: string, leaseMs: number): Promise<ClaimAnswer> {
    const [kind, detail, record] = answerOf(await this.run(CLAIM, key, [seen.commitId, attemptId, String(leaseMs)]));
    switch (kind) {
      case 'granted':
        return { kind, record: recordFrom(record), outcomeUnknown: detail === '1' };
      case 'fresh':
        return { kind, record: recordFrom(record) };
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
    return (await this.run(EXTEND, key, [attemptId, String(leaseMs)])) === 1;
  }

  async commit(
    key: string,
    generation: number,
    _attemptId: string,
    commitId: string,
    renewed: RenewedTokens,
  ): Promise<CommitAnswer> {
    const fields = definedFields({
      at: renewed.accessToken,
      rt: renewed.refreshToken,
      lt: renewed.lifetimeMs,
      ar: renewed.afterRefusal ? '1' : undefined,
    });
    const args = [String(generation), commitId, this.ttlMs, ...fields];
    const [kind, , record] = answerOf(await this.run(COMMIT, key, args));
    if (kind === 'gone') return { kind };
    if (kind === 'committed' || kind === 'stale') return { kind, record: recordFrom(record) };
    throw unexpected(kind);
  }

  async settle(key: string, attemptId: string, outcome: Settlement, backoffMs = 0): Promise<void> {
    await this.run(SETTLE, key, [attemptId, outcome, String(Math.ceil(backoffMs))]);
  }

  async markDead(key: string, seen: Seen): Promise<boolean> {
    return (await this.run(MARK_DEAD, key, [seen.commitId])) === 1;
  }

  async remove(key: string): Promise<void> {
    await this.run(REMOVE, key, []);
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

interface Script {
  readonly text: string;
  readonly sha1: string;
}

/** Each script has `key` and `now` (milliseconds, Redis' clock) and `record()`, which is what {@link recordFrom} reads. */
function script(body: string): Script {
  const text = `local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function get(field) return redis.call('HGET', key, field) end
local function record() return {string.format('%d', now), redis.call('HGETALL', key)} end
${body}`;
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

const CREATE = script(`
if redis.call('EXISTS', key) == 1 then
  if get('c') == ARGV[2] then return 1 end
  return 0
end
redis.call('HSET', key, 'g', 0, 's', 'live', 'sa', string.format('%d', now), unpack(ARGV, 3))
if not get('pm') then redis.call('PEXPIRE', key, ARGV[1]) end
return 1`);

const READ = script(`
if redis.call('EXISTS', key) == 0 then return false end
if not get('pm') then redis.call('PEXPIRE', key, ARGV[1]) end
return record()`);

const CLAIM = script(`
if redis.call('EXISTS', key) == 0 then return {'gone'} end
if get('c') ~= ARGV[1] then return {'fresh', '', record()} end
if get('s') == 'dead' then return {'dead'} end
local holder = get('ca')
if holder and holder ~= ARGV[2] then
  if tonumber(get('cl')) > now then return {'held'} end
  redis.call('HSET', key, 'ou', '1')
  redis.call('HDEL', key, 'ca', 'cl')
  holder = false
end
local backoff = tonumber(get('bo') or '0') - now
if not holder and backoff > 0 then return {'backoff', string.format('%d', backoff)} end
redis.call('HSET', key, 'ca', ARGV[2], 'cl', string.format('%d', now + ARGV[3]))
return {'granted', get('ou') or '', record()}`);

const EXTEND = script(`
if get('ca') ~= ARGV[1] then return 0 end
redis.call('HSET', key, 'cl', string.format('%d', now + ARGV[2]))
return 1`);

const COMMIT = script(`
if redis.call('EXISTS', key) == 0 then return {'gone'} end
if get('c') == ARGV[2] then return {'committed', '', record()} end
if tonumber(get('g')) > tonumber(ARGV[1]) then return {'stale', '', record()} end
redis.call('HDEL', key, 'rt', 'lt', 'ar', 'ca', 'cl', 'ou', 'bo')
redis.call('HSET', key, 'g', string.format('%d', ARGV[1] + 1), 'c', ARGV[2], 's', 'live', 'sa', string.format('%d', now), unpack(ARGV, 4))
if not get('pm') then redis.call('PEXPIRE', key, ARGV[3]) end
return {'committed', '', record()}`);

const SETTLE = script(`
if get('ca') ~= ARGV[1] then return 0 end
redis.call('HDEL', key, 'ca', 'cl')
if ARGV[2] == 'unknown' then redis.call('HSET', key, 'ou', '1') end
redis.call('HSET', key, 'bo', string.format('%d', now + ARGV[3]))
return 1`);

const MARK_DEAD = script(`
if get('c') ~= ARGV[1] then return 0 end
redis.call('HSET', key, 's', 'dead')
return 1`);

const REMOVE = script(`return redis.call('DEL', key)`);

function definedFields(fields: Record<string, string | number | undefined>): string[] {
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}

function answerOf(answer: unknown): [kind: unknown, detail: unknown, record: unknown[]] {
  if (!Array.isArray(answer)) throw unexpected(answer);
  const record: unknown = answer[2];
  return [answer[0], answer[1], Array.isArray(record) ? record : []];
}

function recordFrom(answer: readonly unknown[]): TokenRecord {
  const [now, flat] = answer;
  if (!Array.isArray(flat)) throw unexpected(typeof flat);
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), String(flat[i + 1]));
  const required = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw unexpected(`a record without "${name}"`);
    return value;
  };
  const lifetime = fields.get('lt');
  const lifetimeMs = lifetime === undefined ? undefined : Number(lifetime);
  const ageMs = Math.max(0, Number(now) - Number(required('sa')));
  return {
    accessToken: required('at'),
    refreshToken: fields.get('rt'),
    lifetimeMs,
    leftMs: lifetimeMs === undefined ? undefined : lifetimeMs - ageMs,
    ageMs,
    generation: Number(required('g')),
    commitId: required('c'),
    state: fields.get('s') === 'dead' ? 'dead' : 'live',
    afterRefusal: fields.get('ar') === '1',
    clientID: required('ci'),
    role: fields.get('ro') as Role | undefined, // written by `create` alone
    portal: fields.get('po'),
    redirectURI: fields.get('ru'),
  };
}

function unexpected(what: unknown): UnavailableError {
  const cause = new Error(`unexpected answer: ${typeof what === 'string' ? what : typeof what}`);
  return new UnavailableError('The token store holds something that is no token record.', {
    code: 'store_corrupt',
    cause,
  });
}
