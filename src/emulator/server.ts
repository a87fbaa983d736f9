import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that is running. */
export interface RunningServer {
  /** Without a final slash, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Stops listening and closes every connection, also those that wait for an answer. Calling it again does no harm. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP server.
 *
 * @throws the server's error, for example when the port is taken; an Error for what is no port
 */
export async function startServer(listener: RequestListener, port: number, host: string): Promise<RunningServer> {
  // A text that is no number Node takes for the path of a pipe, at which nobody could call.
  const given: unknown = port;
  const number = given === undefined ? 0 : typeof given === 'string' && given !== '' ? Number(given) : given;
  if (!Number.isInteger(number) || Number(number) < 0 || Number(number) > 65_535) {
    throw new Error(`listen: the port is ${JSON.stringify(given)}; write a number from 0 (any that is free) to 65535.`);
  }
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { url: urlOf(server), close: () => closeServer(server) };
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo; // a string only for pipes
  const isEvery = address === '0.0.0.0' || address === '::';
  if (isEvery) return `http://127.0.0.1:${port}`;
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`;
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
