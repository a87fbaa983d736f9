import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A Redis of this process' own. */
export interface OwnRedis {
  /** Unix socket: no port to collide with, and nobody else on the network. */
  readonly socket: string;
  stop(): void;
}

/** Unix socket addresses end at 107 bytes on Linux, and at 103 on macOS. */
const MAX_SOCKET_PATH = 103;

/**
 * Starts a `redis-server` that keeps nothing on disk and ends with this process, also when that crashes.
 * Undefined where there is none on the PATH, or where its socket would have too long a name.
 */
export function startOwnRedis(env: NodeJS.ProcessEnv): OwnRedis | undefined {
  const command = findOnPath('redis-server', env);
  if (command === undefined) return undefined;
  const directory = mkdtempSync(path.join(tmpdir(), 'spark-redis-'));
  const socket = path.join(directory, 'redis.sock');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  }
  // '-': no configuration file; port 0: no TCP at all.
  const settings = ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', directory];
  const child = spawn(command, [...settings, '--save', '', '--appendonly', 'no', '--daemonize', 'no'], {
    cwd: directory,
    stdio: 'ignore',
  });
  child.on('error', () => undefined); // the client, which can't connect then, says so
  return { socket, stop: stopper(child, directory) };
}

/** `exit` runs for every end but SIGKILL: after the handlers of SIGTERM and SIGINT, and after an uncaught error. */
function stopper(child: ChildProcess, directory: string): () => void {
  const stop = (): void => {
    process.off('exit', stop);
    child.kill('SIGKILL'); // there is nothing to save
    rmSync(directory, { recursive: true, force: true });
  };
  process.on('exit', stop);
  return stop;
}

function findOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const candidates = (env.PATH ?? '')
    .split(path.delimiter)
    .filter(Boolean)
    .map((directory) => path.join(directory, name));
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
