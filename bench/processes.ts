import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BIG_BYTES, type Listening, POST_ANSWER, POST_BYTES, type Setting, SMALL_BYTES } from './setting.js';

/** Where temporary files go. */
export const folder = mkdtempSync(join(tmpdir(), 'spark-bench-'));
const children: ChildProcess[] = [];
/** Of the API, where it speaks TLS. Every process that the bench starts trusts it. */
const certificate = join(folder, 'certificate.pem');
const certificateKey = join(folder, 'certificate-key.pem');

/** Ends every process that the bench started. */
export async function endAll(): Promise<void> {
  await Promise.all(
    children.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await Promise.race([ended, delay(2_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
    }),
  );
  rmSync(folder, { recursive: true, force: true });
}

export function start(command: string, args: readonly string[], output: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    ...(existsSync(certificate) ? { NODE_EXTRA_CA_CERTS: certificate } : {}),
  };
  const child = spawn(command, args, { stdio: ['ignore', output, 'inherit'], env });
  children.push(child);
  return child;
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function startRedis(): Promise<number> {
  const port = await freePort();
  start('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ]);
  await reachable(port);
  return port;
}

/** The API: nginx, which answers faster than any candidate asks. */
export async function startUpstream({ tls }: { readonly tls: boolean }): Promise<string> {
  if (tls) makeCertificate();
  const files = join(folder, 'upstream', 'v1');
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, 'small'), json(SMALL_BYTES));
  writeFileSync(join(files, 'big'), json(BIG_BYTES));
  const port = await startNginx(
    'upstream',
    (listen) => `
    server {
      listen 127.0.0.1:${listen} ${tls ? `ssl; ssl_certificate ${certificate}; ssl_certificate_key ${certificateKey}` : ''};
      root ${join(folder, 'upstream')};
      default_type application/json;
      open_file_cache max=10;
      # An API reads what it is sent before it answers; a bare "return" answers as soon as it has seen the headers.
      location = /v1/post {
        client_body_buffer_size 128k;
        mirror /nothing;
        mirror_request_body on;
        log_not_found off;
        error_page 404 =200 @answer;
        if ($content_length != ${POST_BYTES}) { return 400; }
      }
      location = /nothing { internal; return 204; }
      location @answer { return 200 '${POST_ANSWER}'; }
    }`,
  );
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
}

/** The kind that public servers have: ECDSA over P-256. */
function makeCertificate(): void {
  const files = ['-keyout', certificateKey, '-out', certificate];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...name, ...files], { stdio: 'ignore' });
}

export async function startNginxCandidate({
  upstream,
}: Setting): Promise<{ child: ChildProcess; listening: Listening }> {
  const { host, protocol } = new URL(upstream);
  const port = await startNginx(
    'candidate',
    (listen) => `
    upstream api { server ${host}; keepalive 256; keepalive_requests 1000000; }
    server {
      listen ${listen};
      client_body_buffer_size 128k;
      location /spark/ {
        proxy_pass ${protocol}//api/;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_set_header Cookie '';
        proxy_set_header Authorization 'OAuth bench-access-token';
        proxy_buffers 8 64k;
        proxy_buffer_size 64k;
      }
    }`,
  );
  const child = children.at(-1);
  if (!child) throw new Error('nginx was not started');
  return { child, listening: { url: `http://127.0.0.1:${port}`, cookies: [] } };
}

async function startNginx(name: string, server: (port: number) => string): Promise<number> {
  const port = await freePort();
  const own = join(folder, `nginx-${name}`);
  mkdirSync(own, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${own}/${kind};`,
  );
  writeFileSync(
    join(own, 'nginx.conf'),
    // Its workers read files of ours: as root they would become somebody who can't.
    `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; worker_processes 1; pid ${own}/pid; error_log ${own}/error.log;
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 100000000; ${temporary.join(' ')} ${server(port)} }`,
  );
  start('nginx', ['-e', join(own, 'error.log'), '-p', own, '-c', join(own, 'nginx.conf')]);
  await reachable(port);
  return port;
}

/** Starts this bench's candidate program; the bundle lies beside the running one. */
export async function startCandidate(
  name: string,
  setting: Setting,
): Promise<{ child: ChildProcess; listening: Listening }> {
  const child = start(process.execPath, [join(__dirname, 'candidate.js'), name, JSON.stringify(setting)], 'pipe');
  const listening = await new Promise<Listening>((resolve, reject) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (text.endsWith('\n')) resolve(JSON.parse(text) as Listening);
    });
    child.once('exit', () => reject(new Error(`${name} ended before it listened`)));
  });
  return { child, listening };
}

export interface Usage {
  /** CPU time of the process and its children, in milliseconds. */
  readonly cpuMs: number;
  readonly rssMiB: number;
}

const TICK_MS = 10; // USER_HZ is 100 on every Linux that Node runs on

/** What a process and its children have used, from /proc. */
export function usageOf(pid: number): Usage {
  const all = [pid, ...childrenOf(pid)];
  const usages = all.map((one) => {
    const [, rest = ''] = readFileSync(`/proc/${one}/stat`, 'latin1').split(/\) (?=\w )/);
    const fields = rest.split(' ');
    const status = readFileSync(`/proc/${one}/status`, 'latin1');
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, // utime and stime, proc(5)
      rssMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024,
    };
  });
  return {
    cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    rssMiB: usages.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
  };
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

async function reachable(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (let i = 0; i < 200; i++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await delay(25);
  }
  throw new Error(`nothing listens at port ${port}`);
}

/** JSON in Spark's envelope, of this many bytes. */
function json(bytes: number): string {
  const around = JSON.stringify({ D: { Success: true, Results: [{ PublicRemarks: '' }] } });
  return around.replace('""', `"${'x'.repeat(bytes - around.length)}"`);
}
