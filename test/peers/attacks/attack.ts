import type { Seen } from '../../proxy/support.js';
import type { Site } from '../sites.js';
import { type Ask, ask, type Reply } from '../wire.js';

export interface Attack {
  /** As the table in docs/security.md has it. */
  readonly name: string;
  /** What becomes of it, begins with `passes` or `stopped`; in the order of the contenders. */
  readonly outcomes: readonly [hpm: string, fastify: string, expressHttpProxy: string, ours: string];
  /**
   * The test of ours that guards the rule: its file below test/, without the ending, and its name in the source.
   * Undefined where there is no rule.
   */
  readonly test: readonly [file: string, name: string] | undefined;
  /** Runs it, and says what became of it. */
  run(site: Site): Promise<string>;
}

/** The answer of the API reached the browser, or the request the API: that is what the attacker wants. */
export function outcome(passes: boolean): string {
  return passes ? 'passes' : 'stopped';
}

/** Of a request that the API has not seen. */
export function stopped({ status, hangs }: Reply): string {
  if (hangs) return 'passes, hangs';
  return status === 0 ? 'stopped, connection closed' : `stopped, ${status}`;
}

/** Sends a request, and looks at the first one that arrived at the API. */
export function sends(request: Ask, look: (seen: Seen, site: Site, reply: Reply) => string): Attack['run'] {
  return async (site) => {
    site.api.reset();
    const reply = await ask(site, request);
    const [seen] = site.api.seen;
    return seen ? look(seen, site, reply) : stopped(reply);
  };
}
