import { spentAgain } from '../../test/faults/figures.js';
import type { Spark } from '../../test/faults/spark.js';
import type { Fleet } from './fleet.js';
import { PROCESSES, REQUESTS, type Server } from './setting.js';

/** What one storm came to. */
export interface Storm {
  /** Refresh grants that Spark got. */
  readonly grants: number;
  readonly refused: number;
  /** Times that a refresh token came once more after it had been sent. */
  readonly spentTwice: number;
  /** Requests without a 2xx. */
  readonly failed: number;
  /** Of these, the ones that were answered 401: sign in again. */
  readonly asked: number;
  /** Until the last answer. */
  readonly ms: number;
  /** Right after it, a request to each process is served. */
  readonly signedIn: boolean;
}

/** 200 requests of one person whose access token has expired. */
export async function storm(fleet: Fleet, cookie: string, spark: Spark, { rotation }: Server): Promise<Storm> {
  await fleet.getReady();
  const before = (await spark.renewals()).length;
  const began = performance.now();
  const statuses = await fleet.ask(cookie, REQUESTS);
  const ms = Math.round(performance.now() - began);
  const grants = (await spark.renewals()).slice(before);
  return {
    grants: grants.length,
    refused: grants.filter(({ issued }) => issued === null).length,
    spentTwice: spentAgain(grants, rotation).length,
    failed: statuses.filter((status) => status < 200 || status > 299).length,
    asked: statuses.filter((status) => status === 401).length,
    ms,
    signedIn: await isSignedIn(fleet, cookie),
  };
}

/** Serves every process this person, one after the other? */
export async function isSignedIn(fleet: Fleet, cookie: string): Promise<boolean> {
  for (let process = 0; process < PROCESSES; process++) {
    if ((await fleet.askOne(cookie, process)) !== 200) return false;
  }
  return true;
}
