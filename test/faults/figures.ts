import type { GrantSeen } from '../../src/emulator/index.js';
import type { Rotation } from './spark.js';

/**
 * The times when a refresh token arrived at Spark once more after a request that could have spent it: two parties used one
 * token. A request that an injected fault turned away before any work was done has spent nothing. Without rotation a
 * refresh token comes back by right, but only when the request before it has its answer.
 */
export function spentAgain(renewals: readonly GrantSeen[], rotation: Rotation): string[] {
  const spent = new Map<string, GrantSeen>();
  const again: string[] = [];
  for (const grant of renewals) {
    if (grant.refreshToken === null || isTurnedAway(grant.fault)) continue;
    const before = spent.get(grant.refreshToken);
    if (before && (rotation !== 'none' || grant.at < (before.answeredAt ?? Number.POSITIVE_INFINITY))) {
      const [first, second] = [before, grant].map(({ headers }) => headers['x-sparkapi-user-agent']);
      again.push(`${before.person}'s refresh token: ${first}, and ${second} ${grant.at - before.at} ms later`);
    }
    spent.set(grant.refreshToken, grant);
  }
  return again;
}

/** Renewals that Spark carried out. */
export function renewed(renewals: readonly GrantSeen[]): number {
  return renewals.filter(({ issued }) => issued !== null).length;
}

function isTurnedAway(fault: string | null): boolean {
  return fault !== null && !fault.endsWith('-after');
}
