import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express, { type Express } from 'express';
import express4 from 'express4';
import { createFastServer, type FastServerOptions } from '../../src/fast-server/index.js';

export const EXPRESS: Readonly<Record<'4' | '5', typeof express>> = { '4': express4, '5': express };

export const SERVERS = {
  'http.createServer': (app: Express, options: FastServerOptions = {}): Server => createServer(options, app),
  createFastServer: (app: Express, options: FastServerOptions = {}): Server => createFastServer(app, options),
};

const open: Server[] = [];

afterEach(async () => {
  await Promise.all(
    open.splice(0).map(
      (server) =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    ),
  );
});

/** Listens on a free loopback port until the test ends; answers the address. */
export async function listen(server: Server): Promise<string> {
  open.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends bytes as they are and answers all that comes back until the server closes, or `enough` says so. */
export async function exchange(
  url: string,
  text: string,
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('latin1').on('data', (piece: string) => {
      answer += piece;
      if (enough(answer)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
