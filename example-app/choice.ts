import type { SparkStrategy } from '../src/index.js';
import { FLOWS, type Flow, ROLES, type Role } from '../src/platform.js';

/** How somebody wants to sign in. What is left out is as the strategy has it. */
export interface Choice {
  readonly role?: Role;
  readonly flow?: Flow;
  /** With role `vow`; `false`: Spark asks which agent's portal. */
  readonly portal?: string | false;
}

/** Reads the choice from the form's fields; a text says what is wrong with it. */
export function readChoice(query: Record<string, unknown>, own: SparkStrategy): Choice | string {
  const role = ROLES.find((known) => known === (query.role ?? own.role));
  const flow = FLOWS.find((known) => known === query.flow);
  if (!role) return 'There is no such role. Choose Private, IDX or VOW.';
  if (!flow && query.flow !== undefined) return 'There is no such flow. Choose OAuth 2 or OpenID + OAuth 2 hybrid.';
  const choice = { ...(query.role !== undefined && { role }), ...(flow && { flow }) };
  if (role !== 'vow') return choice;
  if (flow === 'hybrid') return 'Spark has no hybrid flow for portals. Choose OAuth 2 to sign in to a portal.';
  const portal = portalName(query.portal);
  if (portal === '' && own.portal === undefined) return { ...choice, portal: false };
  // In the strategy's spelling, which its status shows.
  if (portal === '' || portal === portalName(own.portal)) return choice;
  if (!/^[a-z0-9_-]{1,64}$/.test(portal)) {
    return 'That is no portal name. It is the last part of the portal’s address: letters, digits, “-” and “_”.';
  }
  return { ...choice, portal };
}

function portalName(portal: unknown): string {
  return typeof portal === 'string' ? portal.trim().toLowerCase() : '';
}
