import { randomBytes, randomInt } from 'node:crypto';

const BASE36 = '0123456789abcdefghijklmnopqrstuvwxyz';

/**
 * A code or token in the shape that Spark's have: base-36 characters.
 *
 * @param length - how many characters; default 25, as in captured Spark messages
 */
export function randomKey(length = 25): string {
  return Array.from({ length }, () => BASE36.charAt(randomInt(BASE36.length))).join('');
}

/** 32 hexadecimal characters: OpenID session ids and `x-request-id`. */
export function randomHexId(): string {
  return randomBytes(16).toString('hex');
}
