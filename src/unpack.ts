import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';

/** What {@link unpackedText} can read. */
const READABLE = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'identity']);

/**
 * Of the codings that a client accepts (RFC 9110 §12.5.3) those that can be read here: a refusal that can't be read does not
 * say that the token has expired. Browsers also accept zstd, which Node 20 has not.
 */
export function readableCodings(accepted: string): string {
  const kept = accepted.split(',').filter((one) => READABLE.has((one.split(';', 1)[0] ?? '').trim().toLowerCase()));
  return kept.join(',').trim() || 'identity';
}

/** The text of a small body; empty when it is not what `encoding` says it is, or a bomb of more than `maxBytes`. */
export function unpackedText(body: Buffer, encoding: string, maxBytes: number): string {
  const limit = { maxOutputLength: maxBytes };
  try {
    switch (encoding.trim().toLowerCase()) {
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(body, limit).toString('utf8');
      case 'deflate':
        return inflateSync(body, limit).toString('utf8');
      case 'br':
        return brotliDecompressSync(body, limit).toString('utf8');
      default:
        return body.toString('utf8');
    }
  } catch {
    return '';
  }
}
