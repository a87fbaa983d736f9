import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const children = new Set<ChildProcess>();
const folders = new Set<string>();

let armed = false;

function cleanUpAtExit(): void {
  if (!armed) process.once('exit', cleanUp);
  armed = true;
}

/** Starts a process that does not outlive this one. */
export function start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  cleanUpAtExit();
  const child = spawn(command, args, options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.on('error', () => children.delete(child)); // not on the PATH: whoever waits for it says so
  return child;
}

/** Ends a process, also one that is stopped, and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const last = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(last);
}

/** Ends every process and removes every folder of this run. Safe in an `exit` handler: it waits for nothing. */
export function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** A folder that goes with this run. */
export function temporaryFolder(prefix: string): string {
  cleanUpAtExit();
  const folder = mkdtempSync(join(tmpdir(), prefix));
  folders.add(folder);
  return folder;
}

export interface Programs {
  readonly emulator: string;
  readonly worker: string;
}

/**
 * The emulator and the worker with all their packages in one file each, so that their many processes start fast and
 * need no build. Run from the project's root, as npm does.
 */
export function buildPrograms(): Programs {
  const folder = temporaryFolder('spark-faults-');
  const build = (source: string, name: string): string => {
    const outfile = join(folder, name);
    buildSync({ entryPoints: [source], bundle: true, platform: 'node', outfile, logLevel: 'error' });
    return outfile;
  };
  return {
    emulator: build('src/emulator/cli.ts', 'emulator.js'),
    worker: build('test/faults/worker.ts', 'worker.js'),
  };
}

const taken = new Set<number>();

/**
 * A free port below those that the system gives to outgoing connections: a server that is away for a while must find its
 * port free when it comes back.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port)) continue;
    taken.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error('No free port on this machine.');
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
