import type { EmulatorClock } from './clock.js';
import type { Grantee } from './people.js';
import { randomKey } from './random.js';
import type { Settings } from './settings.js';

/** What a grant request is answered with. */
export interface TokenAnswer {
  readonly accessToken: string;
  /** `null` where the answer leaves it out. */
  readonly refreshToken: string | null;
  /** Time left for the access token, in milliseconds. */
  readonly leftMs: number;
}

/** What the API finds out about an access token. */
export type TokenStatus =
  | { readonly state: 'live'; readonly grantee: Grantee }
  | { readonly state: 'expired' }
  | { readonly state: 'unknown' };

/** Everything that grew out of one sign-in. */
interface Family {
  readonly grantee: Grantee;
  ended: boolean;
}

interface AccessRecord {
  readonly token: string;
  readonly family: Family;
  expiresAt: number;
  revoked: boolean;
}

interface RefreshRecord {
  readonly token: string;
  readonly family: Family;
  /** The access token that came with it. */
  access: AccessRecord;
  expired: boolean;
  /** Set by a rotation. */
  spent: { readonly at: number; readonly successor: RefreshRecord } | null;
}

type TokenSettings = Pick<
  Settings,
  | 'rotation'
  | 'graceMs'
  | 'lifetimeMs'
  | 'omitRefreshToken'
  | 'accessTokenAfterRefresh'
  | 'grantsPerPerson'
  | 'reuseDetection'
>;

/** All tokens and the rules of their rotation. Nothing is forgotten: a spent token must be recognised later. */
export class TokenVault {
  private readonly access = new Map<string, AccessRecord>();
  private readonly refreshTokens = new Map<string, RefreshRecord>();

  constructor(
    private readonly settings: TokenSettings,
    private readonly clock: EmulatorClock,
  ) {}

  /** The first pair of a sign-in. */
  issue(grantee: Grantee): TokenAnswer {
    if (this.settings.grantsPerPerson === 'one') {
      this.endFamilies(
        (known) => known.person.username === grantee.person.username && known.clientId === grantee.clientId,
      );
    }
    const family: Family = { grantee, ended: false };
    return this.answer(this.newRefreshRecord(family, this.newAccessRecord(family)));
  }

  /** The next pair, or `null` when the refresh token is no longer (or never was) this client's. */
  refresh(token: string, clientId: string): { readonly grantee: Grantee; readonly answer: TokenAnswer } | null {
    const record = this.refreshTokens.get(token);
    if (record === undefined || record.family.grantee.clientId !== clientId) return null;
    if (record.family.ended || record.expired) return null;
    const { grantee } = record.family;
    if (record.spent !== null) {
      if (this.inGrace(record.spent.at)) return { grantee, answer: this.answer(record.spent.successor) };
      // A second use means that two parties hold the token: RFC 9700 §4.14.2 ends the sign-in for both.
      if (this.settings.reuseDetection) record.family.ended = true;
      return null;
    }

    if (this.settings.accessTokenAfterRefresh === 'dies') record.access.revoked = true;
    const access = this.newAccessRecord(record.family);
    if (this.settings.rotation === 'none' || this.settings.omitRefreshToken) {
      record.access = access;
      const answer = this.answer(record);
      return { grantee, answer: this.settings.omitRefreshToken ? { ...answer, refreshToken: null } : answer };
    }
    const successor = this.newRefreshRecord(record.family, access);
    record.spent = { at: this.clock.now(), successor };
    return { grantee, answer: this.answer(successor) };
  }

  status(accessToken: string): TokenStatus {
    const record = this.access.get(accessToken);
    if (record === undefined || record.revoked || record.family.ended) return { state: 'unknown' };
    if (record.expiresAt <= this.clock.now()) return { state: 'expired' };
    return { state: 'live', grantee: record.family.grantee };
  }

  /** Would a refresh with this token succeed now? Looking spends nothing, and no reuse detection sees it. */
  accepts(refreshToken: string): boolean {
    const record = this.refreshTokens.get(refreshToken);
    if (record === undefined || record.family.ended || record.expired) return false;
    return record.spent === null || this.inGrace(record.spent.at);
  }

  expireAccessToken(token: string): boolean {
    const record = this.access.get(token);
    if (record === undefined) return false;
    record.expiresAt = Math.min(record.expiresAt, this.clock.now());
    return true;
  }

  expireAllAccessTokens(username?: string): number {
    const live = [...this.access.values()].filter(
      (record) => this.status(record.token).state === 'live' && belongsTo(record.family, username),
    );
    for (const record of live) record.expiresAt = this.clock.now();
    return live.length;
  }

  expireRefreshToken(token: string): boolean {
    const record = this.refreshTokens.get(token);
    if (record === undefined) return false;
    record.expired = true;
    return true;
  }

  expireAllRefreshTokens(username?: string): number {
    const live = [...this.refreshTokens.values()].filter(
      (record) =>
        !record.expired && record.spent === null && !record.family.ended && belongsTo(record.family, username),
    );
    for (const record of live) record.expired = true;
    return live.length;
  }

  /** Ends the whole sign-in that an access token belongs to. */
  revokeAccess(token: string): boolean {
    return this.access.has(token) && this.revoke(token);
  }

  /** Ends the whole sign-in that an access or a refresh token belongs to. */
  revoke(token: string): boolean {
    const family = this.access.get(token)?.family ?? this.refreshTokens.get(token)?.family;
    if (family === undefined || family.ended) return false;
    family.ended = true;
    return true;
  }

  revokePerson(username: string): number {
    return this.endFamilies((grantee) => grantee.person.username === username);
  }

  private endFamilies(matches: (grantee: Grantee) => boolean): number {
    const families = new Set([...this.access.values()].map((record) => record.family));
    let ended = 0;
    for (const family of families) {
      if (family.ended || !matches(family.grantee)) continue;
      family.ended = true;
      ended += 1;
    }
    return ended;
  }

  private inGrace(spentAt: number): boolean {
    return this.settings.rotation === 'grace' && this.clock.now() < spentAt + this.settings.graceMs;
  }

  private newAccessRecord(family: Family): AccessRecord {
    const record = {
      token: randomKey(),
      family,
      expiresAt: this.clock.now() + this.settings.lifetimeMs,
      revoked: false,
    };
    this.access.set(record.token, record);
    return record;
  }

  private newRefreshRecord(family: Family, access: AccessRecord): RefreshRecord {
    const record: RefreshRecord = { token: randomKey(), family, access, expired: false, spent: null };
    this.refreshTokens.set(record.token, record);
    return record;
  }

  private answer(record: RefreshRecord): TokenAnswer {
    return {
      accessToken: record.access.token,
      refreshToken: record.token,
      leftMs: Math.max(0, record.access.expiresAt - this.clock.now()),
    };
  }
}

function belongsTo(family: Family, username: string | undefined): boolean {
  return username === undefined || family.grantee.person.username === username;
}
