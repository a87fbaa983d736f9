import type { ChildProcess } from 'node:child_process';
import type { CallFault, GrantFault, GrantSeen, SparkEmulatorOptions } from '../../src/emulator/index.js';
import { end, start } from './processes.js';

export type Rotation = 'strict' | 'grace' | 'none';

export interface GrantedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly lifetimeMs: number;
}

const PASSWORD = 'spark';
const READY_MS = 15_000;

/** The emulator as a process of its own, seen through its HTTP controls. */
export class Spark {
  private constructor(
    readonly url: string,
    readonly process: ChildProcess,
  ) {}

  static async start(program: string, usernames: readonly string[], options: SparkEmulatorOptions): Promise<Spark> {
    const people = usernames.map((username) => ({ username, password: PASSWORD, roles: ['private'] }));
    const args = [program, '--port', '0', '--control', '--options', JSON.stringify({ people, ...options })];
    const child = start(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    return new Spark(await said(child, /Spark emulator: (\S+)/), child);
  }

  async stop(): Promise<void> {
    await end(this.process);
  }

  /** Tokens of a new sign-in of this person. */
  async signIn(username: string): Promise<GrantedTokens> {
    const answer = await fetch(`${this.url}/v1/oauth2/grant`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'emulator-client',
        client_secret: 'emulator-secret',
        grant_type: 'password',
        username,
        password: PASSWORD,
      }),
    });
    const body = (await answer.json()) as { access_token: string; refresh_token: string; expires_in: number };
    if (!answer.ok) throw new Error(`The emulator refused the password grant: ${answer.status}`);
    return {
      accessToken: body.access_token,
      refreshToken: body.refresh_token,
      lifetimeMs: body.expires_in * 1_000,
    };
  }

  /** Every renewal that reached the grant endpoint, in order of arrival. */
  async renewals(): Promise<GrantSeen[]> {
    return (await (await fetch(`${this.url}/_emulator/grants?type=refresh_token`)).json()) as GrantSeen[];
  }

  /** Would this refresh token renew now? Asking does not use it. */
  async accepts(token: string): Promise<boolean> {
    return (await this.control('accepts', { token })).accepted === true;
  }

  async failGrants(fault: GrantFault, times: number): Promise<void> {
    await this.control('fail-grant', { ...fault, times });
  }

  async failCalls(fault: CallFault, times: number): Promise<void> {
    await this.control('fail-call', { ...fault, times });
  }

  async delayGrants(ms: number, times: number, when: 'before' | 'after' = 'before'): Promise<void> {
    await this.control('delay-grant', { ms, times, when });
  }

  /** Spark ends the access tokens of everybody before their time. */
  async expireAccessTokens(): Promise<void> {
    await this.control('expire', {});
  }

  async expireRefreshTokens(person: string): Promise<void> {
    await this.control('expire', { person, refresh: true });
  }

  private async control(name: string, input: object): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.url}/_emulator/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    const body = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`The emulator's control ${name}: ${String(body.error)}`);
    return body;
  }
}

async function said(child: ChildProcess, pattern: RegExp): Promise<string> {
  return await new Promise((resolve, reject) => {
    let text = '';
    const late = setTimeout(() => reject(new Error(`No ${pattern} within ${READY_MS} ms.`)), READY_MS);
    child.once('exit', () => reject(new Error(`The emulator ended: ${text}`)));
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
      const found = pattern.exec(text)?.[1];
      if (found === undefined) return;
      clearTimeout(late);
      resolve(found);
      text = '';
    });
  });
}
