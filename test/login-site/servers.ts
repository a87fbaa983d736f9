import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of a test, on a port of its own. */
export interface TestServer {
  readonly origin: string;
  close(): Promise<void>;
}

/** Listens first, and asks for the application then: its callback URL needs the port. */
export async function serve(application: (origin: string) => RequestListener): Promise<TestServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', application(origin));
  return { origin, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
