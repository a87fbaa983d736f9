import type { GrantFault } from '../../../src/emulator/index.js';
import type { Row } from '../row.js';
import { onlyStrictAsks } from './processes.js';

/** The longest back-off after a refusal of the client, 10 s and its jitter. */
const CONFIG_BACKOFF_MS = 12_500;
const ALL = 100_000;

export const grantRows: readonly Row[] = [
  ...(['strict', 'grace', 'none'] as const).map((rotation) =>
    lostAnswers(
      { fault: 'answer lost after the rotation', rotation, fullOnly: rotation !== 'grace' },
      { kind: 'drop-after' },
    ),
  ),
  ...(['strict', 'grace'] as const).map((rotation) =>
    lostAnswers(
      { fault: 'answer cut in the middle', rotation, fullOnly: rotation === 'strict' },
      { kind: 'cut-after' },
    ),
  ),
  storm({ fault: 'connection reset before the work', rotation: 'strict' }, { kind: 'reset' }, 4_000),
  storm({ fault: 'token endpoint answers 503', rotation: 'strict' }, { kind: 'status', status: 503 }, 4_000),
  storm(
    { fault: 'token endpoint answers 503', rotation: 'none', fullOnly: true },
    { kind: 'status', status: 503 },
    4_000,
  ),
  storm({ fault: '429 with Retry-After', rotation: 'strict' }, { kind: 'status', status: 429, retryAfter: 3 }, 4_000),
  storm({ fault: '200 with an HTML page', rotation: 'strict' }, { kind: 'html' }, 4_000),
  storm(
    { fault: 'invalid_client', rotation: 'strict' },
    { kind: 'refuse', error: 'invalid_client', status: 401 },
    CONFIG_BACKOFF_MS,
  ),
  storm(
    { fault: 'unauthorized_client', rotation: 'grace', fullOnly: true },
    { kind: 'refuse', error: 'unauthorized_client' },
    CONFIG_BACKOFF_MS,
  ),
  {
    fault: 'invalid_grant for one person',
    rotation: 'strict',
    asked: (count) => count === 1,
    disturb: async (world) => {
      await world.spark.expireRefreshTokens(world.person(0).username);
      await world.goOn(world.lifeMs);
    },
    check: async ({ people }) => (people[0]?.asked ? [] : ['somebody else was asked to sign in']),
  },
  {
    fault: 'second sign-in, one grant per person',
    rotation: 'strict',
    emulator: { grantsPerPerson: 'one' },
    // Spark ended the first sign-in of everybody: until it is due for renewal the API says so, then we do.
    apiRefuses: true,
    asked: (count, people) => count === people / 2,
    disturb: async (world) => {
      await world.goOn(world.lifeMs / 2);
      for (const username of world.usernames) await world.signIn(username);
      await world.goOn(world.lifeMs);
    },
    check: async ({ people }) =>
      people.slice(people.length / 2).some(({ asked }) => asked) ? ['a second sign-in was ended too'] : [],
  },
  {
    fault: 'the API answers 1020 for ever',
    rotation: 'strict',
    lifeSeconds: 600,
    apiRefuses: true,
    disturb: async (world, { quick }) => {
      await world.spark.failCalls({ code: 1020 }, ALL);
      await world.goOn(quick ? 6_000 : 20_000);
    },
    check: async ({ people }, { renewals }) =>
      renewals <= people.length ? [] : [`${renewals} renewals for ${people.length} people`],
  },
];

/** Some answers are lost on their way back, now and then. */
function lostAnswers(row: Omit<Row, 'disturb'>, fault: GrantFault): Row {
  return {
    ...row,
    mayRepeat: true,
    ...onlyStrictAsks(row.rotation),
    disturb: async (world, { times }) => {
      for (let i = 0; i < times; i += 1) {
        await world.spark.failGrants(fault, 5);
        await world.goOn(world.lifeMs);
      }
    },
  };
}

/** The token endpoint gives nothing for as many grants as there are people, and some more. Nobody is signed out for it. */
function storm(row: Omit<Row, 'disturb'>, fault: GrantFault, backoffMs: number): Row {
  return {
    ...row,
    disturb: async (world) => {
      await world.spark.failGrants(fault, Math.ceil(world.people.length * 1.5));
      await world.goOn(world.lifeMs + backoffMs);
    },
  };
}
