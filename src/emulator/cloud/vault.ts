import { randomBytes } from 'node:crypto';
import type { EmulatorClock } from '../clock.js';
import type { CloudAccount, CloudSettings } from './options.js';

interface Token {
  readonly token: string;
  readonly account: CloudAccount;
  /** Emulator time. */
  expiresAt: number;
}

/** An access token and the client that it was given to, as `GET /v1/access_tokens` names it. */
export interface AccessToken extends Token {
  readonly client: string;
}

/** One kind of token: made, found while it lives, and ended. */
class Shelf<T extends Token> {
  private readonly tokens = new Map<string, T>();

  constructor(private readonly clock: EmulatorClock) {}

  put(token: T): T {
    this.tokens.set(token.token, token);
    return token;
  }

  live(token: string): T | undefined {
    const found = this.tokens.get(token);
    return found && found.expiresAt > this.clock.now() ? found : undefined;
  }

  take(token: string): T | undefined {
    const found = this.live(token);
    this.tokens.delete(token);
    return found;
  }

  of(account: CloudAccount): T[] {
    return [...this.tokens.values()].filter((token) => token.account === account && this.live(token.token));
  }

  expire(username: string | undefined): number {
    const live = [...this.tokens.values()].filter(
      ({ token, account }) => this.live(token) && (username === undefined || account.username === username),
    );
    for (const token of live) token.expiresAt = 0;
    return live.length;
  }
}

/** All tokens of the cloud. */
export class CloudVault {
  readonly auth: Shelf<Token>;
  readonly access: Shelf<AccessToken>;
  readonly refresh: Shelf<AccessToken>;
  readonly mfa: Shelf<AccessToken>;

  constructor(
    private readonly settings: Pick<CloudSettings, 'lifetimeMs' | 'authLifetimeMs'>,
    private readonly clock: EmulatorClock,
  ) {
    this.auth = new Shelf(clock);
    this.access = new Shelf(clock);
    this.refresh = new Shelf(clock);
    this.mfa = new Shelf(clock);
  }

  newAuthToken(account: CloudAccount): Token {
    const expiresAt = this.clock.now() + this.settings.authLifetimeMs;
    return this.auth.put({ token: randomBytes(15).toString('base64url'), account, expiresAt });
  }

  newAccessToken(account: CloudAccount, client: string): AccessToken {
    return this.access.put(this.issue(account, client, this.settings.lifetimeMs));
  }

  /** Lives until it is used. */
  newRefreshToken(account: CloudAccount, client: string): AccessToken {
    return this.refresh.put(this.issue(account, client, Number.POSITIVE_INFINITY));
  }

  newMfaToken(account: CloudAccount, client: string): AccessToken {
    return this.mfa.put(this.issue(account, client, 10 * 60 * 1_000));
  }

  /** 40 hexadecimal digits, as the cloud's are. */
  private issue(account: CloudAccount, client: string, lifetimeMs: number): AccessToken {
    return { token: randomBytes(20).toString('hex'), account, client, expiresAt: this.clock.now() + lifetimeMs };
  }
}
