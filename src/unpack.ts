import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';

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
