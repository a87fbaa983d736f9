import { createHash } from 'node:crypto';

/*
 * Each decision of the token store as one Lua script, on Redis' own time. All times are in milliseconds. A record is one
 * hash, with short names because there is one for everybody who is signed in:
 *
 *   g   generation                            at  access token: without encryption
 *   c   commit id: names this generation      rt  refresh token: without encryption
 *   c0  root id
 *   s   state: live or dead                   bl  both and g, sealed: with encryption
 *   sa  when these tokens were stored         lt  lifetime of the access token; absent: it never expires
 *   ar  1: the API refused the one before     pm  1: kept without a time limit
 *                                             km  kept for so long after its last use, where the TTL is shorter
 *
 *   ci  client id                             ca  the claim: attempt id of its holder
 *   ro  role                                  cl  when its lease runs out
 *   po  portal                                ou  1: an earlier outcome is unknown
 *   ru  redirect URI                          bo  until when nobody may try again
 *   gr  grant
 *   sc  scope
 *   pa  parameters of a renewal, form-encoded
 */

/** A Lua script, and the name by which Redis remembers it (`EVALSHA`). */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

/**
 * Each script has `key` and `now` (milliseconds, Redis' clock), `record()`, which answers both as the store reads them, and
 * `used(ttl)`, from which the record lives on; it answers what kept that from being written.
 */
function script(body: string): Script {
  const text = `local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function get(field) return redis.call('HGET', key, field) end
local function record() return {string.format('%d', now), redis.call('HGETALL', key)} end
local function used(ttl)
  if get('pm') then return redis.pcall('PERSIST', key) end
  return redis.pcall('PEXPIRE', key, string.format('%d', math.max(tonumber(ttl), tonumber(get('km') or '0'))))
end
${body}`;
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

/** ARGV: TTL, commit id, then the fields of the new record. 1: this record is the stored one. */
export const CREATE = script(`
if redis.call('EXISTS', key) == 1 then
  if get('c') == ARGV[2] then return 1 end
  return 0
end
redis.call('HSET', key, 'g', 0, 's', 'live', 'sa', string.format('%d', now), unpack(ARGV, 3))
used(ARGV[1])
return 1`);

/**
 * ARGV: TTL. Also where Redis takes no writes, for want of replicas or of room on its disk: a record loses some of its time,
 * and nobody a token that lives. A replica refuses, because what it says may be long over.
 */
export const READ = script(`
if redis.call('EXISTS', key) == 0 then return false end
local failed = used(ARGV[1])
if type(failed) == 'table' and failed.err and not (failed.err:find('NOREPLICAS') or failed.err:find('MISCONF')) then
  return failed
end
return record()`);

/**
 * ARGV: commit id that was seen, attempt id, lease, longest back-off. What has far more time left than anybody is given was
 * written by a clock that ran ahead, like that of a master before a failover: it is over. Not a lease that is a little too
 * long, after a clock was set back a little: its holder may be at it.
 */
export const CLAIM = script(`
if redis.call('EXISTS', key) == 0 then return {'gone'} end
if get('c') ~= ARGV[1] then return {'fresh', '', record()} end
if get('s') == 'dead' then return {'dead'} end
local holder = get('ca')
if holder and holder ~= ARGV[2] then
  local left = tonumber(get('cl')) - now
  if left > 0 and left <= 2 * tonumber(ARGV[3]) then return {'held'} end
  redis.call('HSET', key, 'ou', '1')
  redis.call('HDEL', key, 'ca', 'cl')
  holder = false
end
local backoff = tonumber(get('bo') or '0') - now
if not holder and backoff > 0 and backoff <= tonumber(ARGV[4]) then return {'backoff', string.format('%d', backoff)} end
redis.call('HSET', key, 'ca', ARGV[2], 'cl', string.format('%d', now + ARGV[3]))
return {'granted', get('ou') or '', record()}`);

/** ARGV: attempt id, lease. */
export const EXTEND = script(`
if get('ca') ~= ARGV[1] then return 0 end
redis.call('HSET', key, 'cl', string.format('%d', now + ARGV[2]))
return 1`);

/** ARGV: generation that was renewed, commit id, TTL, root id (blank: any), then the fields of the renewal. */
export const COMMIT = script(`
if redis.call('EXISTS', key) == 0 then return {'gone'} end
if get('c') == ARGV[2] then return {'committed', '', record()} end
if tonumber(get('g')) > tonumber(ARGV[1]) or (ARGV[4] ~= '' and get('c0') ~= ARGV[4]) then return {'stale', '', record()} end
redis.call('HDEL', key, 'at', 'rt', 'bl', 'lt', 'ar', 'ca', 'cl', 'ou', 'bo')
redis.call('HSET', key, 'g', string.format('%d', ARGV[1] + 1), 'c', ARGV[2], 's', 'live', 'sa', string.format('%d', now), unpack(ARGV, 5))
used(ARGV[3])
return {'committed', '', record()}`);

/** ARGV: attempt id, outcome, back-off. */
export const SETTLE = script(`
if get('ca') ~= ARGV[1] then return 0 end
redis.call('HDEL', key, 'ca', 'cl')
if ARGV[2] == 'unknown' then redis.call('HSET', key, 'ou', '1') end
redis.call('HSET', key, 'bo', string.format('%d', now + ARGV[3]))
return 1`);

/** ARGV: commit id that was seen. */
export const MARK_DEAD = script(`
if get('c') ~= ARGV[1] then return 0 end
redis.call('HSET', key, 's', 'dead')
return 1`);

/** On a key of its own, a string. ARGV: call id, TTL. */
export const ONCE = script(`
if redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', key) == ARGV[1] then return 1 end
return 0`);

export const REMOVE = script(`
if redis.call('EXISTS', key) == 0 then return false end
local removed = record()
redis.call('DEL', key)
return removed`);
