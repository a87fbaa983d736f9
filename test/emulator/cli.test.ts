import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { jsonOf } from './start.js';

const directory = mkdtempSync(join(tmpdir(), 'spark-emulator-'));
const program = join(directory, 'cli.js');
const children: ChildProcess[] = [];

beforeAll(() => {
  buildSync({
    entryPoints: [join(__dirname, '../../src/emulator/cli.ts')],
    bundle: true,
    platform: 'node',
    outfile: program,
    logLevel: 'silent',
  });
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

afterAll(() => rmSync(directory, { recursive: true }));

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Resolves when the output has the text. */
  readonly says: (pattern: RegExp) => Promise<string>;
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const says = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(stdout);
        if (found !== null) resolve(found[1] ?? found[0]);
      };
      child.stdout.on('data', look);
      child.once('close', () => reject(new Error(`It ended without saying ${pattern}: ${stdout}${stderr}`)));
      look();
    });
  return { child, ended, says };
}

const ADDRESS = /Spark emulator: (\S+)/;

describe('the program', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('tells address, client and people, and ends on %s', async (signal) => {
    const { child, ended, says } = run('--port', '0');
    const url = await says(ADDRESS);
    await says(/consumer \/ spark/);

    expect((await fetch(`${url}/openid/logout`)).status).toBe(200);
    expect((await fetch(`${url}/_emulator/grants`)).status).toBe(404);
    child.kill(signal);

    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('emulator-client / emulator-secret');
    expect(stdout).toContain('agent / spark');
  });

  it('takes lifetime, rotation and controls from the command line', async () => {
    const { says } = run('--port', '0', '--expires-in', '120', '--rotation', 'none', '--control');
    const url = await says(ADDRESS);
    const client = { client_id: 'emulator-client', client_secret: 'emulator-secret' };
    const grant = (fields: object) =>
      fetch(`${url}/v1/oauth2/grant`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...client, ...fields }),
      }).then(jsonOf);

    const first = await grant({ grant_type: 'password', username: 'agent', password: 'spark' });
    const second = await grant({ grant_type: 'refresh_token', refresh_token: first.refresh_token });

    expect(first.expires_in).toBe(120);
    expect(second.refresh_token).toBe(first.refresh_token);
    expect(await jsonOf(await fetch(`${url}/_emulator/grants`))).toHaveLength(2);
  });

  it('takes every other option as JSON', async () => {
    const people = [{ username: 'somebody', password: 'else', roles: ['private'] }];
    const { says } = run('--port', '0', '--options', JSON.stringify({ people, expiresIn: 60 }), '--expires-in', '30');
    const url = await says(ADDRESS);
    await says(/somebody \/ else/);

    const answer = await fetch(`${url}/v1/oauth2/grant`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'emulator-client',
        client_secret: 'emulator-secret',
        grant_type: 'password',
        username: 'somebody',
        password: 'else',
      }),
    });

    expect((await jsonOf(answer)).expires_in).toBe(30);
  });

  it('explains itself', async () => {
    const { code, stdout } = await run('--help').ended;

    expect(code).toBe(0);
    for (const flag of ['--port', '--host', '--expires-in', '--rotation', '--options', '--control'])
      expect(stdout).toContain(flag);
  });

  it.each([
    [['--port', 'x'], '--port'],
    [['--rotation', 'x'], '"rotation"'],
    [['--expires-in', 'x'], '"expiresIn"'],
    [['--options', 'x'], '--options'],
    [['--options', '{"nothing":1}'], '"nothing"'],
    [['--nothing'], '--nothing'],
  ])('ends with 1 and a message for %j', async (args, text) => {
    const { code, stderr } = await run(...args).ended;

    expect(code).toBe(1);
    expect(stderr).toContain(text);
  });
});
