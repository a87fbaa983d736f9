import type { ChildProcess } from 'node:child_process';
import { Pool } from 'undici';
import { answerSpark } from '../../test/support/visitor.js';
import { startCandidate } from '../processes.js';
import type { Setting } from '../setting.js';
import { type Candidate, PATHS, PROCESSES, REQUESTS } from './setting.js';

const CONNECTIONS = Math.ceil(REQUESTS / PROCESSES);

/** The processes of one candidate, and connections to each. */
export class Fleet {
  private constructor(
    private readonly children: readonly ChildProcess[],
    private readonly urls: readonly string[],
    private readonly pools: readonly Pool[],
  ) {}

  static async start(candidate: Candidate, setting: Setting): Promise<Fleet> {
    const started = await Promise.all(Array.from({ length: PROCESSES }, () => startCandidate(candidate, setting)));
    const urls = started.map(({ listening }) => listening.url);
    const pools = urls.map((url) => new Pool(url, { connections: CONNECTIONS }));
    const children = started.map(({ child }) => child);
    return new Fleet(children, urls, pools);
  }

  /** Signs a person in at the first process. Answers the session's cookie, which is good for all. */
  async signIn(username: string): Promise<string> {
    const away = await this.page(PATHS.signIn, '');
    const { pathname, search } = new URL(await answerSpark(away.location, { username }), this.urls[0]);
    const back = await this.page(pathname + search, away.cookies.join('; '));
    const session = back.cookies.find((cookie) => cookie.startsWith('connect.sid='));
    if (back.status !== 302 || session === undefined) throw new Error(`The callback answered ${back.status}.`);
    return session;
  }

  /** Opens all connections, so that the requests of a storm arrive together. Servers close them after some seconds. */
  async getReady(): Promise<void> {
    await Promise.all(
      Array.from({ length: REQUESTS }, async (_, i) => {
        const answer = await this.pool(i).request({ method: 'GET', path: PATHS.health });
        await answer.body.dump();
      }),
    );
  }

  /** Requests of one person at the same moment, spread over the processes. Answers their statuses. */
  async ask(cookie: string, count: number): Promise<number[]> {
    return await Promise.all(Array.from({ length: count }, (_, i) => this.askOne(cookie, i)));
  }

  /** One request to one of the processes. Answers its status; 0 where no answer came. */
  async askOne(cookie: string, process: number): Promise<number> {
    try {
      const headers = { cookie, accept: 'application/json', 'sec-fetch-site': 'same-origin' };
      const path = '/spark/v1/my/account';
      const answer = await this.pool(process).request({ method: 'GET', path, headers });
      await answer.body.dump();
      return answer.statusCode;
    } catch {
      return 0;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.destroy()));
    for (const child of this.children) child.kill();
  }

  private async page(path: string, cookie: string): Promise<{ status: number; location: string; cookies: string[] }> {
    const { statusCode, headers, body } = await this.pool(0).request({ method: 'GET', path, headers: { cookie } });
    await body.dump();
    const cookies = [headers['set-cookie'] ?? []].flat().map((one) => one.split(';')[0] ?? '');
    return { status: statusCode, location: String(headers.location), cookies };
  }

  private pool(index: number): Pool {
    const pool = this.pools[index % this.pools.length];
    if (!pool) throw new Error('There is no process.');
    return pool;
  }
}
