import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NewTokenRecord, RenewedTokens, TokenStore } from '../tokens/store.js';

/** One promise of the {@link TokenStore} contract. */
export interface ContractCase {
  readonly name: string;
  /** Rejects with an AssertionError where the store breaks it. Uses keys of its own: one store serves all cases. */
  run(store: TokenStore): Promise<void>;
}

const LEASE_MS = 10_000;
const SHORT_MS = 60;

/**
 * The contract of a token store as tests, for any test runner.
 * @example
 * for (const { name, run } of tokenStoreContract) it(name, () => run(new MyTokenStore()));
 */
export const tokenStoreContract: readonly ContractCase[] = [
  {
    name: 'answers that a key is gone which was never created',
    async run(store) {
      const key = randomUUID();
      assert.equal(await store.read(key), undefined);
      assert.deepEqual(await store.claim(key, seen(0, 'x'), 'attempt', LEASE_MS), { kind: 'gone' });
      assert.deepEqual(await store.commit(key, 0, 'attempt', 'commit', renewed('a')), { kind: 'gone' });
      assert.equal(await store.extend(key, 'attempt', LEASE_MS), false);
      assert.equal(await store.markDead(key, seen(0, 'x')), false);
      await store.settle(key, 'attempt', 'unknown');
      await store.remove(key);
      assert.equal(await store.read(key), undefined, 'none of these calls creates a record');
    },
  },
  {
    name: 'reads back what was created, with the time that is left',
    async run(store) {
      const { key, record } = await created(store, {
        role: 'vow',
        portal: 'myportal',
        redirectURI: 'https://app.example.com/cb',
        grant: 'client_credentials',
        scope: 'listings contacts',
        params: { audience: 'https://api.example.com/', resource: 'a b&c=d' },
      });
      const read = await store.read(key);
      assert.ok(read);
      const { leftMs = 0, ageMs, ...rest } = read;
      assert.deepEqual(rest, {
        accessToken: record.accessToken,
        refreshToken: record.refreshToken,
        lifetimeMs: record.lifetimeMs,
        commitId: record.commitId,
        rootId: record.commitId,
        clientID: 'client',
        role: 'vow',
        portal: 'myportal',
        redirectURI: 'https://app.example.com/cb',
        grant: 'client_credentials',
        scope: 'listings contacts',
        params: { audience: 'https://api.example.com/', resource: 'a b&c=d' },
        generation: 0,
        state: 'live',
        afterRefusal: false,
      });
      assert.ok(leftMs > 3_500_000 && leftMs <= 3_600_000, `leftMs is ${leftMs}`);
      assert.ok(ageMs >= 0 && ageMs < 60_000, `ageMs is ${ageMs}`);
    },
  },
  {
    name: 'keeps tokens that have no refresh token and never expire',
    async run(store) {
      const { key } = await created(store, { refreshToken: undefined, lifetimeMs: undefined });
      const read = await store.read(key);
      assert.equal(read?.refreshToken, undefined);
      assert.equal(read?.leftMs, undefined);
    },
  },
  {
    name: 'counts the time of a record down by its own clock',
    async run(store) {
      const { key } = await created(store, { lifetimeMs: 40 });
      await sleep(SHORT_MS);
      const read = await store.read(key);
      assert.ok((read?.leftMs ?? 0) < 0, 'an expired record is read, with negative time left');
      assert.ok((read?.ageMs ?? 0) >= 40);
    },
  },
  {
    name: 'creates only where nothing is, and says yes again to a call that is sent twice',
    async run(store) {
      const { key, record } = await created(store);
      assert.equal(await store.create(key, record), true, 'the same call again');
      assert.equal(await store.create(key, { ...record, commitId: 'other', accessToken: 'other' }), false);
      assert.equal((await store.read(key))?.accessToken, record.accessToken);
    },
  },
  {
    name: 'grants a claim to one attempt at a time, and again to the same attempt',
    async run(store) {
      const { key, at } = await created(store);
      const first = await store.claim(key, at, 'one', LEASE_MS);
      assert.equal(first.kind, 'granted');
      assert.equal(first.kind === 'granted' && first.outcomeUnknown, false);
      assert.deepEqual(await store.claim(key, at, 'two', LEASE_MS), { kind: 'held' });
      assert.equal((await store.claim(key, at, 'one', LEASE_MS)).kind, 'granted');
    },
  },
  {
    name: 'grants exactly one of twenty claims that come together',
    async run(store) {
      const { key, at } = await created(store);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.claim(key, at, `attempt ${i}`, LEASE_MS)),
      );
      assert.equal(answers.filter(({ kind }) => kind === 'granted').length, 1);
      assert.equal(answers.filter(({ kind }) => kind === 'held').length, 19);
    },
  },
  {
    name: 'gives a lapsed claim to the next attempt and says that its outcome is unknown',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'crashed', 20);
      await sleep(SHORT_MS);
      const answer = await store.claim(key, at, 'next', LEASE_MS);
      assert.equal(answer.kind === 'granted' && answer.outcomeUnknown, true);
    },
  },
  {
    name: 'keeps a claim alive by its heartbeat, and only for its own attempt',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', 20);
      assert.equal(await store.extend(key, 'two', LEASE_MS), false);
      assert.equal(await store.extend(key, 'one', LEASE_MS), true);
      await sleep(SHORT_MS);
      assert.equal((await store.claim(key, at, 'two', LEASE_MS)).kind, 'held');
    },
  },
  {
    name: 'stores a commit as the next generation and ends the claim',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      const answer = await store.commit(key, 0, 'one', 'second', { ...renewed('new'), afterRefusal: true });
      assert.equal(answer.kind, 'committed');
      const read = await store.read(key);
      assert.equal(read?.generation, 1);
      assert.equal(read?.commitId, 'second');
      assert.equal(read?.accessToken, 'access new');
      assert.equal(read?.refreshToken, 'refresh new');
      assert.equal(read?.afterRefusal, true);
      assert.equal((await store.claim(key, seen(1, 'second'), 'two', LEASE_MS)).kind, 'granted');
    },
  },
  {
    name: 'keeps nothing of the tokens that a commit replaces',
    async run(store) {
      const { key } = await created(store);
      await store.commit(key, 0, 'one', 'second', { ...renewed('new'), afterRefusal: true });
      await store.commit(key, 1, 'one', 'third', { accessToken: 'access alone', afterRefusal: false });
      const read = await store.read(key);
      assert.equal(read?.accessToken, 'access alone');
      assert.equal(read?.refreshToken, undefined, 'there is none any more');
      assert.equal(read?.lifetimeMs, undefined, 'and these tokens never expire');
      assert.equal(read?.leftMs, undefined);
      assert.equal(read?.afterRefusal, false);
    },
  },
  {
    name: 'answers a commit that is sent twice as it did the first time',
    async run(store) {
      const { key } = await created(store);
      await store.commit(key, 0, 'one', 'second', renewed('new'));
      const again = await store.commit(key, 0, 'one', 'second', renewed('new'));
      assert.equal(again.kind, 'committed');
      assert.equal((await store.read(key))?.generation, 1);
    },
  },
  {
    name: 'takes the commit of a holder whose lease has lapsed: it has the only refresh token that lives',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'frozen', 20);
      await sleep(SHORT_MS);
      await store.claim(key, at, 'next', LEASE_MS);
      assert.equal((await store.commit(key, 0, 'frozen', 'second', renewed('late'))).kind, 'committed');
      assert.equal((await store.read(key))?.accessToken, 'access late');
    },
  },
  {
    name: 'refuses a commit of a generation that another commit has followed already',
    async run(store) {
      const { key } = await created(store);
      await store.commit(key, 0, 'one', 'second', renewed('winner'));
      const late = await store.commit(key, 0, 'two', 'other second', renewed('loser'));
      assert.equal(late.kind === 'stale' && late.record.accessToken, 'access winner');
      assert.equal((await store.read(key))?.accessToken, 'access winner');
    },
  },
  {
    name: 'refuses the commit of a record that was removed, and another stored under its key',
    async run(store) {
      const { key, record, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.remove(key);
      const root = randomUUID();
      await store.create(key, { ...record, commitId: root });
      const late = await store.commit(key, 0, 'one', 'second', { ...renewed('late'), ofRootId: record.commitId });
      assert.equal(late.kind === 'stale' && late.record.commitId, root);
      assert.equal((await store.read(key))?.accessToken, record.accessToken);
      const own = await store.commit(key, 0, 'two', 'third', { ...renewed('own'), ofRootId: root });
      assert.equal(own.kind, 'committed');
    },
  },
  {
    name: 'takes a commit that is ahead of it: a failover lost the writes between',
    async run(store) {
      const { key } = await created(store);
      const ahead = await store.commit(key, 4, 'one', 'fifth', renewed('ahead'));
      assert.equal(ahead.kind === 'committed' && ahead.record.generation, 5);
    },
  },
  {
    name: 'hands a fresh record to a claim that saw an older one',
    async run(store) {
      const { key, at } = await created(store);
      await store.commit(key, 0, 'one', 'second', renewed('new'));
      const answer = await store.claim(key, at, 'two', LEASE_MS);
      assert.equal(answer.kind === 'fresh' && answer.record.accessToken, 'access new');
    },
  },
  {
    name: 'remembers an unknown outcome for the next claim, until a commit',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.settle(key, 'one', 'unknown');
      const second = await store.claim(key, at, 'two', LEASE_MS);
      assert.equal(second.kind === 'granted' && second.outcomeUnknown, true);
      await store.settle(key, 'two', 'not-sent');
      const third = await store.claim(key, at, 'three', LEASE_MS);
      assert.equal(
        third.kind === 'granted' && third.outcomeUnknown,
        true,
        'a request that was not sent settles nothing',
      );
      await store.commit(key, 0, 'three', 'second', renewed('new'));
      const fourth = await store.claim(key, seen(1, 'second'), 'four', LEASE_MS);
      assert.equal(fourth.kind, 'granted', 'a commit ends what was unknown before it, and the claim');
      assert.equal(fourth.kind === 'granted' && fourth.outcomeUnknown, false);
    },
  },
  {
    name: 'settles only for the attempt that holds the claim',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.settle(key, 'two', 'refused');
      assert.equal((await store.claim(key, at, 'two', LEASE_MS)).kind, 'held');
    },
  },
  {
    name: 'makes everybody wait for the back-off that a settlement asked for',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.settle(key, 'one', 'refused', 200);
      const waiting = await store.claim(key, at, 'two', LEASE_MS);
      assert.ok(waiting.kind === 'backoff' && waiting.ms > 0 && waiting.ms <= 200, JSON.stringify(waiting));
      await sleep(250);
      assert.equal((await store.claim(key, at, 'two', LEASE_MS)).kind, 'granted');
    },
  },
  {
    name: 'ends the back-off of a failed attempt with the commit of a late one',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.settle(key, 'one', 'unknown', LEASE_MS);
      await store.commit(key, 0, 'one', 'second', renewed('late'));
      assert.equal((await store.claim(key, seen(1, 'second'), 'two', LEASE_MS)).kind, 'granted');
    },
  },
  {
    name: 'marks exactly the generation dead that was seen, and revives it by a later commit of it',
    async run(store) {
      const { key, at } = await created(store);
      assert.equal(await store.markDead(key, seen(0, 'another')), false);
      assert.equal((await store.read(key))?.state, 'live');
      assert.equal(await store.markDead(key, at), true);
      assert.equal((await store.read(key))?.state, 'dead');
      assert.deepEqual(await store.claim(key, at, 'one', LEASE_MS), { kind: 'dead' });
      assert.equal((await store.commit(key, 0, 'late', 'second', renewed('late'))).kind, 'committed');
      assert.equal((await store.read(key))?.state, 'live');
    },
  },
  {
    name: 'never brings a removed record back',
    async run(store) {
      const { key, at } = await created(store);
      await store.claim(key, at, 'one', LEASE_MS);
      await store.remove(key);
      assert.equal(await store.remove(key), undefined);
      assert.equal(await store.extend(key, 'one', LEASE_MS), false);
      await store.settle(key, 'one', 'unknown', 1_000);
      assert.deepEqual(await store.commit(key, 0, 'one', 'second', renewed('new')), { kind: 'gone' });
      assert.equal(await store.markDead(key, at), false);
      assert.equal(await store.read(key), undefined);
    },
  },
  {
    name: 'answers what it removed, of the last generation, and from which sign-in it came',
    async run(store) {
      const { key, record } = await created(store);
      await store.commit(key, 0, 'one', 'second', renewed('new'));
      const { accessToken, generation, commitId, rootId } = (await store.remove(key)) ?? {};
      assert.deepEqual(
        { accessToken, generation, commitId, rootId },
        { accessToken: 'access new', generation: 1, commitId: 'second', rootId: record.commitId },
      );
    },
  },
  {
    name: 'takes over the root id of tokens that come from elsewhere',
    async run(store) {
      const { key, record } = await created(store);
      await store.commit(key, 0, 'one', 'second', renewed('new'));
      assert.equal((await store.read(key))?.rootId, record.commitId);
      await store.commit(key, 1, 'one', 'third', { ...renewed('newer'), rootId: 'third' });
      assert.equal((await store.read(key))?.rootId, 'third');
    },
  },
  {
    name: 'keeps the records of different keys apart',
    async run(store) {
      const [one, two] = [await created(store), await created(store)];
      await store.commit(one.key, 0, 'one', 'second', renewed('new'));
      await store.remove(one.key);
      assert.equal((await store.read(two.key))?.accessToken, two.record.accessToken);
    },
  },
  {
    name: 'lets a thing happen once until its time is over, if it has once()',
    async run(store) {
      if (!store.once) return;
      const [name, other] = [randomUUID(), randomUUID()];
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((callId) => store.once?.(name, callId, LEASE_MS).then((first) => first && callId)),
      );
      const [winner, ...others] = answers.filter(Boolean);
      assert.deepEqual([typeof winner, others], ['string', []], 'one of calls at the same time is the first');
      assert.equal(
        await store.once(name, String(winner), LEASE_MS),
        true,
        'a call that is sent again is answered again',
      );
      assert.equal(await store.once(name, 'late', LEASE_MS), false);
      assert.equal(await store.once(other, 'a', SHORT_MS), true);
      await sleep(2 * SHORT_MS);
      assert.equal(await store.once(other, 'b', SHORT_MS), true);
    },
  },
];

async function created(
  store: TokenStore,
  given: Partial<NewTokenRecord> = {},
): Promise<{ key: string; record: NewTokenRecord; at: { generation: number; commitId: string } }> {
  const key = randomUUID();
  const commitId = randomUUID();
  const record: NewTokenRecord = {
    accessToken: `access ${key}`,
    refreshToken: `refresh ${key}`,
    lifetimeMs: 3_600_000,
    clientID: 'client',
    role: 'private',
    ...given,
    commitId,
  };
  assert.equal(await store.create(key, record), true);
  return { key, record, at: seen(0, commitId) };
}

function seen(generation: number, commitId: string): { generation: number; commitId: string } {
  return { generation, commitId };
}

function renewed(name: string): RenewedTokens {
  return { accessToken: `access ${name}`, refreshToken: `refresh ${name}`, lifetimeMs: 3_600_000, afterRefusal: false };
}
