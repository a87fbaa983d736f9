import type { IncomingMessage } from 'node:http';
import { Transform, type TransformCallback } from 'node:stream';

/** Bytes that all uploads of this process keep for a replay together, at the most. */
const PROCESS_LIMIT = 64 * 1024 * 1024;
let keptByProcess = 0;

/** Does this request announce a body (RFC 9112 §6)? */
export function announcesBody(req: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  return coding !== undefined || (length !== undefined && length !== '0');
}

/**
 * A body on its way up: streams at the pace of the slower side, and keeps what has passed for one replay as long as it
 * is small. Stands between the request and the HTTP client, which destroys a body that it gave up on: destroying the
 * request itself would cut the browser's connection before it gets an answer.
 */
export class Upload extends Transform {
  private kept: Buffer[] | undefined = [];
  private size = 0;
  private whole = false;

  constructor(
    req: IncomingMessage,
    private readonly limit: number,
  ) {
    super();
    req.pipe(this);
  }

  /** The whole body again, if it has passed and was kept. */
  replay(): Buffer | undefined {
    return this.whole && this.kept ? Buffer.concat(this.kept) : undefined;
  }

  /** Gives the kept bytes back: no replay will be wanted. */
  forget(): void {
    if (!this.kept) return;
    keptByProcess -= this.size;
    this.kept = undefined;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.kept) this.keep(chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.whole = true;
    done();
  }

  private keep(chunk: Buffer): void {
    if (this.size + chunk.length > this.limit || keptByProcess + chunk.length > PROCESS_LIMIT) {
      this.forget();
      return;
    }
    this.kept?.push(chunk);
    this.size += chunk.length;
    keptByProcess += chunk.length;
  }
}
