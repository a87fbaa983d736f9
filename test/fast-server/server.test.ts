import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server as TlsServer } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import express, { Router } from 'express';
import session from 'express-session';
import express4 from 'express4';
import { createFastServer, type ExpressApp } from '../../src/fast-server/index.js';
import { withPrototype } from '../../src/fast-server/with-prototype.js';
import { ConfigError } from '../../src/index.js';
import { exchange, listen } from './support.js';

describe('createFastServer', () => {
  it.each([
    ['nothing', undefined],
    ['a router', Router()],
    ['a function', () => undefined],
    ['an object', {}],
    ['a function that claims to be one', Object.assign(() => undefined, { request: {}, response: {} })],
  ])('refuses %s', (_name, app) => {
    expect(() => createFastServer(app as ExpressApp)).toThrow(
      new ConfigError('createFastServer', [
        'the first argument is no Express application; write createFastServer(express()).',
      ]),
    );
  });

  it.each([
    ['4', express4],
    ['5', express],
  ])('refuses an Express %s application that is mounted in another one', (_version, create) => {
    const sub = create();
    create().use('/sub', sub);

    expect(() => createFastServer(sub)).toThrow(/mounted in another one; give the outermost application/);
  });

  it.each([
    [{ allowHTTP1: true }, 'allowHTTP1'],
    [{ key: '', cert: '', ALPNProtocols: ['h2', 'http/1.1'] }, 'ALPNProtocols'],
    [{ http2: true }, 'http2'],
  ])('refuses HTTP/2: %j', (options, name) => {
    expect(() => createFastServer(express(), options as object)).toThrow(`Express does not speak HTTP/2 (${name})`);
  });

  it('refuses classes besides the application’s own', () => {
    const options = { IncomingMessage, ServerResponse };

    expect(() => createFastServer(express(), options as object)).toThrow(
      /"IncomingMessage" comes from the application.*\n.*"ServerResponse" comes from the application/,
    );
  });

  it("keeps Node's time limits, and hands options on", () => {
    const limits = ['requestTimeout', 'headersTimeout', 'keepAliveTimeout', 'timeout', 'maxHeadersCount'] as const;
    const own = { requestTimeout: 1_234, headersTimeout: 567, keepAliveTimeout: 89 };

    for (const name of limits) expect(createFastServer(express())[name]).toBe(createServer()[name]);
    expect(createFastServer(express(), own)).toMatchObject(own);
  });

  it('ends a request whose headers never come to their end', async () => {
    const url = await listen(createFastServer(express(), { headersTimeout: 50, connectionsCheckingInterval: 20 }));

    expect(await exchange(url, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('leaves upgrades to whoever listens for them', async () => {
    const server = createFastServer(express());
    server.on('upgrade', (req, socket, head) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${req.url} ${req.headers.upgrade} ${head.toString()}`);
    });

    const answer = await exchange(
      await listen(server),
      'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\nhead',
    );

    expect(answer).toBe('HTTP/1.1 101 Switching Protocols\r\n\r\n/socket test head');
  });

  it('serves several requests that were sent at once in their order', async () => {
    const app = express();
    app.get('/:wait', (req, res) => {
      setTimeout(() => res.send(`<${req.params.wait}>`), Number(req.params.wait));
    });
    const get = (path: string, connection: string) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n\r\n`;

    const answer = await exchange(await listen(createFastServer(app)), get('/30', 'keep-alive') + get('/1', 'close'));

    expect([...answer.matchAll(/<(\d+)>/g)].map(([, wait]) => wait)).toEqual(['30', '1']);
  });

  it('serves two applications with prototypes of their own', async () => {
    const urls = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const app = express();
        Object.assign(app.response, { named: () => name });
        app.get('/', (_req, res) => res.send((res as unknown as { named(): string }).named()));
        return await listen(createFastServer(app));
      }),
    );

    expect(await Promise.all(urls.map(async (url) => await (await fetch(url)).text()))).toEqual(['one', 'two']);
  });

  it('speaks TLS when it has a key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spark-tls-'));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-days', '1', '-keyout', keyFile, '-out', certFile];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject],
      { stdio: 'ignore' },
    );
    const [key, cert] = [readFileSync(keyFile), readFileSync(certFile)];
    rmSync(folder, { recursive: true });
    const app = express();
    app.get('/', (req, res) => res.json({ secure: req.secure, own: Object.getPrototypeOf(req) === app.request }));
    const server = createFastServer(app, { key, cert });
    await listen(server);
    const { port } = server.address() as AddressInfo;

    const body = await new Promise<string>((resolve, reject) => {
      tlsRequest({ port, host: '127.0.0.1', ca: cert, servername: 'localhost' }, (res) => {
        res.setEncoding('utf8').on('data', resolve);
      })
        .on('error', reject)
        .end();
    });

    expect(server).toBeInstanceOf(TlsServer);
    expect(JSON.parse(body)).toEqual({ secure: true, own: true });
  });
});

describe('withPrototype', () => {
  // Every property that follows would be looked up in a table: an answer then costs a third more.
  it("keeps requests and responses out of V8's slow form, with all that express-session adds to them", async () => {
    setFlagsFromString('--allow-natives-syntax');
    const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;
    const fast: boolean[] = [];
    const app = express();
    app.use(session({ secret: 'a secret of the test', resave: false, saveUninitialized: true }));
    app.use((req, res) => {
      res.on('finish', () => fast.push(isFast(req), isFast(res)));
      res.send('done');
    });
    const url = await listen(createFastServer(app));
    for (let i = 0; i < 20; i++) await (await fetch(url)).text(); // V8 settles on the form in the first few
    expect(fast).toEqual(Array.from({ length: 40 }, () => true));
  });

  it('makes the objects of a class too, should Node turn its messages into classes', () => {
    class Base {
      readonly own: string;
      constructor(own: string) {
        this.own = own;
      }
    }
    const prototype = Object.create(Base.prototype) as Base;

    const made = new (withPrototype(Base, prototype))('value');

    expect(made.own).toBe('value');
    expect(Object.getPrototypeOf(made)).toBe(prototype);
  });
});
