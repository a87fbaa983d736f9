import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const running: ChildProcess[] = [];

afterAll(async () => {
  await Promise.all(
    running.splice(0).map(async (child) => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      else return;
      await gone;
    }),
  );
});

/** Starts a program of this folder as a process of its own until the tests of this file end. Answers its first line, the address. */
export async function startProgram(script: string, env: Record<string, string> = {}): Promise<string> {
  const child = spawn(process.execPath, [script], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  running.push(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return await new Promise((resolve, reject) => {
    let line = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      line += text;
      if (line.includes('\n')) resolve(line.slice(0, line.indexOf('\n')));
    });
    child.once('exit', () => reject(new Error(`${script} ended before it told its address:\n${errors}`)));
  });
}

/** A server that others wrote: `oauth2-server.cjs` or `oidc-provider.mjs`. */
export async function startServer(name: string, env?: Record<string, string>): Promise<string> {
  return await startProgram(join(__dirname, 'servers', name), env);
}

/** One entry of a server's log of token requests. */
export interface GrantSeen {
  readonly type: string;
  readonly json?: boolean;
  readonly basic?: boolean;
  readonly scope?: string;
  readonly status?: number;
}

/** What the server's token endpoint received. */
export async function grantsAt(url: string): Promise<GrantSeen[]> {
  return (await (await fetch(`${url}/log`)).json()) as GrantSeen[];
}

/** The error that a promise ends with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => new Error('there was no error'),
    (error: unknown) => error,
  );
}

/** Goes through the pages of `oidc-provider.mjs` as a browser does: signs in, agrees, and answers the address that leads back. */
export async function signInAt(url: string, redirectURI: string): Promise<string> {
  const cookies = new Map<string, string>();
  let next: { url: string; form?: URLSearchParams } = { url };
  for (let i = 0; i < 12; i += 1) {
    const response = await fetch(next.url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(next.form ? { method: 'POST', body: next.form } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location !== null) {
      const target = new URL(location, next.url).href;
      if (target.startsWith(redirectURI)) return target;
      next = { url: target };
      continue;
    }
    const page = await response.text();
    const action = /<form[^>]*action="([^"]*)"/.exec(page)?.[1];
    if (action === undefined) throw new Error(`${response.status}: no form\n${page}`);
    const prompt = /name="prompt" value="([^"]*)"/.exec(page)?.[1] ?? '';
    next = {
      url: new URL(action, next.url).href,
      form: new URLSearchParams({ prompt, login: 'ada', password: 'lovelace' }),
    };
  }
  throw new Error('the server leads in circles');
}
