import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { randomKey } from './random.js';

/** Signed OpenID 2.0 assertions, and their direct verification (OpenID Authentication 2.0, §10.1, §11.4.2). */
export interface AssertionBook {
  /** Adds `assoc_handle`, `response_nonce`, `signed` and `sig` to the fields (names without `openid.`). */
  sign(fields: ReadonlyMap<string, string>, now: number): ReadonlyMap<string, string>;
  /** True once per assertion, and only when nothing of what was signed has changed. */
  verify(fields: ReadonlyMap<string, string>): boolean;
}

/**
 * Creates an empty book. Every assertion has its own private association, as with a relying party that never
 * associated (§11.4.2.1): only the emulator can check the signature.
 */
export function createAssertionBook(): AssertionBook {
  const secrets = new Map<string, Buffer>();
  const openNonces = new Set<string>();

  return {
    sign(fields, now) {
      const secret = randomBytes(20);
      const handle = newHandle(now);
      const nonce = `${new Date(now).toISOString().slice(0, 19)}Z${randomKey(6)}`;
      secrets.set(handle, secret);
      openNonces.add(nonce);

      const complete = new Map(fields).set('assoc_handle', handle).set('response_nonce', nonce);
      const signed = [...complete.keys(), 'signed'].sort().join(',');
      complete.set('signed', signed);
      return complete.set('sig', signature(complete, signed, secret).toString('base64'));
    },

    verify(fields) {
      const secret = secrets.get(fields.get('assoc_handle') ?? '');
      const signed = fields.get('signed');
      const nonce = fields.get('response_nonce') ?? '';
      if (secret === undefined || signed === undefined) return false;
      // The question itself travels as mode=check_authentication; what was signed said id_res (§11.4.2.1).
      const asserted = new Map(fields).set('mode', 'id_res');
      const expected = signature(asserted, signed, secret);
      const given = Buffer.from(fields.get('sig') ?? '', 'base64');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
      return openNonces.delete(nonce);
    },
  };
}

function newHandle(now: number): string {
  const seconds = Math.floor(now / 1_000).toString(16);
  return `{HMAC-SHA1}{${seconds}}{${randomBytes(6).toString('base64')}}`;
}

/** HMAC-SHA1 over the key-value form of the signed fields, in the order of the list (§4.1.1, §6.1). */
function signature(fields: ReadonlyMap<string, string>, signed: string, secret: Buffer): Buffer {
  const keyValueForm = signed
    .split(',')
    .map((name) => `${name}:${fields.get(name) ?? ''}\n`)
    .join('');
  return createHmac('sha1', secret).update(keyValueForm).digest();
}
