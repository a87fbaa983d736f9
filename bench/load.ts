import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folder, type Usage, usageOf } from './processes.js';
import {
  BIG_BYTES,
  type Listening,
  POST_ANSWER,
  POST_BYTES,
  SCENARIOS,
  type Scenario,
  SMALL_BYTES,
} from './setting.js';

/** What one candidate did in one run of one scenario. Times in milliseconds. */
export interface Measured {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuPer1000: number;
  readonly rssMiB: number;
}

/** One request of each scenario: wrk takes a redirect, or an answer that lacks its body, for success. */
export async function check(candidate: string, { url, cookies }: Listening): Promise<void> {
  const bytes: Record<Scenario, number> = { small: SMALL_BYTES, big: BIG_BYTES, post: POST_ANSWER.length };
  for (const scenario of SCENARIOS) {
    const answer = await fetch(`${url}/spark/v1/${scenario}`, {
      method: scenario === 'post' ? 'POST' : 'GET',
      headers: { 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json', Cookie: cookies[0] ?? '' },
      body: scenario === 'post' ? 'x'.repeat(POST_BYTES) : null,
      redirect: 'manual',
    });
    const { length } = await answer.text();
    if (answer.status !== 200 || length !== bytes[scenario])
      throw new Error(`${candidate}, ${scenario}: ${answer.status} with ${length} bytes`);
  }
}

/**
 * How long all connections stay silent after they were opened. Node accepts one in each turn of its event loop: under
 * load, the last of 256 would wait for seconds, and the 99th percentile would tell of nothing else. wrk's correction of
 * latencies (it adds what requests would have met that a late answer kept from being sent) takes this time for a part of
 * the run, for every candidate alike, and so corrects less.
 */
const SETTLE_SECONDS = 1;

/** Loads a candidate with wrk, which needs far less CPU than a generator in Node would. */
export async function load(
  candidate: string,
  { url, cookies }: Listening,
  pid: number,
  { scenario, concurrency, seconds }: { scenario: Scenario; concurrency: number; seconds: number },
): Promise<Measured> {
  const script = join(folder, `${scenario}.lua`);
  writeFileSync(script, luaOf(scenario, concurrency, cookies));
  const before = usageOf(pid);
  const { stdout } = await promisify(execFile)('wrk', [
    '-t1',
    `-c${concurrency}`,
    `-d${SETTLE_SECONDS + seconds}s`,
    '--latency',
    '--timeout=10s',
    '-H',
    'Sec-Fetch-Site: same-origin',
    '-H',
    'Accept: application/json',
    '-s',
    script,
    `${url}/spark/v1/${scenario}`,
  ]);
  return measured(stdout, before, usageOf(pid), `${candidate}, ${scenario}, concurrency ${concurrency}`);
}

/** Each request comes from the next of the people, and is written out beforehand. */
function luaOf(scenario: Scenario, concurrency: number, cookies: readonly string[]): string {
  const method =
    scenario === 'post'
      ? `wrk.method = 'POST' wrk.body = string.rep('x', ${POST_BYTES}) wrk.headers['Content-Type'] = 'application/json'`
      : '';
  return `${method}
local cookies = { ${(cookies.length > 0 ? cookies : ['none=1']).map((cookie) => `'${cookie}'`).join(', ')} }
local requests, at = {}, 0
local silent = ${concurrency}
init = function()
  for i, cookie in ipairs(cookies) do
    wrk.headers['Cookie'] = cookie
    requests[i] = wrk.format()
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
delay = function()
  if silent == 0 then return 0 end
  silent = silent - 1
  return ${SETTLE_SECONDS * 1_000}
end
done = function(summary, latency)
  io.write(string.format('RESULT %d %d %d %d %d %d\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end`;
}

function measured(output: string, before: Usage, after: Usage, what: string): Measured {
  const numbers = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(output)?.slice(1).map(Number);
  const [requests = 0, durationUs = 0, p50 = 0, p99 = 0, refused = 0, broken = 0] = numbers ?? [];
  // A candidate that answers errors is fast, and measures nothing.
  if (requests === 0 || refused > 0 || broken > requests / 1_000)
    throw new Error(`${what}: ${requests} requests, ${refused} refused, ${broken} broken\n${output}`);
  return {
    rps: requests / (durationUs / 1e6 - SETTLE_SECONDS),
    p50: p50 / 1_000,
    p99: p99 / 1_000,
    cpuPer1000: ((after.cpuMs - before.cpuMs) / requests) * 1_000,
    rssMiB: after.rssMiB,
  };
}
