import { Client, type Dispatcher, Pool } from 'undici';

/** Time limits of one exchange with the API, in milliseconds. 0 switches one off. */
export interface Timeouts {
  /** Until the request goes out: waiting for one of the connections, and opening it. Default 10 000. */
  readonly connectMs: number;
  /** From the request sent to the answer's headers. Default 60 000. */
  readonly headersMs: number;
  /** Between two pieces of a body that streams: for either side to send one, and for the client to take it. Default 60 000. */
  readonly idleMs: number;
  /** For the whole exchange. Default 0: off. */
  readonly totalMs: number;
}

/** The API at the other end: one origin, and the connections kept open to it. */
export class Upstream {
  private readonly pool: Pool;
  private underWay = 0;
  /**
   * Requests that wait for a connection, in the order they came. Not in the pool's own queue, which nobody can leave: who
   * has left would take a connection all the same, and until then be kept.
   */
  private readonly waiting = new Set<LabelledOptions>();

  constructor(
    readonly origin: string,
    private readonly connections: number,
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

  /** Sends a request as soon as a connection is free. Its passenger says when it is over, or withdraws it before. */
  dispatch(options: LabelledOptions): void {
    if (this.underWay >= this.connections) {
      this.waiting.add(options);
      return;
    }
    this.underWay += 1;
    this.pool.dispatch(options, options.passenger);
  }

  /** A request that was sent is over, however it ended. */
  over(): void {
    const next = this.waiting.values().next();
    if (next.done) {
      this.underWay -= 1;
      return;
    }
    this.waiting.delete(next.value);
    // Not at once: the HTTP client is in the middle of putting this connection away.
    queueMicrotask(() => this.pool.dispatch(next.value, next.value.passenger));
  }

  /** Takes a request that waits out of the line. */
  withdraw(options: LabelledOptions): void {
    this.waiting.delete(options);
  }
}

/** Handles one exchange, and is told over which connection it goes. */
export interface Passenger extends Dispatcher.DispatchHandler {
  connection: Connection | undefined;
}

/** The pool wraps the handler before a connection sees it, but hands the options on as they are. */
export interface LabelledOptions extends Dispatcher.DispatchOptions {
  readonly passenger: Passenger;
}

/** One connection. Knows whether it has served before: only then can a reset mean that its end had been near anyway. */
export class Connection extends Client {
  served = false;

  constructor(origin: string | URL, options: Client.Options) {
    super(origin, options);
    this.on('connect', () => {
      this.served = false;
    });
  }

  override dispatch(options: LabelledOptions, handler: Dispatcher.DispatchHandler): boolean {
    options.passenger.connection = this;
    const free = super.dispatch(options, handler);
    // What the HTTP client refuses for its characters makes no connection busy, though it answers as if: the pool would
    // wait for ever to hear that this one is free again.
    return free || this.stats.size === 0;
  }
}
