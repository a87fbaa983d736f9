import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../proxy/support.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { grantsAt, startProgram, startServer } from './start.js';

const ROOT = join(__dirname, '..', '..');
const PROCESSES = 4;
let redis: RedisServer;
let folder: string;
let server: string;
let machines: string[];

beforeAll(async () => {
  // Below node_modules, so that the program finds the packages there.
  const cache = join(ROOT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'spark-machine-'));
  const program = join(folder, 'machine.js');
  const options = ['--bundle', '--platform=node', '--packages=external', '--log-level=error', `--outfile=${program}`];
  execFileSync(join(ROOT, 'node_modules', '.bin', 'esbuild'), [join(__dirname, 'servers', 'machine.ts'), ...options]);
  [redis, server] = await Promise.all([startRedis(), startServer('oauth2-server.cjs')]);
  const env = { SERVER: server, REDIS_URL: redis.socket };
  machines = await Promise.all(Array.from({ length: PROCESSES }, () => startProgram(program, env)));
}, 60_000);

afterAll(async () => {
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Calls every process ten times at once. */
async function callAll(): Promise<unknown[]> {
  const headers = { 'X-Key': 'a key of the application' };
  const replies = await Promise.all(
    Array.from({ length: 10 * PROCESSES }, (_, i) =>
      call(`${machines[i % PROCESSES]}/machine/api/reports`, { headers }),
    ),
  );
  return replies.map(({ status, json }) => ({ status, ...json }));
}

const SERVED = { status: 200, user: 'the application', scope: ['read'], scheme: 'Bearer' };

describe('four processes with one token of the application, in Redis', () => {
  it('ask for it once, when they all start', async () => {
    expect(await callAll()).toEqual(Array(10 * PROCESSES).fill(SERVED));
    expect(await grantsAt(server)).toMatchObject([{ type: 'client_credentials', basic: true, scope: 'read' }]);
  });

  it('ask for it once more, when the API says that it has expired', async () => {
    await fetch(`${server}/expire`, { method: 'POST' });

    expect(await callAll()).toEqual(Array(10 * PROCESSES).fill(SERVED));
    expect(await grantsAt(server)).toHaveLength(2);
  });

  it('serve nobody else with it', async () => {
    const reply = await call(`${machines[0]}/machine/api/reports`);

    expect(reply).toMatchObject({ status: 403, json: { error: 'not_authorized' } });
  });
});
