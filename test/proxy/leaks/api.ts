import type { IncomingMessage, ServerResponse } from 'node:http';
import { EXPIRED } from '../support.js';

const NEVER_MS = 20_000;

/** Things that happen once, and can be waited for before or after they did. */
export class Moments {
  private readonly all = new Map<string, { readonly came: Promise<void>; readonly come: () => void }>();

  async at(name: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const never = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`this never came: ${name}`)), NEVER_MS);
    });
    try {
      await Promise.race([this.moment(name).came, never]);
    } finally {
      clearTimeout(timer);
    }
  }

  come(name: string): void {
    this.moment(name).come();
  }

  private moment(name: string): { readonly came: Promise<void>; readonly come: () => void } {
    const known = this.all.get(name);
    if (known) return known;
    let come = (): void => undefined;
    const came = new Promise<void>((resolve) => {
      come = resolve;
    });
    const moment = { came, come };
    this.all.set(name, moment);
    return moment;
  }
}

/**
 * The API, which does what the path says. Tells of the request that is named `?n=…` when it arrives and when it is over
 * (`<n> arrived`, `<n> over`), and of grants (`<token> asks`); holds those back that are to be held until `<token> granted`.
 */
export class Api {
  readonly moments = new Moments();
  /** Access tokens whose renewal waits. */
  readonly held = new Set<string>();
  /** Access tokens that were renewed. */
  readonly grants: string[] = [];

  readonly answer = (req: IncomingMessage, res: ServerResponse): void => {
    const { pathname, searchParams } = new URL(req.url ?? '', 'http://api.example.com');
    const name = searchParams.get('n') ?? '';
    req.on('error', () => undefined); // the proxy leaves when its client does
    res.on('close', () => this.moments.come(`${name} over`));
    switch (pathname) {
      case '/grant':
        this.grant(searchParams.get('token') ?? '', res).catch(() => res.destroy());
        return;
      case '/v1/unchanged':
        res.writeHead(304, { ETag: '"same"' }).end();
        break;
      case '/v1/reset':
        req.socket.resetAndDestroy();
        break;
      case '/v1/half':
        res.writeHead(200, { 'Content-Length': 1_000 });
        res.write('half', () => req.socket.resetAndDestroy());
        break;
      case '/v1/silent':
        break;
      case '/v1/endless':
        this.endless(res);
        break;
      case '/v1/expired':
        this.afterBody(req, () => this.expired(req, res));
        break;
      default:
        this.afterBody(req, () => res.end('{}'));
    }
    // With a body: when its first piece is there.
    if (hasBody(req)) req.once('data', () => this.moments.come(`${name} arrived`));
    else this.moments.come(`${name} arrived`);
  };

  private afterBody(req: IncomingMessage, then: () => void): void {
    req.on('end', then);
    req.resume();
  }

  private expired(req: IncomingMessage, res: ServerResponse): void {
    if (req.headers.authorization?.endsWith('-0')) res.writeHead(401).end(EXPIRED);
    else res.end('{}');
  }

  private endless(res: ServerResponse): void {
    const piece = Buffer.alloc(16_384);
    const more = (): void => {
      while (!res.destroyed && res.write(piece));
    };
    res.on('drain', more);
    more();
  }

  private async grant(token: string, res: ServerResponse): Promise<void> {
    this.grants.push(token);
    this.moments.come(`${token} asks`);
    if (this.held.has(token)) await this.moments.at(`${token} granted`);
    const accessToken = token.replace(/-0$/, '-1');
    res.end(JSON.stringify({ accessToken, refreshToken: `${accessToken}-r`, lifetimeMs: 86_400_000 }));
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
