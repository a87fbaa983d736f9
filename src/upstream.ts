import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { Client, type Dispatcher, Pool } from 'undici';
import { UpstreamError } from './errors.js';
import { headerValue, type Mount, responseHeadersDown } from './headers.js';
import type { UpstreamProfile } from './platform.js';
import type { Sent } from './tokens/service.js';
import { Upload } from './upload.js';

/** Time limits of one exchange with the API, in milliseconds. 0 switches one off. */
export interface Timeouts {
  /** Until the connection stands. Default 10 000. */
  readonly connectMs: number;
  /** From the request sent to the answer's headers. Default 60 000. */
  readonly headersMs: number;
  /** Between two pieces of the answer's body. Default 60 000. */
  readonly idleMs: number;
  /** For the whole exchange. Default 0: off. */
  readonly totalMs: number;
}

/** The API at the other end: one origin, and the connections kept open to it. */
export class Upstream {
  private readonly pool: Pool;

  constructor(
    readonly origin: string,
    connections: number,
    readonly timeouts: Timeouts,
  ) {
    this.pool = new Pool(origin, {
      connections,
      pipelining: 1,
      connect: { timeout: timeouts.connectMs },
      headersTimeout: timeouts.headersMs,
      bodyTimeout: timeouts.idleMs,
      factory: (address, options: Client.Options) => new Connection(address, options),
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    this.pool.dispatch(options, exchange);
  }

  /** Closes the connections; exchanges under way end first. */
  async close(): Promise<void> {
    await this.pool.close();
  }
}

/** One connection. Knows whether it has served before: only then can a reset mean that its end had been near anyway. */
class Connection extends Client {
  served = false;

  constructor(origin: string | URL, options: Client.Options) {
    super(origin, options);
    this.on('connect', () => {
      this.served = false;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof Exchange) handler.connection = this;
    return super.dispatch(options, handler);
  }
}

/** What goes up, apart from the token. */
export interface Outgoing {
  readonly method: string;
  readonly path: string;
  /** Raw header list, with the access token's header still missing. */
  readonly headers: readonly string[];
  /** A body that was read already, one to stream, or none. */
  readonly body: Buffer | Upload | null;
}

/** Enough to find an error code in; the API's 401 bodies are a few hundred bytes. */
const MAX_401_BYTES = 64 * 1024;
const RESENDABLE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The browser left: nothing to answer, nobody to tell. */
export class ClientGone extends Error {}

/**
 * One request of the browser and its answer. Streams the answer as it comes; only a 401 is held back until it is known
 * whether it says that the token has expired.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  connection: Connection | undefined;

  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private rawHeaders: readonly (string | Buffer)[] = [];
  /** The body of a 401 so far, while it is held back. */
  private held: Buffer[] | undefined;
  private heldBytes = 0;
  private reused = false;
  private resent = false;
  private gone = false;
  private timedOut = false;
  private headers: string[] = [];
  private replayBody: Buffer | undefined;
  private settle: { resolve(sent: Sent<void>): void; reject(error: unknown): void } | undefined;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly outgoing: Outgoing,
    private readonly upstream: Upstream,
    private readonly profile: UpstreamProfile,
    private readonly mount: Mount,
  ) {
    res.on('drain', () => this.controller?.resume());
    res.on('close', () => this.clientClosed());
  }

  /** Sends the request with this access token. Resolves when the answer has gone down, or is a 401 that is held back. */
  async send(accessToken: string): Promise<Sent<void>> {
    if (this.gone) throw new ClientGone();
    this.held = undefined;
    this.headers = [...this.outgoing.headers, 'Authorization', `${this.profile.scheme} ${accessToken}`];
    const total = this.startTotalTimer();
    try {
      return await new Promise<Sent<void>>((resolve, reject) => {
        this.settle = { resolve, reject };
        this.dispatch();
      });
    } finally {
      clearTimeout(total);
    }
  }

  /** Hands a 401 down that was held back and stands. */
  passOn(): void {
    if (this.held === undefined) return;
    this.writeHead();
    this.res.end(this.req.method === 'HEAD' ? undefined : Buffer.concat(this.held));
    this.held = undefined;
  }

  /** Frees what was kept for a replay, however the exchange ended. */
  release(): void {
    if (this.outgoing.body instanceof Upload) this.outgoing.body.forget();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    this.reused = this.connection?.served ?? false;
    if (this.gone) controller.abort(new ClientGone());
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return; // 103 and its like are for this hop
    this.status = status;
    this.rawHeaders = (controller.rawHeaders as readonly (string | Buffer)[] | undefined) ?? [];
    if (status === 401) {
      this.held = [];
      this.heldBytes = 0;
      return;
    }
    this.release();
    this.writeHead();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.held) this.hold(chunk);
    else if (!this.res.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.connection) this.connection.served = true;
    if (this.held === undefined) {
      this.res.end();
      this.settle?.resolve(DONE);
      return;
    }
    const expired = this.profile.isExpired(headerValue(this.rawHeaders, 'www-authenticate'), this.heldText());
    this.replayBody = this.outgoing.body instanceof Upload ? this.outgoing.body.replay() : undefined;
    const { body } = this.outgoing;
    this.settle?.resolve({
      value: undefined,
      expired,
      replayable: !(body instanceof Upload) || this.replayBody !== undefined,
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.gone) {
      this.settle?.reject(new ClientGone());
    } else if (this.res.headersSent) {
      // What came so far must not look whole: the connection is reset instead of ended.
      this.res.destroy();
      this.settle?.resolve(DONE);
    } else if (this.canResend()) {
      this.resent = true;
      this.dispatch();
    } else {
      this.settle?.reject(this.upstreamError(error));
    }
  }

  private dispatch(): void {
    const { method, path, body } = this.outgoing;
    try {
      this.upstream.dispatch(
        { method: method as Dispatcher.HttpMethod, path, headers: this.headers, body: this.replayBody ?? body },
        this,
      );
    } catch (error) {
      this.settle?.reject(this.upstreamError(error));
    }
  }

  /**
   * A kept connection may close just when a request goes out on it: that request was never looked at, most probably.
   * Only methods without effects are sent again, once (RFC 9110 §9.2.2).
   */
  private canResend(): boolean {
    return (
      this.reused &&
      !this.resent &&
      !this.timedOut &&
      this.outgoing.body === null &&
      RESENDABLE.has(this.outgoing.method)
    );
  }

  private upstreamError(error: unknown): UpstreamError {
    const code = (error as { code?: unknown }).code;
    const late =
      this.timedOut ||
      code === 'UND_ERR_HEADERS_TIMEOUT' ||
      code === 'UND_ERR_CONNECT_TIMEOUT' ||
      code === 'UND_ERR_BODY_TIMEOUT';
    return late
      ? new UpstreamError('The API did not answer in time.', { code: 'upstream_timeout', status: 504, cause: error })
      : new UpstreamError('The API could not be reached, or broke off.', {
          code: 'upstream_failed',
          status: 502,
          cause: error,
        });
  }

  private startTotalTimer(): NodeJS.Timeout | undefined {
    const { totalMs } = this.upstream.timeouts;
    if (totalMs === 0) return undefined;
    return setTimeout(() => {
      this.timedOut = true;
      this.controller?.abort(new Error('total time limit'));
    }, totalMs);
  }

  private writeHead(): void {
    this.res.writeHead(this.status, responseHeadersDown(this.rawHeaders, this.mount));
  }

  private hold(chunk: Buffer): void {
    this.held?.push(chunk);
    this.heldBytes += chunk.length;
    if (this.heldBytes <= MAX_401_BYTES || !this.held) return;
    // No error of the API is this long: let it through.
    const held = this.held;
    this.held = undefined;
    this.writeHead();
    for (const part of held) this.res.write(part);
  }

  private heldText(): string {
    const raw = Buffer.concat(this.held ?? []);
    const limit = { maxOutputLength: MAX_401_BYTES };
    try {
      switch (headerValue(this.rawHeaders, 'content-encoding').trim().toLowerCase()) {
        case 'gzip':
        case 'x-gzip':
          return gunzipSync(raw, limit).toString('utf8');
        case 'deflate':
          return inflateSync(raw, limit).toString('utf8');
        case 'br':
          return brotliDecompressSync(raw, limit).toString('utf8');
        default:
          return raw.toString('utf8');
      }
    } catch {
      return ''; // not what it says it is, or a bomb: no code to find in it
    }
  }

  /** The browser left. That ends this exchange, and nothing else: a renewal goes on for whoever comes next. */
  private clientClosed(): void {
    if (this.res.writableFinished) return;
    this.gone = true;
    this.release();
    this.controller?.abort(new ClientGone());
  }
}

const DONE: Sent<void> = { value: undefined, expired: false, replayable: false };
