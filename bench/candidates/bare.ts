import { createServer, type Server, type ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { ACCESS_TOKEN, type Setting } from '../setting.js';
import { listening } from './stack.js';

/** The least that Node can do: no framework, no session, no rules; the HTTP client that ours uses. */
export async function startBare({ upstream }: Setting): Promise<Server> {
  const pool = new Pool(upstream, { connections: 128, pipelining: 1 });
  const server = createServer((req, res) => {
    const headers = ['Accept', '*/*', 'Authorization', `OAuth ${ACCESS_TOKEN}`];
    const hasBody = req.method === 'POST';
    if (hasBody) headers.push('Content-Length', req.headers['content-length'] ?? '0');
    const path = (req.url ?? '').slice('/spark'.length);
    const method = req.method as Dispatcher.HttpMethod;
    pool.dispatch({ method, path, headers, body: hasBody ? req : null }, new Relay(res));
  });
  return await listening(server.listen(0, '127.0.0.1'));
}

class Relay implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;

  constructor(private readonly res: ServerResponse) {
    res.on('drain', () => this.controller?.resume());
    // Downloads that nobody takes any more would stay paused, each on a connection of the pool, until there is none left.
    res.on('close', () => {
      if (!res.writableFinished) this.controller?.abort(new Error('The client is gone.'));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.res.destroyed) controller.abort(new Error('The client is gone.'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string>): void {
    this.res.writeHead(status, {
      'Content-Type': headers['content-type'],
      'Content-Length': headers['content-length'],
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.res.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.res.end();
  }

  onResponseError(): void {
    this.res.destroy();
  }
}
