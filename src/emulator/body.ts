import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What is kept of a body. Longer ones are counted and hashed, so that a large upload needs no memory. */
const KEPT_BODY_BYTES = 1024 * 1024;

/** A request's body after the last byte. */
export interface ReceivedBody {
  /** `null` when it was longer than {@link KEPT_BODY_BYTES}. */
  readonly bytes: Buffer | null;
  readonly length: number;
  /** Hexadecimal SHA-256 of the whole body. */
  readonly sha256: string;
}

/**
 * Reads a body to its end.
 *
 * @param onChunk - is told the number of bytes so far
 * @throws the stream's error when the connection breaks before the end
 */
export async function readBody(req: IncomingMessage, onChunk?: (length: number) => void): Promise<ReceivedBody> {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    hash.update(chunk);
    if (length <= KEPT_BODY_BYTES) kept.push(chunk);
    onChunk?.(length);
  }
  const bytes = length <= KEPT_BODY_BYTES ? Buffer.concat(kept) : null;
  return { bytes, length, sha256: hash.digest('hex') };
}

/** The media type without its parameters, in lower case. */
function mediaType(req: IncomingMessage): string {
  return (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** A form body, or `null` when the request carries none. */
export function formFields(req: IncomingMessage, body: ReceivedBody): URLSearchParams | null {
  if (mediaType(req) !== 'application/x-www-form-urlencoded' || body.bytes === null) return null;
  return new URLSearchParams(body.bytes.toString('utf8'));
}

/** A JSON object, or `null` when the body is not one. */
export function jsonObject(req: IncomingMessage, body: ReceivedBody): Record<string, unknown> | null {
  if (mediaType(req) !== 'application/json' || body.bytes === null) return null;
  try {
    const value: unknown = JSON.parse(body.bytes.toString('utf8'));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** A JSON object, neither an array nor `null`. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
