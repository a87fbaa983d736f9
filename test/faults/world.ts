import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { GrantSeen, SparkEmulatorOptions } from '../../src/emulator/index.js';
import { RedisTokenStore, TokenService } from '../../src/index.js';
import { SPARK_UPSTREAM } from '../../src/platform.js';
import { Worker } from './application.js';
import { renewed, spentAgain } from './figures.js';
import { ask, type Outcome, type Person, type Reply, seededPerson } from './people.js';
import type { Programs } from './processes.js';
import { connectTo, oneRedis, type RedisSetup } from './redis.js';
import { type Rotation, Spark } from './spark.js';

export interface WorldOptions {
  readonly rotation: Rotation;
  /** Life of an access token. Renewed at half of it. Default 4. */
  readonly lifeSeconds?: number;
  /** Default 30. */
  readonly people?: number;
  /** Processes of the application. Default 2. */
  readonly workers?: number;
  /** Default: one server that stores nothing on disk. */
  readonly redis?: () => Promise<RedisSetup>;
  readonly onUnknown?: 'retry' | 'defer';
  readonly emulator?: SparkEmulatorOptions;
  /** Requests per second of the load. Default 200. */
  readonly rate?: number;
}

/** What one row came to. */
export interface Figures {
  readonly requests: number;
  readonly renewals: number;
  readonly spentTwice: number;
  readonly sessionsLost: number;
  readonly askedToSignIn: number;
  /** Longest time that an answer took beyond the lag of its process, in milliseconds. */
  readonly slowestMs: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** People of whom a process could not say in the end whether they are signed in. */
  readonly undecided: number;
  /** Samples of what should not have been. */
  readonly details: readonly string[];
}

const TICK_MS = 20;
/** A browser does not send much more at once, and a machine that is busy with other things is not flooded. */
const PER_PERSON = 4;
const MAX_UNDER_WAY = 80;
/** Longer than any back-off, lease or deadline that people may have to wait out. */
const RECOVERY_MS = 40_000;
const MAX_DETAILS = 5;

/** An emulator, a Redis, the processes of an application, and people who use it: everything a row disturbs. */
export class World {
  readonly people: Person[] = [];
  readonly workers: Worker[] = [];
  private readonly outcomes: Record<Outcome, number> = {
    served: 0,
    asked: 0,
    refused: 0,
    unavailable: 0,
    failed: 0,
    foreign: 0,
    broken: 0,
  };
  private readonly details: string[] = [];
  private readonly looking = new Set<Person>();
  private readonly busy = new Map<Person, number>();
  private readonly underWay = new Set<Promise<unknown>>();
  private requests = 0;
  private slowestMs = 0;
  private undecided = 0;
  private turn = 0;
  private ticker: NodeJS.Timeout | undefined;

  private constructor(
    private readonly programs: Programs,
    private readonly options: WorldOptions,
    readonly spark: Spark,
    readonly redis: RedisSetup,
    /** Looks into the store. */
    readonly client: Redis | Cluster,
  ) {}

  static async start(programs: Programs, options: WorldOptions): Promise<World> {
    const { rotation, lifeSeconds = 4, people = 30, workers = 2 } = options;
    const usernames = Array.from({ length: people }, (_, i) => `person${i}`);
    const settings = { rotation, expiresIn: lifeSeconds, ...options.emulator };
    const spark = await Spark.start(programs.emulator, usernames, settings);
    const redis = await (options.redis ?? oneRedis)();
    const world = new World(programs, options, spark, redis, connectTo(redis.address));
    try {
      await Promise.all(Array.from({ length: workers }, () => world.addWorker()));
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get lifeMs(): number {
    return (this.options.lifeSeconds ?? 4) * 1_000;
  }

  get usernames(): readonly string[] {
    return Array.from({ length: this.options.people ?? 30 }, (_, i) => `person${i}`);
  }

  async stop(): Promise<void> {
    clearInterval(this.ticker);
    this.client.disconnect();
    await Promise.all([this.spark.stop(), this.redis.stop(), ...this.workers.map((worker) => worker.kill())]);
  }

  async addWorker(): Promise<Worker> {
    const name = `worker-${this.workers.length}`;
    const { onUnknown = 'retry' } = this.options;
    const worker = await Worker.start(this.programs.worker, {
      spark: this.spark.url,
      redis: this.redis.address,
      onUnknown,
      name,
    });
    this.workers.push(worker);
    return worker;
  }

  worker(index: number): Worker {
    const worker = this.workers[index];
    if (!worker) throw new Error(`There is no worker ${index}.`);
    return worker;
  }

  person(index: number): Person {
    const person = this.people[index];
    if (!person) throw new Error(`There is no person ${index}.`);
    return person;
  }

  /** Signs everybody in, and stores the tokens as a process of the application would. */
  async signInEverybody(): Promise<void> {
    for (const username of this.usernames) await this.signIn(username);
  }

  async signIn(username: string): Promise<Person> {
    const tokens = await this.spark.signIn(username);
    const service = new TokenService({
      store: new RedisTokenStore(this.client, { cacheMs: 0, timeoutMs: 30_000 }),
      clientID: 'emulator-client',
      upstream: SPARK_UPSTREAM,
      renew: () => Promise.reject(new Error('The runner renews nothing.')),
    });
    const person = seededPerson(username, await service.create(tokens, {}));
    this.people.push(person);
    return person;
  }

  /** Makes a record older, before anybody has read it: no row has to wait for a long life to pass. */
  async age(person: Person, ms: number): Promise<void> {
    await this.client.hincrby(recordName(person.key), 'sa', -ms);
  }

  /** Makes a claim lapse, and a back-off end: no test has to wait for them. */
  async lapse(person: Person): Promise<void> {
    const name = recordName(person.key);
    await this.client.hdel(name, 'bo');
    if ((await this.client.hexists(name, 'cl')) === 1) await this.client.hset(name, 'cl', '0');
  }

  /** The record's fields as Redis holds them; empty when there is none. */
  async stored(person: Person): Promise<Readonly<Record<string, string>>> {
    return await this.client.hgetall(recordName(person.key));
  }

  /** Requests of everybody to every process, until {@link stopLoad}. */
  startLoad(): void {
    const perTick = ((this.options.rate ?? 200) * TICK_MS) / 1_000;
    let due = 0;
    this.ticker = setInterval(() => {
      for (due += perTick; due >= 1; due -= 1) {
        if (this.underWay.size < MAX_UNDER_WAY) this.track(this.askOnce());
      }
    }, TICK_MS);
  }

  async stopLoad(): Promise<void> {
    clearInterval(this.ticker);
    await Promise.all(this.underWay);
  }

  /** The load goes on for this long. */
  async goOn(ms: number): Promise<void> {
    await sleep(ms);
  }

  get sent(): number {
    return this.requests;
  }

  /** One request, with everything that is to be said about its answer. */
  async request(person: Person, worker: Worker): Promise<Reply> {
    this.requests += 1;
    const reply = await ask(person, worker);
    const disturbed = worker.disturbed >= reply.beganAt;
    this.outcomes[reply.outcome === 'broken' && !disturbed ? 'failed' : reply.outcome] += 1;
    // What the machine owes to other work is not the application's doing: its lag counts for the way there and back.
    const ownMs = reply.tookMs - 2 * worker.worstLagMs(reply.beganAt);
    if (!disturbed) this.slowestMs = Math.max(this.slowestMs, ownMs);
    if (reply.outcome === 'foreign' || reply.outcome === 'failed' || (reply.outcome === 'broken' && !disturbed)) {
      this.note(`${reply.outcome}: ${reply.detail}`);
    }
    if (reply.outcome === 'asked') await this.lookWhetherLost(person, reply);
    return reply;
  }

  /**
   * Asks every process for everybody when all is over, and once more as long as it says «not now».
   * Whoever is told to sign in, by any process, is asked to sign in. The API's own refusal stands where it `apiRefuses`;
   * else it is that of an access token that ran out on its way, and the next one will do.
   */
  async askEverybody({ apiRefuses = false } = {}): Promise<void> {
    const until = Date.now() + RECOVERY_MS;
    const serving = this.workers.filter(({ serving: isServing }) => isServing);
    await Promise.all(
      this.people.flatMap((person) => serving.map((worker) => this.askUntilDecided(person, worker, until, apiRefuses))),
    );
  }

  async figures(): Promise<Figures> {
    const renewals = await this.renewals();
    const again = spentAgain(renewals, this.options.rotation);
    for (const detail of again) this.note(detail);
    return {
      requests: this.requests,
      renewals: renewed(renewals),
      spentTwice: again.length,
      sessionsLost: this.people.filter(({ lost }) => lost).length,
      askedToSignIn: this.people.filter(({ asked }) => asked).length,
      slowestMs: this.slowestMs,
      outcomes: this.outcomes,
      undecided: this.undecided,
      details: this.details,
    };
  }

  async renewals(): Promise<GrantSeen[]> {
    return await this.spark.renewals();
  }

  /** Says in the row's report what went wrong. */
  note(detail: string): void {
    if (this.details.length < MAX_DETAILS) this.details.push(detail);
  }

  private async askOnce(): Promise<void> {
    const serving = this.workers.filter(({ serving: isServing }) => isServing);
    this.turn += 1;
    const person = this.people[this.turn % this.people.length];
    const worker = serving[Math.floor(Math.random() * serving.length)];
    if (!person || !worker) return;
    const atIt = this.busy.get(person) ?? 0;
    if (atIt >= PER_PERSON) return;
    this.busy.set(person, atIt + 1);
    await this.request(person, worker).finally(() => this.busy.set(person, (this.busy.get(person) ?? 1) - 1));
  }

  private track(task: Promise<unknown>): void {
    const tracked = task
      .catch((error: unknown) => this.note(String(error)))
      .finally(() => this.underWay.delete(tracked));
    this.underWay.add(tracked);
  }

  private async askUntilDecided(person: Person, worker: Worker, until: number, apiRefuses: boolean): Promise<void> {
    while (Date.now() < until) {
      const { outcome } = await this.request(person, worker);
      if (outcome === 'served' || (outcome === 'refused' && apiRefuses)) return;
      if (outcome === 'asked') {
        person.asked = true;
        return;
      }
      await sleep(250 + Math.random() * 250);
    }
    this.undecided += 1;
    this.note(`${person.username} never got an answer that stands`);
  }

  /** The person was told to sign in. Did the store hold a refresh token that Spark accepts when the request was made? */
  private async lookWhetherLost(person: Person, reply: Reply): Promise<void> {
    if (person.lost || this.looking.has(person)) return;
    this.looking.add(person);
    try {
      const [refreshToken, storedAt] = await this.client.hmget(recordName(person.key), 'rt', 'sa');
      if (typeof refreshToken !== 'string' || Number(storedAt) >= reply.beganAt) return;
      if (await this.spark.accepts(refreshToken)) {
        person.lost = true;
        this.note(`${person.username} was asked to sign in, but the store's refresh token is good`);
      }
    } finally {
      this.looking.delete(person);
    }
  }
}

export function recordName(key: string): string {
  return `spark:token:${key}`;
}
