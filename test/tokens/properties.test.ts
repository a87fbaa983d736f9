import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { MemoryTokenStore, RedisTokenStore, type TokenStore } from '../../src/index.js';
import { type RedisServer, startRedis } from '../support/redis.js';

const LEASE_MS = 60_000;

/** What four processes can do to one record, in any order. Each names the actor and nothing else: the rest follows from what it knows. */
const step = fc.record({
  act: fc.constantFrom(
    'create',
    'claim',
    'claim',
    'commit',
    'commit',
    'settle',
    'fail',
    'lapse',
    'crash',
    'extend',
    'markDead',
    'read',
    'remove',
  ),
  actor: fc.nat(3),
  /** The client reconnected and sent the call again. */
  resend: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The contract as plain data: what the record should be by now. */
interface Model {
  generation: number;
  commitId: string;
  state: 'live' | 'dead';
  claim: { attempt: string; lapsed: boolean } | undefined;
  outcomeUnknown: boolean;
}

/** What one process remembers between its calls. */
interface Actor {
  seen: { generation: number; commitId: string };
  attempt: string;
  granted: { generation: number; commitId: string } | undefined;
}

class World {
  readonly key = randomUUID();
  private model: Model | undefined;
  private removed = false;
  private highest = 0;
  private count = 0;
  private readonly actors: Actor[] = Array.from({ length: 4 }, () => this.newActor());

  constructor(private readonly store: TokenStore) {}

  async take({ act, actor: index, resend }: Step): Promise<void> {
    const actor = this.actors[index] as Actor;
    await this[act](actor, resend ? 2 : 1);
    await this.invariants();
  }

  private newActor(): Actor {
    return { seen: { generation: 0, commitId: 'none' }, attempt: `attempt ${this.next()}`, granted: undefined };
  }

  private next(): number {
    this.count += 1;
    return this.count;
  }

  private async times<T>(count: number, call: () => Promise<T>): Promise<T> {
    let answer = await call();
    for (let i = 1; i < count; i += 1) {
      const again = await call();
      expect(kindOf(again)).toEqual(kindOf(answer));
      answer = again;
    }
    return answer;
  }

  private async create(_actor: Actor, times: number): Promise<void> {
    if (this.removed) return; // signing in again makes a new key: nothing creates a removed one
    const commitId = `sign-in ${this.next()}`;
    const tokens = { accessToken: commitId, refreshToken: commitId, lifetimeMs: 1_000_000, clientID: 'client' };
    const created = await this.times(times, () => this.store.create(this.key, { ...tokens, commitId }));
    expect(created).toBe(this.model === undefined);
    this.model ??= { generation: 0, commitId, state: 'live', claim: undefined, outcomeUnknown: false };
  }

  private async read(actor: Actor): Promise<void> {
    const record = await this.store.read(this.key);
    if (record) actor.seen = { generation: record.generation, commitId: record.commitId };
  }

  private async claim(actor: Actor, times: number): Promise<void> {
    const answer = await this.times(times, () => this.store.claim(this.key, actor.seen, actor.attempt, LEASE_MS));
    const { model } = this;
    if (!model) return expect(answer).toEqual({ kind: 'gone' });
    if (model.commitId !== actor.seen.commitId) {
      expect(answer).toMatchObject({
        kind: 'fresh',
        record: { commitId: model.commitId, generation: model.generation },
      });
      actor.seen = { generation: model.generation, commitId: model.commitId };
      return undefined;
    }
    if (model.state === 'dead') return expect(answer).toEqual({ kind: 'dead' });
    const other = model.claim && model.claim.attempt !== actor.attempt ? model.claim : undefined;
    // I1: while a holder lives, nobody else may spend this refresh token; after a silent one, only with a warning.
    if (other && !other.lapsed) return expect(answer).toEqual({ kind: 'held' });
    if (other) model.outcomeUnknown = true;
    expect(answer).toMatchObject({
      kind: 'granted',
      outcomeUnknown: model.outcomeUnknown,
      record: { commitId: model.commitId },
    });
    model.claim = { attempt: actor.attempt, lapsed: false };
    actor.granted = { ...actor.seen };
    return undefined;
  }

  private async commit(actor: Actor, times: number): Promise<void> {
    const { granted, attempt } = actor;
    if (!granted) return;
    const commitId = `${attempt} of ${granted.generation}`;
    const tokens = { accessToken: commitId, refreshToken: commitId, lifetimeMs: 1_000_000, afterRefusal: false };
    const answer = await this.times(times, () =>
      this.store.commit(this.key, granted.generation, attempt, commitId, tokens),
    );
    this.forget(actor);
    const { model } = this;
    if (!model) return expect(answer).toEqual({ kind: 'gone' });
    if (model.generation > granted.generation) {
      return expect(answer).toMatchObject({ kind: 'stale', record: { commitId: model.commitId } });
    }
    expect(answer).toMatchObject({ kind: 'committed', record: { commitId, accessToken: commitId } });
    this.model = {
      generation: granted.generation + 1,
      commitId,
      state: 'live',
      claim: undefined,
      outcomeUnknown: false,
    };
    return undefined;
  }

  private async end(actor: Actor, times: number, outcome: 'refused' | 'unknown'): Promise<void> {
    const { attempt } = actor;
    await this.times(times, () => this.store.settle(this.key, attempt, outcome));
    if (this.model?.claim?.attempt === attempt) {
      this.model.claim = undefined;
      if (outcome === 'unknown') this.model.outcomeUnknown = true;
    }
    this.forget(actor);
  }

  private async settle(actor: Actor, times: number): Promise<void> {
    await this.end(actor, times, 'refused');
  }

  private async fail(actor: Actor, times: number): Promise<void> {
    await this.end(actor, times, 'unknown');
  }

  /** The lease runs out (a heartbeat of no time): the actor is frozen, and may still commit. */
  private async lapse(actor: Actor): Promise<void> {
    const mine = this.model?.claim?.attempt === actor.attempt;
    expect(await this.store.extend(this.key, actor.attempt, 0)).toBe(mine);
    if (this.model?.claim && mine) this.model.claim.lapsed = true;
  }

  private async extend(actor: Actor, times: number): Promise<void> {
    const mine = this.model?.claim?.attempt === actor.attempt;
    expect(await this.times(times, () => this.store.extend(this.key, actor.attempt, LEASE_MS))).toBe(mine);
    if (this.model?.claim && mine) this.model.claim.lapsed = false;
  }

  /** The process dies: its lease runs out and it never says anything again. */
  private async crash(actor: Actor): Promise<void> {
    await this.lapse(actor);
    this.forget(actor);
  }

  private async markDead(actor: Actor, times: number): Promise<void> {
    const current = this.model?.commitId === actor.seen.commitId;
    expect(await this.times(times, () => this.store.markDead(this.key, actor.seen))).toBe(current);
    if (this.model && current) this.model.state = 'dead';
  }

  private async remove(_actor: Actor, times: number): Promise<void> {
    const removed = await this.store.remove(this.key);
    expect(removed?.commitId).toBe(this.model?.commitId);
    if (times > 1) expect(await this.store.remove(this.key)).toBeUndefined();
    this.removed = this.removed || this.model !== undefined;
    this.model = undefined;
  }

  private forget(actor: Actor): void {
    actor.granted = undefined;
    actor.attempt = `attempt ${this.next()}`;
  }

  private async invariants(): Promise<void> {
    const record = await this.store.read(this.key);
    const { model } = this;
    // I5: what was removed stays removed.
    expect(record === undefined).toBe(model === undefined);
    if (!record || !model) return;
    // I2: a generation never decreases, and holds the tokens that were committed as it.
    expect(record.generation).toBeGreaterThanOrEqual(this.highest);
    this.highest = record.generation;
    expect(record).toMatchObject({
      generation: model.generation,
      commitId: model.commitId,
      accessToken: model.commitId,
      state: model.state,
    });
  }
}

function kindOf(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : answer;
}

async function holds(open: () => TokenStore, runs: number): Promise<void> {
  const history = fc.array(step, { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const world = new World(open());
      await world.take({ act: 'create', actor: 0, resend: false });
      for (const one of steps) await world.take(one);
    }),
    { numRuns: runs },
  );
}

describe('whatever four processes do to one record, the contract holds', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });

  it('in memory', async () => {
    await holds(() => new MemoryTokenStore(), 1_000);
  }, 60_000);

  it('in Redis', async () => {
    const client = redis.connect();
    await holds(() => new RedisTokenStore(client, { cacheMs: 0 }), 200);
  }, 60_000);

  it('in Redis, with the cache of one process and encryption', async () => {
    const store = new RedisTokenStore(redis.connect(), {
      encryptionKeys: ['a secret of at least thirty-two characters'],
    });
    await holds(() => store, 150);
  }, 60_000);
});
