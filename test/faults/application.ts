import type { ChildProcess } from 'node:child_process';
import { Pool } from 'undici';
import { end, start } from './processes.js';
import type { FromWorker, Step, WorkerSettings } from './worker.js';

const READY_MS = 20_000;
/** The time within which every request has to be answered, whatever goes wrong. */
export const ANSWER_MS = 15_000;

/** One process of the application. */
export class Worker {
  /** Requests that were under way when the process was stopped or killed say nothing about the application. */
  disturbed = 0;
  /** Gets requests. */
  serving = true;

  private readonly lags: { readonly at: number; readonly ms: number }[] = [];

  private constructor(
    readonly url: string,
    readonly http: Pool,
    private readonly child: ChildProcess,
  ) {
    child.on('message', (message: FromWorker) => {
      if ('lagMs' in message) this.lags.push({ at: Date.now(), ms: message.lagMs });
    });
  }

  /** How late the process came to its work at worst since then, because others had the machine. */
  worstLagMs(since: number): number {
    return this.lags.reduce((worst, { at, ms }) => (at >= since ? Math.max(worst, ms) : worst), 0);
  }

  static async start(program: string, settings: WorkerSettings): Promise<Worker> {
    const child = start(process.execPath, [program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, WORKER: JSON.stringify(settings) },
    });
    const url = await heard(child, 'its address', READY_MS, (message) => ('url' in message ? message.url : undefined));
    const limits = { headersTimeout: 4 * ANSWER_MS, bodyTimeout: 4 * ANSWER_MS };
    return new Worker(url, new Pool(url, { connections: 256, ...limits }), child);
  }

  /** Resolves when a renewal of this process comes to the step; with `stop` none goes on from there. */
  async reaches(step: Step, { stop = false } = {}): Promise<void> {
    const reached = heard(this.child, step, 30_000, (message) => ('reached' in message ? message : undefined));
    this.child.send({ watch: step, stop });
    await reached;
  }

  /** `SIGSTOP`: the process gets no requests, and does not know that time goes on. */
  freeze(): void {
    this.serving = false;
    this.disturbed = Date.now();
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
    this.disturbed = Date.now();
    this.serving = true;
  }

  async kill(): Promise<void> {
    this.serving = false;
    this.disturbed = Date.now();
    await end(this.child);
    await this.http.destroy();
  }
}

async function heard<T>(
  child: ChildProcess,
  what: string,
  limitMs: number,
  pick: (message: FromWorker) => T | undefined,
): Promise<T> {
  return await new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      clearTimeout(late);
      child.off('message', listen);
      child.off('exit', ended);
      act();
    };
    const listen = (message: unknown): void => {
      const picked = pick(message as FromWorker); // the worker sends nothing else
      if (picked !== undefined) finish(() => resolve(picked));
    };
    const ended = (): void => finish(() => reject(new Error(`The worker ended before ${what}.`)));
    const late = setTimeout(() => finish(() => reject(new Error(`The worker did not come to ${what}.`))), limitMs);
    child.on('message', listen);
    child.once('exit', ended);
  });
}
