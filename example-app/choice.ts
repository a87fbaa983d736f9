import { FLOWS, type Flow, ROLES, type Role } from '../src/platform.js';

/** How somebody wants to sign in. */
export interface Choice {
  readonly role: Role;
  readonly flow: Flow;
  /** With role `vow`; `false`: Spark asks which agent's portal. */
  readonly portal?: string | false;
}

/** Reads the choice from the form's fields; a text says what is wrong with it. */
export function readChoice(query: Record<string, unknown>): Choice | string {
  const role = ROLES.find((known) => known === (query.role ?? 'private'));
  const flow = FLOWS.find((known) => known === (query.flow ?? 'oauth2'));
  if (!role) return 'There is no such role. Choose Private, IDX or VOW.';
  if (!flow) return 'There is no such flow. Choose OAuth 2 or OpenID + OAuth 2 hybrid.';
  if (role !== 'vow') return { role, flow };
  if (flow === 'hybrid') return 'Spark has no hybrid flow for portals. Choose OAuth 2 to sign in to a portal.';
  const portal = typeof query.portal === 'string' ? query.portal.trim().toLowerCase() : '';
  if (portal === '') return { role, flow, portal: false };
  if (!/^[a-z0-9_-]{1,64}$/.test(portal)) {
    return 'That is no portal name. It is the last part of the portal’s address: letters, digits, “-” and “_”.';
  }
  return { role, flow, portal };
}
