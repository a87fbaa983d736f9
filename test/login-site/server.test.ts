import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, startRedis } from '../support/redis.js';
import { Visitor } from './visitor.js';

const ROOT = path.resolve(__dirname, '../..');
let dist: string;
let temporary: string;
const children: ChildProcess[] = [];

/** Compiles what `npm run build` compiles into a folder of the test's own, because other tests may use `dist`. */
beforeAll(() => {
  dist = mkdtempSync(path.join(tmpdir(), 'login-site-'));
  const tsc = path.join(ROOT, 'node_modules/.bin/tsc');
  // Type errors do not keep it from writing; `npm run types` is there to find those.
  spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', dist, '--declaration', 'false'], { cwd: ROOT });
  cpSync(path.join(ROOT, 'example-app/public'), path.join(dist, 'example-app/public'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(dist, 'package.json'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(dist, 'node_modules'));
}, 60_000);

beforeEach(() => {
  temporary = mkdtempSync(path.join(tmpdir(), 'login-site-run-'));
});

afterEach(async () => {
  // By a signal that it can act on: after a failed test too, its Redis is to go with it.
  const running = children.splice(0).filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(running.map((child) => child.kill('SIGTERM') && once(child, 'exit')));
  rmSync(temporary, { recursive: true, force: true });
});

afterAll(() => rmSync(dist, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  /** What it has said so far, on both channels. */
  said(): string;
  /** Waits for a text. */
  says(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Waits for the end, and answers the exit code. */
  ended(): Promise<number | null>;
}

function start(env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [path.join(dist, 'example-app/server.js')], {
    env: { PATH: process.env.PATH, TMPDIR: temporary, PORT: '0', ...env },
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exit = once(child, 'exit');
  return {
    child,
    said: () => output,
    says: async (pattern) => {
      for (;;) {
        const match = output.match(pattern);
        if (match) return match;
        if (child.exitCode !== null) throw new Error(`The server has ended with ${child.exitCode}:\n${output}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ended: async () => {
      const [code] = (await exit) as [number | null];
      return code;
    },
  };
}

/** A `redis-server` on the PATH that writes down its process id before it is one. */
async function startRecordingRedis(env: Readonly<Record<string, string>> = {}): Promise<{ run: Run; redis: string }> {
  const folder = path.join(temporary, 'bin');
  const note = path.join(temporary, 'pid');
  const script = `#!/bin/sh\necho $$ > '${note}'\nPATH='${process.env.PATH}' exec redis-server "$@"\n`;
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'redis-server'), script, { mode: 0o755 });
  const run = start({ PATH: folder, ...env });
  await address(run);
  return { run, redis: readFileSync(note, 'utf8').trim() };
}

/** A zombie, which nobody has waited for yet, does not run. */
function isRunning(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
  } catch {
    return false;
  }
  const stat = path.join('/proc', pid, 'stat');
  return !existsSync(stat) || !readFileSync(stat, 'utf8').includes(') Z ');
}

async function address(run: Run): Promise<string> {
  const [, url = ''] = await run.says(/^passport-spark login site: (\S+)$/m);
  await run.says(/person {4}consumer/); // the last line
  return url;
}

/** What a server answers as soon as it listens. */
async function firstAnswer(url: string): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch((error: Error) => error);
    if (answer instanceof Response) return answer;
    if (answer.name === 'TimeoutError') throw answer; // it listens, and does not answer
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the runnable server', () => {
  it('prints its address, signs people in with a Redis of its own, and leaves nothing behind', async () => {
    const run = start();
    const url = await address(run);
    expect(url).toMatch(/^http:\/\/localhost:\d+$/);
    expect(run.said()).toContain('Redis, started for this server');
    expect(run.said()).toContain('agent / spark');
    expect(readdirSync(temporary)).toHaveLength(1);

    const page = await new Visitor().signIn(`${url}/login?role=idx&flow=hybrid`, 'agent');
    expect(page).toMatchObject({ url: `${url}/account`, status: 200 });
    expect(page.text).not.toContain('Kept in memory');

    run.child.kill('SIGTERM');
    expect(await run.ended()).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('takes its Redis with it when it crashes', async () => {
    const crash = path.join(temporary, 'crash.cjs');
    writeFileSync(crash, `process.on('SIGUSR2', () => { throw new Error('made up'); });`);
    const { run, redis } = await startRecordingRedis({ NODE_OPTIONS: `--require ${crash}` });
    expect(isRunning(redis)).toBe(true);

    run.child.kill('SIGUSR2');

    expect(await run.ended()).not.toBe(0);
    expect(isRunning(redis)).toBe(false);
    expect(readdirSync(temporary).filter((name) => name.startsWith('spark-redis'))).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('takes its Redis with it at %s', async (signal) => {
    const { run, redis } = await startRecordingRedis();

    run.child.kill(signal);

    expect(await run.ended()).toBe(0);
    expect(isRunning(redis)).toBe(false);
  });

  it('ends in time although its Redis answers nothing any more', async () => {
    const redis = await startRedis();
    const run = start({ REDIS_URL: `unix://${redis.socket}` });
    await address(run);
    redis.freeze();

    run.child.kill('SIGTERM');
    const exitCode = await run.ended();
    await redis.stop();

    expect(exitCode).toBe(0);
  });

  it('keeps no page waiting for a Redis that answers nothing any more', async () => {
    const redis = await startRedis();
    const run = start({ REDIS_URL: `unix://${redis.socket}` });
    const url = await address(run);
    const person = new Visitor();
    await person.signIn(`${url}/login`, 'agent');
    redis.freeze();

    const page = await person.visit(url);
    await redis.stop();

    expect(page.status).toBe(503);
    expect(page.headers.get('retry-after')).toBe('1');
    expect(page.text).toContain('Not possible right now');
  });

  it('answers what comes while it starts, and says that it starts', async () => {
    const silent = createServer(() => undefined); // a Redis that is about to answer
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const own = await freePort();
    const run = start({ PORT: String(own), REDIS_URL: `redis://127.0.0.1:${port}` });

    const answer = await firstAnswer(`http://127.0.0.1:${own}/account`);
    run.child.kill('SIGKILL');
    silent.close();

    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.text()).toContain('is starting');
  });

  it('says that sessions in Redis end with a secret of its own, and which variables it ignores', async () => {
    const redis = await startRedis();
    const run = start({ REDIS_URL: `unix://${redis.socket}`, SPARK_PORTAL: 'ours', SPARK_USER_AGENT: 'MyApp/1.0' });
    await address(run);
    const told = start({ REDIS_URL: `unix://${redis.socket}`, SESSION_SECRET: 'a-secret' });
    await address(told);
    await redis.stop();

    expect(run.said()).toContain('SESSION_SECRET is not set');
    expect(run.said()).toContain('ignored   SPARK_USER_AGENT, SPARK_PORTAL: only with SPARK_CLIENT_ID');
    expect(told.said()).not.toMatch(/SESSION_SECRET|ignored/);
  });

  it('falls back to memory where there is no redis-server, and says so', async () => {
    const run = start({ PATH: '/nowhere' });
    const url = await address(run);

    expect(run.said()).toContain('Everybody is signed out at the next start.');
    expect((await new Visitor().visit(url)).text).toContain('Kept in memory.');
    run.child.kill('SIGINT');
    expect(await run.ended()).toBe(0);
  });

  it('follows BASE_URL, with a path', async () => {
    const port = await freePort();
    const base = `http://127.0.0.1:${port}/members`;
    const run = start({ PATH: '/nowhere', PORT: String(port), BASE_URL: base });
    expect(await address(run)).toBe(base);

    const page = await new Visitor().signIn(`${base}/login`, 'agent');

    expect(page).toMatchObject({ url: `${base}/account`, status: 200 });
  });

  it('says that a port is in use, and ends with 1', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };

    const run = start({ PORT: String(port) });

    expect(await run.ended()).toBe(1);
    expect(run.said()).toBe(`Port ${port} on 127.0.0.1 is in use. Set PORT to another one, or to 0 for any.\n`);
    taken.close();
  });

  it('names every mistake in the environment at once, and no secret', async () => {
    const run = start({
      PORT: '99999',
      SPARK_CLIENT_SECRET: 'hush',
      REDIS_URL: 'http://:hush@cache',
      BASE_URL: 'localhost',
    });

    expect(await run.ended()).toBe(1);
    for (const name of ['PORT', 'SPARK_CLIENT_ID', 'REDIS_URL', 'BASE_URL']) expect(run.said()).toContain(`"${name}"`);
    expect(run.said()).not.toContain('hush');
    expect(run.said()).not.toMatch(/^ {4}at /m);
  });

  it('does not pretend: a Redis that was asked for and is not there ends it', async () => {
    const run = start({ REDIS_URL: 'redis://127.0.0.1:1' });

    expect(await run.ended()).toBe(1);
    expect(run.said()).toContain('The Redis at REDIS_URL can not be reached: connect ECONNREFUSED 127.0.0.1:1');
  });

  it('sends people to Spark when it has a key, and starts no emulator', async () => {
    const run = start({
      PATH: '/nowhere',
      SPARK_CLIENT_ID: 'an-id',
      SPARK_CLIENT_SECRET: 'a-secret',
      SPARK_PORTAL: 'ours',
    });
    const [, url = ''] = await run.says(/^passport-spark login site: (\S+)$/m);

    const home = await new Visitor().visit(url);
    const away = await new Visitor().visit(`${url}/login?role=vow&portal=ours`, { follow: false });

    expect(home.text).toContain('value="ours"');
    expect(home.text).not.toContain('emulator');
    expect(home.headers.get('content-security-policy')).toContain("form-action 'self' https://sparkplatform.com;");
    const location = new URL(away.headers.get('location') ?? '');
    expect(location.origin + location.pathname).toBe('https://sparkplatform.com/auth/vow/ours');
    expect(location.searchParams.get('redirect_uri')).toBe(`${url}/auth/spark/callback`);
    expect(run.said()).not.toMatch(/a-secret|emulator/);
  });
});
