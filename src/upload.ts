import type { IncomingMessage } from 'node:http';
import { Transform, type TransformCallback } from 'node:stream';
import { RequestRefusedError } from './errors.js';

/** Bytes that all uploads of this process keep for a replay together, at the most. */
const PROCESS_LIMIT = 64 * 1024 * 1024;
let keptByProcess = 0;

/** Bytes that all uploads of this process keep right now. */
export function keptBytes(): number {
  return keptByProcess;
}

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
  private kept: Pieces | undefined = new Pieces();
  private whole = false;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly req: IncomingMessage,
    private readonly limit: number,
  ) {
    super();
    // The HTTP client destroys a body with the reason of its failure, which it tells the exchange as well; an `error`
    // event that nobody hears would end the process.
    this.on('error', () => undefined);
    req.pipe(this);
  }

  /**
   * Calls `stalled`, with what to answer, when nothing comes for so many milliseconds, although all that came has been
   * passed on. 0: never.
   */
  watch(ms: number, stalled: (reason: RequestRefusedError) => void): void {
    if (ms === 0) return;
    this.watchdog = setTimeout(() => {
      if (this.writableLength > 0) this.watchdog?.refresh();
      else stalled(requestTimeout());
    }, ms);
  }

  /** The whole body again, if it has passed and was kept. */
  replay(): Buffer | undefined {
    return this.whole ? this.kept?.together() : undefined;
  }

  /** Gives the kept bytes back: no replay will be wanted. */
  forget(): void {
    if (!this.kept) return;
    keptByProcess -= this.kept.size;
    this.kept = undefined;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.watchdog?.refresh();
    if (this.kept) this.keep(this.kept, chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.whole = true;
    clearTimeout(this.watchdog);
    done();
  }

  /** What the browser still sends is read and dropped, as Node does for a body that nobody reads: else it would never come to read the answer. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.watchdog);
    this.req.unpipe(this);
    this.req.resume();
    done(error);
  }

  private keep(kept: Pieces, chunk: Buffer): void {
    if (kept.size + chunk.length > this.limit || keptByProcess + chunk.length > PROCESS_LIMIT) {
      this.forget();
      return;
    }
    kept.add(chunk);
    keptByProcess += chunk.length;
  }
}

const MAX_PIECES = 256;

/** A body in pieces as they came. Many are put together, because a piece of one byte takes two hundred to keep. */
export class Pieces {
  /** In bytes. */
  size = 0;
  private list: Buffer[] = [];

  add(piece: Buffer): void {
    this.size += piece.length;
    this.list.push(piece);
    if (this.list.length > MAX_PIECES) this.list = [this.together()];
  }

  together(): Buffer {
    return Buffer.concat(this.list, this.size);
  }
}

function requestTimeout(): RequestRefusedError {
  return new RequestRefusedError('The rest of the request did not come in time.', {
    code: 'request_timeout',
    status: 408,
  });
}
