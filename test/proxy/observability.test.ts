import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { transformSync } from '@swc/core';
import express from 'express';
import { REQUEST_CHANNEL, type RequestEvent } from '../../src/index.js';
import { serve } from '../support/server.js';
import { call, dial, ORIGIN, startProxy, startRawUpstream, startUpstream } from './support.js';

/** Runs an example of the docs as it stands there; answers what it exports. */
function runExample(name: string): Record<string, unknown> {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'observability.md'), 'utf8');
  const [, code] = new RegExp(`<!-- ${name} -->\\n\`\`\`js\\n(.*?)\\n\`\`\`\\n<!-- /${name} -->`, 's').exec(page) ?? [];
  if (code === undefined) throw new Error(`docs/observability.md has no example "${name}"`);
  const common = transformSync(code, { module: { type: 'commonjs' }, jsc: { target: 'es2022' } }).code;
  const exports: Record<string, unknown> = {};
  new Function('require', 'exports', common)(require, exports);
  return exports;
}

const events: RequestEvent[] = [];
const listener = (event: unknown): unknown => events.push(event as RequestEvent);
beforeEach(() => {
  events.length = 0;
  subscribe(REQUEST_CHANNEL, listener);
});
afterEach(() => {
  unsubscribe(REQUEST_CHANNEL, listener);
});

async function nextEvent(): Promise<RequestEvent> {
  for (let i = 0; i < 500 && events.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  const [event, ...more] = events;
  if (!event || more.length > 0) throw new Error(`${events.length} events`);
  return event;
}

const SECONDS = expect.any(Number);

describe('the request event', () => {
  it.each([
    [200, 'GET'],
    [404, 'DELETE'],
    [500, 'POST'],
  ])('tells an answer of %i to %s, and how long both sides took', async (status, method) => {
    const upstream = await startUpstream((_seen, _req, res) => setTimeout(() => res.writeHead(status).end('{}'), 30));
    const { url } = await startProxy({ target: upstream.url });

    await call(`${url}/spark/v1/listings?secret=1`, { method });

    const event = await nextEvent();
    expect(event).toEqual({ outcome: 'answered', method, status, durationMs: SECONDS, upstreamMs: SECONDS });
    expect(event.upstreamMs).toBeGreaterThanOrEqual(28);
    expect(event.durationMs).toBeGreaterThanOrEqual(event.upstreamMs ?? Number.NaN);
  });

  it.each([
    ['of a refused path', '/spark/v1/../x', {}, 400],
    ['from another site', '/spark/v1/x', { 'Sec-Fetch-Site': 'cross-site', Origin: ORIGIN }, 403],
  ])('tells a request %s', async (_what, path, headers, status) => {
    const { url } = await startProxy({ target: 'http://127.0.0.1:9' });

    await call(`${url}${path}`, { headers, bare: true });

    expect(await nextEvent()).toEqual({ outcome: 'refused', method: 'GET', status, durationMs: SECONDS });
  });

  it('tells a session store that is away', async () => {
    const { url } = await startProxy({ target: 'http://127.0.0.1:9', noSession: true });

    await call(`${url}/spark/v1/x`);

    expect(await nextEvent()).toMatchObject({ outcome: 'unavailable', status: 503 });
  });

  it('tells an API that is not there', async () => {
    const { url } = await startProxy({ target: 'http://127.0.0.1:9' });

    await call(`${url}/spark/v1/x`);

    const event = await nextEvent();
    expect(event).toMatchObject({ outcome: 'upstream-failed', status: 502 });
    expect(event).not.toHaveProperty('upstreamMs');
  });

  it('tells an API that breaks off within its answer', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      setTimeout(() => socket.destroy(), 30);
    });
    const { url } = await startProxy({ target: upstream.url });

    await call(`${url}/spark/v1/x`);

    expect(await nextEvent()).toMatchObject({ outcome: 'cut', status: 200, upstreamMs: SECONDS });
  });

  it('tells a browser that leaves', async () => {
    const upstream = await startRawUpstream(() => socket.destroy());
    const { url } = await startProxy({ target: upstream.url });
    const socket = dial(url);
    socket.write('GET /spark/v1/x HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\n\r\n');

    const event = await nextEvent();
    expect(event).toEqual({ outcome: 'client-gone', method: 'GET', durationMs: SECONDS });
  });

  it("tells a failure of the application's own", async () => {
    const { url } = await startProxy({
      target: 'http://127.0.0.1:9',
      proxy: {
        onRequest: () => {
          throw new Error('hook');
        },
      },
    });

    await call(`${url}/spark/v1/x`);

    expect(await nextEvent()).toEqual({ outcome: 'failed', method: 'GET', durationMs: SECONDS });
  });
});

describe('the examples of docs/observability.md', () => {
  const expired = (authorization = ''): boolean => authorization.endsWith('-0');

  /** One request that is renewed, and one that is refused. */
  async function traffic(): Promise<void> {
    const upstream = await startUpstream((seen, _req, res) =>
      expired(seen.headers.authorization) ? res.writeHead(401).end('{"D":{"Code":1020}}') : res.end('{}'),
    );
    const { url } = await startProxy({ target: upstream.url });
    await call(`${url}/spark/v1/listings`);
    await call(`${url}/spark/v1/oauth2/grant`);
    for (let i = 0; i < 100 && events.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  it('count for Prometheus', async () => {
    const example = runExample('prometheus');
    const app = express();
    app.get('/metrics', example.metrics as express.RequestHandler);
    const { url } = await serve(app);

    await traffic();

    const scraped = await (await fetch(`${url}/metrics`)).text();
    expect(scraped).toContain('spark_proxy_request_seconds_count{method="GET",status="200",outcome="answered"} 1');
    expect(scraped).toMatch(/spark_proxy_request_seconds_count\{method="GET",status="40\d",outcome="refused"\} 1/);
    expect(scraped).toContain('spark_api_seconds_count 1');
    expect(scraped).toContain('spark_renewals_total{outcome="renewed"} 1');
  });

  it('count for OpenTelemetry', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const provider = new MeterProvider({
      readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
    });
    metrics.setGlobalMeterProvider(provider);
    runExample('opentelemetry');

    await traffic();

    await provider.forceFlush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const points = Object.fromEntries(
      found.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes, value }) => ({
          ...attributes,
          count: typeof value === 'object' && 'count' in value ? value.count : value,
        })),
      ]),
    );
    await provider.shutdown();
    expect(points).toEqual({
      'spark.proxy.request.duration': [
        { 'http.request.method': 'GET', 'spark.outcome': 'answered', 'http.response.status_code': 200, count: 1 },
        { 'http.request.method': 'GET', 'spark.outcome': 'refused', 'http.response.status_code': 403, count: 1 },
      ],
      'spark.api.duration': [{ 'http.request.method': 'GET', count: 1 }],
      'spark.renewals': [{ 'spark.outcome': 'renewed', count: 1 }],
    });
  });
});
