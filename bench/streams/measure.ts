import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { endAll, start, usageOf } from '../processes.js';
import { type Pauses, receive, type Sum, send } from './bytes.js';

export const ROADS = ['session', 'lane'] as const;
/** After `session()` on Node's own server, or in the express lane on the fast server. */
export type Road = (typeof ROADS)[number];

/** Which way, and how fast the end that receives. */
export const WAYS = ['down fast', 'down slow', 'up fast', 'up slow'] as const;
export type Way = (typeof WAYS)[number];

/** More than the proxy may grow by, whatever passes. */
export const TOO_MUCH_MIB = 64;

/**
 * What passes before anything is measured. Node reads into buffers that it frees when V8 comes to it, which any stream
 * meets, and which has an end; what comes on top of it would grow with all that passes.
 */
const WARM_UP_MIB = 64;

/** A receiver that takes about 130 MiB a second at the most. */
const SLOW: Pauses = { everyMiB: 4, ms: 30 };
const SAMPLE_MS = 100;

export interface Measured {
  readonly road: Road;
  readonly way: Way;
  readonly mibPerSecond: number;
  /** Resident memory of the proxy's process in MiB: when it has answered a few requests. */
  readonly atRest: number;
  /** When {@link WARM_UP_MIB} have passed. */
  readonly before: number;
  /** The most while the rest passed. */
  readonly peak: number;
  readonly growth: number;
  readonly sent: Sum;
  readonly received: Sum;
}

export interface Passage {
  readonly road: Road;
  readonly way: Way;
  readonly mebibytes: number;
  /** Where `api.js` and `proxy.js` lie, built. */
  readonly programs: string;
}

/** Sends this much through a proxy that has a process of its own, and watches its memory. The API has one, too. */
export async function measure({ road, way, mebibytes, programs }: Passage): Promise<Measured> {
  try {
    const api = await startProgram(programs, 'api', []);
    const proxy = await startProgram(programs, 'proxy', [road, api.url]);
    for (let i = 0; i < 20; i++) await whole(await call(proxy, 'GET', '/spark/v1/warm'));
    const atRest = usageOf(proxy.pid).rssMiB;
    const direction = way.startsWith('down') ? down : up;
    await direction(proxy, WARM_UP_MIB);
    const memory = watch(proxy.pid);
    const began = performance.now();
    const ours = await direction(proxy, mebibytes, way.endsWith('slow') ? SLOW : undefined);
    const seconds = (performance.now() - began) / 1_000;
    const theirs = JSON.parse(await whole(await call(api, 'GET', '/sum'))) as Sum;
    const [sent, received] = way.startsWith('down') ? [theirs, ours] : [ours, theirs];
    return { road, way, mibPerSecond: mebibytes / seconds, atRest, ...memory.stop(), sent, received };
  } finally {
    await endAll();
  }
}

/** What is wrong with a passage, in words. */
export function problemsOf({ growth, sent, received }: Measured): string[] {
  return [
    ...(growth < TOO_MUCH_MIB ? [] : [`the proxy grew by ${growth.toFixed(0)} MiB`]),
    ...(sent.bytes === received.bytes ? [] : [`${sent.bytes} bytes were sent, and ${received.bytes} arrived`]),
    ...(sent.sha256 === received.sha256 ? [] : ['the bytes that arrived are not those that were sent']),
  ];
}

interface Program {
  readonly url: string;
  readonly cookie?: string;
  readonly pid: number;
}

async function startProgram(folder: string, name: string, args: readonly string[]): Promise<Program> {
  // Not in production, where express-session warns of its memory store.
  const child = start('env', ['NODE_ENV=test', process.execPath, join(folder, `${name}.js`), ...args], 'pipe');
  return await new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').once('data', (text: string) => resolve({ ...JSON.parse(text), pid: child.pid }));
    child.once('exit', () => reject(new Error(`${name} ended before it listened`)));
  });
}

/** The memory of a process from now on. */
function watch(pid: number): { stop(): Pick<Measured, 'before' | 'peak' | 'growth'> } {
  const before = usageOf(pid).rssMiB;
  let peak = before;
  const sample = (): void => {
    peak = Math.max(peak, usageOf(pid).rssMiB);
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return { before, peak, growth: peak - before };
    },
  };
}

async function down(proxy: Program, mebibytes: number, pauses?: Pauses): Promise<Sum> {
  return await receive(await call(proxy, 'GET', `/spark/v1/down?mebibytes=${mebibytes}`), pauses);
}

async function up(proxy: Program, mebibytes: number, pauses?: Pauses): Promise<Sum> {
  const query = pauses ? `?pauses=${encodeURIComponent(JSON.stringify(pauses))}` : '';
  let sent: Promise<Sum> | undefined;
  await whole(
    await call(proxy, 'POST', `/spark/v1/up${query}`, (req) => {
      sent = send(req, mebibytes);
      return sent;
    }),
  );
  if (!sent) throw new Error('nothing was sent');
  return await sent;
}

async function call(
  { url, cookie }: Pick<Program, 'url' | 'cookie'>,
  method: string,
  path: string,
  write?: (req: ReturnType<typeof request>) => Promise<unknown>,
): Promise<IncomingMessage> {
  const headers = { 'Sec-Fetch-Site': 'same-origin', ...(cookie === undefined ? {} : { Cookie: cookie }) };
  return await new Promise((resolve, reject) => {
    const req = request(`${url}${path}`, { method, headers }, (answer) => {
      if (answer.statusCode === 200) resolve(answer);
      else reject(new Error(`${path} was answered ${answer.statusCode}`));
    });
    req.once('error', reject);
    if (write) write(req).catch(reject);
    else req.end();
  });
}

async function whole(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return text;
}
