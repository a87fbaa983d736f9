import { setTimeout as delay } from 'node:timers/promises';
import { conceal } from '../conceal.js';
import { ConfigError, SignInRequiredError, UnavailableError } from '../errors.js';
import { MAX_TIMER_MS, OptionCheck } from '../options.js';
import type { UpstreamProfile } from '../platform.js';
import { checkAdopted } from './adopted.js';
import { publishRenewal } from './events.js';
import { RecentRenewals } from './recent.js';
import { randomId, type TokenOrigin, type TokenRecord, type Tokens } from './record.js';
import { type Clock, type Reading, type RenewalOptions, Renewer, SignedOutError } from './renewer.js';
import { RunningRenewals } from './running.js';
import { guarded, type NewTokenRecord, type TokenStore } from './store.js';

/** What became of an access token that was sent to the API. */
export interface Sent<T> {
  readonly value: T;
  /** The API said that this access token has expired. */
  readonly expired: boolean;
  /** The request can be sent once more. */
  readonly replayable: boolean;
}

export interface TokenServiceOptions extends RenewalOptions {
  readonly store: TokenStore;
  /** How the API that takes these tokens behaves. */
  readonly upstream: UpstreamProfile;
  /** For tests: a monotonic clock in milliseconds, and waiting. */
  readonly clock?: Clock | undefined;
}

/** Options of one call for an access token. */
export interface AccessTokenOptions {
  /** The access token of an earlier call, which the API has refused as expired: it is renewed, unless that happened already. */
  readonly refused?: string | undefined;
}

/** What belongs to tokens that are adopted. */
export interface AdoptOptions extends Omit<TokenOrigin, 'clientID'> {
  /** Store them as the next generation where the name holds tokens already. Default false: those stay. */
  readonly replace?: boolean;
}

/** A token that the API refuses right after a renewal is not helped by another renewal. */
const REFUSED_AGAIN_MS = 30_000;
/** Kubernetes, Heroku and their like kill a process 30 seconds after they asked it to stop. */
const DRAIN_MS = 25_000;

/**
 * The token policy: which access token to send, when to renew, and what every answer of the token endpoint means.
 * It never loses a token and never spends a refresh token twice while the store keeps what it acknowledged.
 */
export class TokenService {
  readonly upstream: UpstreamProfile;
  /** Whose tokens these are: a record of another client counts as absent. */
  readonly clientID: string;
  private readonly store: TokenStore;
  private readonly clock: Clock;
  private readonly recent: RecentRenewals;
  private readonly renewer: Renewer;
  private readonly running: RunningRenewals;

  constructor(private readonly options: TokenServiceOptions) {
    this.store = guarded(options.store);
    this.upstream = options.upstream;
    this.clientID = options.clientID;
    this.clock = options.clock ?? {
      now: () => performance.now(),
      sleep: (ms, signal) => delay(ms, undefined, { signal }),
    };
    this.recent = new RecentRenewals(this.store, () => this.clock.now());
    this.renewer = new Renewer(options, this.store, this.recent, this.clock);
    this.running = new RunningRenewals(this.renewer, this.clientID);
    conceal(this, 'options', 'recent', 'running', 'renewer');
  }

  /**
   * Sends something with the access token under `key`: renews before it expires, and once more when the API says that
   * it has expired all the same. Answers what `send` answered last.
   * @throws SignInRequiredError nobody is signed in under this key, or nothing can be renewed any more
   * @throws UnavailableError the store or the token endpoint is away and the access token no longer lives
   */
  async use<T>(key: string, send: (record: TokenRecord) => Promise<Sent<T>>): Promise<T> {
    const record = await this.usable(key);
    const sent = await send(record);
    if (!sent.expired) return sent.value;
    const renewed = await this.afterRefusal(key, record);
    return renewed && sent.replayable ? (await send(renewed)).value : sent.value;
  }

  /**
   * The access token under `key`, renewed if need be, for callers that send it by themselves. Never the one that is
   * `refused`.
   * @throws SignInRequiredError also: refused, though it was renewed a moment ago; UnavailableError, as {@link use};
   * ConfigError
   */
  async accessToken(key: string, options: AccessTokenOptions = {}): Promise<string> {
    checkRefused(options);
    const record = await this.usable(key);
    if (record.accessToken !== options.refused) return record.accessToken;
    const renewed = await this.afterRefusal(key, record);
    if (!renewed || renewed.accessToken === options.refused)
      throw new SignInRequiredError('The API refuses the sign-in, though it was renewed a moment ago. Sign in again.');
    return renewed.accessToken;
  }

  /** The record under `key` as it stands, without renewing it; undefined when there is none of this client. */
  async peek(key: string): Promise<TokenRecord | undefined> {
    const reading = await this.read(key);
    return reading && { ...reading.record, leftMs: this.left(reading) };
  }

  /** Resolves when the store answers: a sign-in that nobody could keep is not to begin. @throws UnavailableError */
  async reach(): Promise<void> {
    await this.store.read('nobody'); // a key that no record has
  }

  /** Stores the tokens of a sign-in under a new random key, which it answers. */
  async create(
    tokens: Tokens,
    origin: Omit<TokenOrigin, 'clientID'> & Pick<NewTokenRecord, 'keepMs'>,
    key: string = randomId(32),
  ): Promise<string> {
    await this.store.create(key, { ...tokens, ...origin, clientID: this.options.clientID, commitId: randomId() });
    return key;
  }

  /**
   * Stores tokens that were issued beforehand (single-session keys) under a name that the application chooses.
   * Only if the name is free: a restart must not put a spent refresh token back. `replace` stores them as the next generation,
   * and leaves the origin (`role`, `portal`, `redirectURI` …) as it was given first.
   * @throws ConfigError tokens that could not be used, no name, or one that another client uses; UnavailableError
   */
  async adopt(name: string, tokens: Tokens, options: AdoptOptions = {}): Promise<void> {
    checkAdopted(name, tokens, options);
    const { replace, ...origin } = options;
    const key = adoptedKey(name);
    const fresh = { ...tokens, ...origin, clientID: this.options.clientID, commitId: randomId(), permanent: true };
    let generation = 0;
    while (!(await this.store.create(key, fresh))) {
      await this.refuseForeign('tokens.adopt', name);
      if (!replace) return;
      // A renewal that wins meanwhile only makes it one generation later, and one that is removed leaves the name free.
      const answer = await this.store.commit(key, generation, randomId(), fresh.commitId, {
        ...tokens,
        afterRefusal: false,
        rootId: fresh.commitId,
      });
      if (answer.kind === 'committed') break;
      generation = answer.kind === 'stale' ? answer.record.generation : 0;
    }
    // What we renewed under this name is no longer what the store has lost.
    this.renewer.forget(key);
  }

  /** What another client has stored under a name is nothing that this one may replace, or remove. @throws ConfigError */
  private async refuseForeign(caller: string, name: string): Promise<void> {
    const present = await this.store.read(adoptedKey(name));
    if (!present || present.clientID === this.options.clientID) return;
    throw new ConfigError(caller, [
      `the name '${name}' holds tokens of another client; choose another, or give each client's store a "prefix" of its own.`,
    ]);
  }

  /**
   * Removes the record: the person is signed out, in every process. Answers the tokens that were removed, where they
   * could be read. @throws UnavailableError the store is away
   */
  async remove(key: string): Promise<Tokens | undefined> {
    const reading = await this.read(key).catch((error: unknown) => {
      // No process can ever read this record, so none could ever sign out of it.
      if (error instanceof UnavailableError && error.code === 'store_corrupt') return undefined;
      throw error; // away: the tokens that have to be revoked may be there
    });
    const removed = await this.store.remove(key);
    const unsaved = this.recent.unsaved(key)?.record;
    this.renewer.forget(key);
    if (unsaved) return unsaved;
    // What was read may have been cached, or renewed since; it stands in where the store can't say what it removed.
    return removed?.clientID === this.options.clientID ? removed : reading?.record;
  }

  /**
   * Removes what {@link adopt} stored under a name, in every process, and answers it: for {@link revoke}, where that is
   * wanted. @throws ConfigError there is no name, or it is another client's; UnavailableError the store is away
   */
  async removeAdopted(name: string): Promise<Tokens | undefined> {
    const check = new OptionCheck('tokens.removeAdopted');
    check.text('name', name, "write the name that the tokens were adopted under, like 'office'.");
    check.done();
    await this.refuseForeign('tokens.removeAdopted', name);
    return await this.remove(adoptedKey(name));
  }

  /** Takes back a record that nobody was given the key of. Asks for no tokens: the store may carry out late what it gets. */
  async takeBack(key: string): Promise<void> {
    await this.store.remove(key);
  }

  /**
   * Makes tokens unusable at the server: at Spark, and at that of an `OAuth2Client` with a `revocationURL`. Elsewhere it does
   * nothing. @throws SparkError `revocation_failed`
   */
  async revoke(tokens: Tokens): Promise<void> {
    await this.options.revoke?.(tokens);
  }

  /**
   * Resolves when every renewal under way is finished and stored, or after `withinMs` (default 25 000). For SIGTERM, before
   * the store's client is closed. Afterwards no store that is away is waited for: a renewal that it has not got by then is
   * the only refresh token that lives, and is lost with the process, so that this person has to sign in again.
   * @throws ConfigError `withinMs` is no whole number
   */
  async drain(options: { readonly withinMs?: number | undefined } = {}): Promise<void> {
    const check = new OptionCheck('tokens.drain');
    check.object(options, 'write { withinMs: 20_000 }, or leave them out.');
    const limitMs = check.whole('withinMs', options.withinMs, DRAIN_MS, { min: 0, max: MAX_TIMER_MS });
    check.done();
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        over = true;
        this.renewer.giveUp();
        resolve();
      }, limitMs);
    });
    while (!over) {
      const underWay = [...this.running.results(), ...this.renewer.storing()];
      if (underWay.length === 0) break;
      await Promise.race([Promise.allSettled(underWay), late]);
    }
    clearTimeout(timer);
  }

  private async usable(key: string): Promise<TokenRecord> {
    const reading = await this.read(key);
    if (!reading) throw new SignInRequiredError();
    const left = this.left(reading);
    if (reading.record.state === 'dead') {
      if (left === undefined || left > 0) return reading.record;
      throw new SignInRequiredError('The sign-in has expired. Sign in again.');
    }
    switch (this.renewer.freshness(reading.record, left)) {
      case 'use':
        return reading.record;
      case 'renew-behind':
        this.renewBehind(key, reading.record);
        return reading.record;
      case 'wait':
        return await this.renewedOrStillValid(key, reading);
    }
  }

  /** The API refused this access token as expired. Answers the one to try next; undefined: let the refusal stand. */
  private async afterRefusal(key: string, refused: TokenRecord): Promise<TokenRecord | undefined> {
    if (refused.state === 'dead' || !this.renewer.renewable(refused)) {
      // A wall that went on letting this person pass would leave them no way to sign in again.
      const known = refused.state === 'live' && (await this.store.markDead(key, refused));
      const newer = known ? undefined : await this.storedSince(key, refused);
      if (newer) return newer;
      throw new SignInRequiredError('The sign-in has expired. Sign in again.');
    }
    if (refused.afterRefusal && refused.ageMs < REFUSED_AGAIN_MS) return undefined;
    let result = await this.running.wait(key, refused, true);
    // We may have joined a renewal that only found the very generation that was refused.
    if (result.record.commitId === refused.commitId) result = await this.running.wait(key, refused, true);
    return result.record;
  }

  /** What another process stored after this record: tokens adopted anew, or a late renewal. */
  private async storedSince(key: string, { commitId }: TokenRecord): Promise<TokenRecord | undefined> {
    const record = (await this.read(key))?.record;
    return record?.state === 'live' && record.commitId !== commitId ? record : undefined;
  }

  private async read(key: string): Promise<Reading | undefined> {
    const unsaved = this.recent.unsaved(key);
    if (unsaved) return unsaved;
    const at = this.clock.now();
    const record = await this.store.read(key);
    if (!record || record.clientID !== this.options.clientID) return undefined;
    const answer = await this.recent.offerAgain(key, record);
    if (!answer) return { record, at };
    return answer.kind === 'gone' ? undefined : { record: answer.record, at: this.clock.now() };
  }

  private left({ record, at }: Reading): number | undefined {
    return record.leftMs === undefined ? undefined : record.leftMs - (this.clock.now() - at);
  }

  private renewBehind(key: string, record: TokenRecord): void {
    if (this.running.has(key) || this.renewer.isDeferred(key)) return;
    this.running.begin(key, record, false); // the request at hand has a token that lives
  }

  private async renewedOrStillValid(key: string, reading: Reading): Promise<TokenRecord> {
    const began = this.clock.now();
    try {
      return (await this.running.wait(key, reading.record, false)).record;
    } catch (error) {
      const left = this.left(reading);
      if (error instanceof SignedOutError || left === undefined || left <= 0) throw error;
      publishRenewal(this.options.clientID, key, 'served-stale', this.clock.now() - began);
      return reading.record;
    }
  }
}

/** @throws ConfigError */
function checkRefused(options: AccessTokenOptions): void {
  const check = new OptionCheck('accessToken');
  check.object(options, 'write { refused: accessToken }, with the token that the API has refused, or leave it out.');
  check.known(options, ['refused']);
  // A status, or a flag, would be no token of anybody, and the refused one be answered again.
  if (options.refused !== undefined)
    check.text('refused', options.refused, 'write the token that the API has refused.');
  check.done();
}

/** Names that applications choose never meet the random keys of sign-ins. */
export function adoptedKey(name: string): string {
  return `adopted:${name}`;
}
