import type { GrantSeen } from '../../src/emulator/index.js';
import type { Rotation } from './spark.js';

/**
 * How often a refresh token arrived at Spark once more after a request that could have spent it: two parties used one
 * token. A request that an injected fault turned away before any work was done has spent nothing.
 * Without rotation a refresh token comes back by right, but not within a quarter of the life of the access token that it
 * brought: nothing is due by then.
 */
export function spentTwice(renewals: readonly GrantSeen[], rotation: Rotation, lifeMs: number): number {
  const spentAt = new Map<string, number>();
  let extra = 0;
  for (const { refreshToken, fault, at } of renewals) {
    if (refreshToken === null || isTurnedAway(fault)) continue;
    const before = spentAt.get(refreshToken);
    if (before !== undefined && (rotation !== 'none' || at - before < lifeMs / 4)) extra += 1;
    spentAt.set(refreshToken, at);
  }
  return extra;
}

/** Renewals that Spark carried out. */
export function renewed(renewals: readonly GrantSeen[]): number {
  return renewals.filter(({ issued }) => issued !== null).length;
}

function isTurnedAway(fault: string | null): boolean {
  return fault !== null && !fault.endsWith('-after');
}
