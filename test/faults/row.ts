import { setTimeout as sleep } from 'node:timers/promises';
import { ANSWER_MS } from './application.js';
import type { Programs } from './processes.js';
import { type Figures, World, type WorldOptions } from './world.js';

/** A fault, how it is made, and what may come of it. */
export interface Row extends WorldOptions {
  readonly fault: string;
  /** Signs people in. Default: everybody, without a browser. */
  readonly prepare?: (world: World) => Promise<void>;
  /** Disturbs the world while the load goes on. */
  readonly disturb: (world: World, pace: Pace) => Promise<void>;
  /**
   * An answer or a commit is lost, or a holder frozen: nobody can know then whether a refresh token was spent, so it may
   * arrive twice. Default false.
   */
  readonly mayRepeat?: boolean;
  /** How many people may be asked to sign in. Default: nobody. */
  readonly asked?: (count: number, people: number) => boolean;
  /** The API itself refuses access tokens in this row. Default false. */
  readonly apiRefuses?: boolean;
  /** More that must hold; answers what does not. */
  readonly check?: (world: World, figures: Figures) => Promise<readonly string[]>;
  /** Comes after all others, and makes the requests that they left. Default false. */
  readonly last?: boolean;
  /** The short form leaves it out. Default false. */
  readonly fullOnly?: boolean;
}

/** How much of everything: the short form is for every change, the full one for a release. */
export interface Pace {
  readonly quick: boolean;
  /** How often a fault comes that can come more than once. */
  readonly times: number;
  /** What all rows together still owe of the requests that a run makes. */
  readonly requestsLeft: number;
}

export interface Result {
  readonly row: Row;
  readonly figures: Figures;
  /** The rules that the row broke. */
  readonly problems: readonly string[];
}

/** A row that takes longer than this hangs somewhere. */
const ROW_MS = 150_000;

/** Fewer people and requests, and shorter lives, for the short form. */
function quickened(row: Row): WorldOptions {
  return { lifeSeconds: 3, ...row, people: Math.min(row.people ?? 8, 8), rate: 20, workers: 2 };
}

export async function runRow(row: Row, programs: Programs, pace: Pace): Promise<Result> {
  const options = pace.quick ? quickened(row) : row;
  const world = await World.start(programs, options);
  try {
    const late = sleep(ROW_MS, undefined, { ref: false }).then(() => {
      throw new Error(`took longer than ${ROW_MS / 1_000} s`);
    });
    const figures = await Promise.race([live(world, row, pace), late]);
    return {
      row,
      figures,
      problems: [...broken(row, figures, world.people.length), ...((await row.check?.(world, figures)) ?? [])],
    };
  } finally {
    await world.stop();
  }
}

async function live(world: World, row: Row, pace: Pace): Promise<Figures> {
  await (row.prepare ? row.prepare(world) : world.signInEverybody());
  world.startLoad();
  await row.disturb(world, pace);
  // Access tokens that outlive their refresh token are served while they live: what follows is seen when they are over.
  if (world.lifeMs < 10_000) await world.goOn(world.lifeMs * 1.2);
  await world.stopLoad();
  await world.askEverybody({ apiRefuses: row.apiRefuses ?? false });
  return await world.figures();
}

/** The rules that hold in every row. */
function broken(row: Row, figures: Figures, people: number): string[] {
  const { sessionsLost, spentTwice, askedToSignIn, slowestMs, outcomes, details } = figures;
  const problems: string[] = [];
  const rule = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  rule(sessionsLost === 0, `${sessionsLost} people lost a session that could have been renewed`);
  rule(row.mayRepeat === true || spentTwice === 0, `refresh tokens arrived twice, ${spentTwice} times`);
  const mayAsk = row.asked ?? ((count: number) => count === 0);
  rule(mayAsk(askedToSignIn, people), `${askedToSignIn} of ${people} people were asked to sign in`);
  rule(slowestMs < ANSWER_MS, `an answer took ${slowestMs} ms`);
  rule(outcomes.foreign === 0, `${outcomes.foreign} answers were somebody else's`);
  rule(figures.undecided === 0, `${figures.undecided} people never got an answer that stands`);
  rule(outcomes.failed === 0, `${outcomes.failed} requests failed`);
  return problems.length === 0 ? [] : [...problems, ...details];
}
