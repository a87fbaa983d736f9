import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { breakOff, writeHead } from './answer.js';
import { UnavailableError, UpstreamError } from './errors.js';
import { headerValue, responseHeadersDown, type WayDown } from './headers.js';
import type { UpstreamProfile } from './platform.js';
import type { Sent } from './tokens/service.js';
import { unpackedText } from './unpack.js';
import { Pieces, Upload } from './upload.js';
import type { Connection, LabelledOptions, Passenger, Upstream } from './upstream.js';

/** What goes up, apart from the token. */
export interface Outgoing {
  readonly method: string;
  readonly path: string;
  /** Raw header list, with the access token's header still missing. */
  readonly headers: readonly string[];
  /** A body that was read already, one to stream, or none. */
  readonly body: Buffer | Upload | null;
}

/** Enough to find an error code in; the bodies of the API's refusals are a few hundred bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/** RFC 9110 §15.5.2. */
const EXPIRED_STATUSES: readonly number[] = [401];
/** No timer is so late where the event loop goes round. */
const ASLEEP_MS = 200;
const RESENDABLE = new Set(['GET', 'HEAD', 'OPTIONS']);
const RESETS = new Set<unknown>(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const TIMEOUTS = new Set<unknown>(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** Nobody waits for this answer any more: nothing to answer, nobody to tell. */
export class ClientGone extends Error {}

/**
 * One request of the browser and its answer. Streams the answer as it comes; only a refusal, of a status that may say
 * that the token has expired, is held back until it is known whether it does.
 */
export class Exchange implements Passenger {
  connection: Connection | undefined;
  /** From sending the request to the headers of the answer, of the last try. */
  upstreamMs: number | undefined;
  /** Our answer has begun to go down. */
  begun = false;

  private sentAt = 0;
  private controller: Dispatcher.DispatchController | undefined;
  private sent: LabelledOptions | undefined;
  private headers: string[] = [];
  private replayBody: Buffer | undefined;
  /** 0 until the answer's headers are there. */
  private status = 0;
  private rawHeaders: readonly (string | Buffer)[] = [];
  /** The body of a refusal so far, while it is held back. */
  private held: Pieces | undefined;
  private reused = false;
  private resent = false;
  /** Why this exchange goes no further. */
  private stopped: Error | undefined;
  private over = false;
  private settle: { resolve(sent: Sent<void>): void; reject(error: unknown): void } | undefined;
  /** For the whole exchange. */
  private readonly timer: NodeJS.Timeout | undefined;
  /** For the request to go out. */
  private departure: NodeJS.Timeout | undefined;
  /** For the client to take what it was sent. */
  private reader: NodeJS.Timeout | undefined;
  /** We asked to be told when the client has taken what it was sent. */
  private listening = false;
  private paused = false;
  /** Of a request that came while earlier ones of its connection were not answered. */
  private pipelinedOn: Socket | undefined;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly outgoing: Outgoing,
    private readonly upstream: Upstream,
    private readonly profile: UpstreamProfile,
    private readonly down: WayDown,
  ) {
    // The browser left. That ends this exchange, and nothing else: a renewal goes on for whoever comes next.
    res.on('close', this.left);
    if (!res.socket) this.watchSocket();
    const { totalMs, idleMs } = upstream.timeouts;
    const { body } = outgoing;
    // A client that stops amid its upload would keep a connection to the API from everybody else. Once the answer is on
    // its way, the limits of answers hold.
    if (body instanceof Upload) body.watch(idleMs, (stalled) => this.begun || this.stop(stalled));
    if (totalMs > 0) this.timer = setTimeout(() => this.stop(tooLate()), totalMs);
  }

  private readonly left = (): void => {
    if (!this.over) this.stop(new ClientGone()); // every answer closes: an error for each would cost more than the rest of this file
  };

  /**
   * The answers of pipelined requests (RFC 9112 §9.3.2) wait for those before them without a socket, and are not told that it
   * closed.
   */
  private watchSocket(): void {
    const { socket } = this.req;
    socket.setMaxListeners(0); // a client may send many at once
    socket.on('close', this.left);
    this.pipelinedOn = socket;
  }

  /** Sends the request with this access token. Resolves when the answer has gone down, or is a refusal that is held back. */
  async send(accessToken: string): Promise<Sent<void>> {
    if (this.stopped) throw this.stopped;
    this.headers = this.outgoing.headers.concat('Authorization', `${this.profile.scheme} ${accessToken}`);
    return await new Promise<Sent<void>>((resolve, reject) => {
      this.settle = { resolve, reject };
      this.dispatch();
    });
  }

  /** Hands a refusal down that was held back and stands. */
  passOn(): void {
    if (this.held === undefined || this.res.headersSent) return;
    if (this.stopped) throw this.stopped; // after the answer, while a renewal was waited for
    try {
      this.writeHead();
      this.res.end(this.req.method === 'HEAD' ? undefined : this.held.together());
    } catch (error) {
      this.giveUp(error);
      throw error;
    }
  }

  /** Frees what the exchange holds, however it ended. */
  release(): void {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.departure);
    clearTimeout(this.reader);
    this.paused = false;
    this.pipelinedOn?.off('close', this.left);
    this.dropUpload();
    this.letGo();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    clearTimeout(this.departure);
    this.reused = this.connection?.served ?? false;
    // Not by way of the controller, which would cut a connection that nothing was sent on.
    if (this.stopped) throw this.stopped;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return; // 103 and its like are for this hop
    if (this.res.headersSent) {
      this.stop(new ClientGone()); // somebody else answered, a time-out middleware for one
      return;
    }
    const { rawHeaders } = controller;
    if (!Array.isArray(rawHeaders)) throw new Error('The HTTP client gave no raw headers.');
    this.upstreamMs = performance.now() - this.sentAt;
    this.status = status;
    this.rawHeaders = rawHeaders;
    if ((this.profile.expiredStatuses ?? EXPIRED_STATUSES).includes(status)) {
      this.held = new Pieces();
      return;
    }
    if (this.outgoing.body instanceof Upload) this.outgoing.body.forget();
    try {
      this.writeHead();
      // A 304 may tell the length of what it stands for (RFC 9110 §8.6); the HTTP client then takes it for a broken answer.
      if (status === 304) this.complete();
    } catch (error) {
      this.giveUp(error);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    try {
      const down = this.held ? this.hold(this.held, chunk) : chunk;
      if (!down || this.res.write(down)) return;
    } catch (error) {
      this.giveUp(error);
      return;
    }
    controller.pause();
    this.awaitReader();
  }

  onResponseEnd(): void {
    this.upstream.over();
    if (this.connection) this.connection.served = true;
    if (this.over) return; // a 304 was complete with its head
    try {
      if (this.held) this.judge(this.held);
      else this.complete();
    } catch (error) {
      this.giveUp(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.upstream.over();
    if (this.over) return; // the answer is complete: a 304 with a length, which the HTTP client takes for a broken one
    if (this.canResend(error)) {
      this.resent = true;
      this.dispatch();
    } else {
      this.fail(upstreamError(error));
    }
  }

  /** A client that reads nothing would keep a connection to the API from everybody else, for as long as it likes. */
  private awaitReader(): void {
    const { idleMs } = this.upstream.timeouts;
    this.paused = true;
    if (idleMs > 0) this.reader = setTimeout(() => this.stop(new ClientGone()), idleMs);
    if (this.listening) return;
    this.listening = true;
    this.res.on('drain', () => this.goOn());
  }

  private goOn(): void {
    if (!this.paused) return; // the connection may serve somebody else by now
    this.paused = false;
    clearTimeout(this.reader);
    this.controller?.resume();
  }

  /** What does this refusal say of the token, and can the request be sent again? */
  private judge(held: Pieces): void {
    const encoding = headerValue(this.rawHeaders, 'content-encoding');
    const text = unpackedText(held.together(), encoding, MAX_REFUSAL_BYTES);
    const expired = this.profile.isExpired(headerValue(this.rawHeaders, 'www-authenticate'), text);
    const { body } = this.outgoing;
    this.replayBody = body instanceof Upload ? body.replay() : undefined;
    const replayable = !(body instanceof Upload) || this.replayBody !== undefined;
    this.settle?.resolve({ value: undefined, expired, replayable });
  }

  private complete(): void {
    this.res.end();
    this.over = true; // the answer is on its way: that it closes now is no client who left
    this.settle?.resolve(DONE);
  }

  /**
   * Ends the exchange because of what the application's functions threw: a hook, or what middleware has put in place of
   * the answer's methods. express-session's `end` calls the session store, for one. Thrown on, the HTTP client would
   * tell it as a failure of the API, of a request that may be over already.
   */
  private giveUp(error: unknown): void {
    this.stop(error instanceof Error ? error : new Error(String(error)));
  }

  private dispatch(): void {
    this.sentAt = performance.now();
    this.status = 0;
    this.held = undefined;
    this.controller = undefined;
    this.connection = undefined;
    const { method, path, body } = this.outgoing;
    this.sent = {
      method: method as Dispatcher.HttpMethod,
      path,
      headers: this.headers,
      body: this.replayBody ?? body,
      passenger: this,
    };
    this.upstream.dispatch(this.sent);
    if (!this.controller) this.limitDeparture();
  }

  /** No connection is free, or none stands yet: most requests go out at once, and need no timer. */
  private limitDeparture(again = false): void {
    const { connectMs } = this.upstream.timeouts;
    if (connectMs === 0) return;
    const due = performance.now() + connectMs;
    this.departure = setTimeout(() => {
      // This process was asleep itself, or busy, and has not looked yet at what came meanwhile: timers are before all.
      if (!again && performance.now() - due > ASLEEP_MS) this.limitDeparture(true);
      else this.stop(this.connection ? tooLate() : allBusy());
    }, connectMs);
  }

  private fail(reason: Error): void {
    // What came so far must not look whole: the connection is reset instead of ended. Unless the answer is somebody else's.
    if (this.begun) breakOff(this.req, this.res);
    this.settle?.reject(reason);
  }

  private stop(reason: Error): void {
    if (this.over || this.stopped) return;
    this.stopped = reason;
    this.fail(reason); // before the abort, which reports an error of its own
    if (this.controller) this.controller.abort(reason);
    else if (this.sent) this.upstream.withdraw(this.sent);
    this.dropUpload();
  }

  /**
   * V8 makes objects of which many have lived long straight in the old part of its heap. When they are dead they stay
   * there until the next full collection, and keep alive what they refer to. A quarter of a request's garbage outlived
   * the quick collections for that reason; without these references 7 %.
   */
  private letGo(): void {
    this.sent = undefined;
    this.settle = undefined;
    this.controller = undefined;
    this.connection = undefined;
    this.headers = [];
    this.rawHeaders = [];
    this.held = undefined;
    this.replayBody = undefined;
  }

  private dropUpload(): void {
    const { body } = this.outgoing;
    if (!(body instanceof Upload)) return;
    body.forget();
    body.destroy();
  }

  /**
   * A kept connection may close just when a request goes out on it: that request was never looked at, most probably.
   * Only methods without effects are sent again, once (RFC 9110 §9.2.2).
   */
  private canResend(error: Error): boolean {
    return (
      this.reused &&
      !this.resent &&
      !this.stopped &&
      this.status === 0 &&
      RESETS.has((error as { code?: unknown }).code) &&
      this.outgoing.body === null &&
      RESENDABLE.has(this.outgoing.method)
    );
  }

  private writeHead(): void {
    const down = responseHeadersDown(this.rawHeaders, this.down, this.status);
    writeHead(this.res, this.status, down);
    this.begun = true;
  }

  /** Keeps a piece of a refusal. Answers what must go down after all: no error of the API is that long. */
  private hold(held: Pieces, chunk: Buffer): Buffer | undefined {
    held.add(chunk);
    if (held.size <= MAX_REFUSAL_BYTES) return undefined;
    this.held = undefined;
    this.writeHead();
    return held.together();
  }
}

const DONE: Sent<void> = { value: undefined, expired: false, replayable: false };

function upstreamError(error: Error): UpstreamError {
  return TIMEOUTS.has((error as { code?: unknown }).code)
    ? tooLate(error)
    : new UpstreamError('The API could not be reached, or broke off.', {
        code: 'upstream_failed',
        status: 502,
        cause: error,
      });
}

function allBusy(): UnavailableError {
  return new UnavailableError('All connections to the API are busy.', { code: 'upstream_busy' });
}

function tooLate(cause?: Error): UpstreamError {
  return new UpstreamError('The API did not answer in time.', { code: 'upstream_timeout', status: 504, cause });
}
