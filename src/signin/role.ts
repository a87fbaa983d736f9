import type { IncomingMessage } from 'node:http';
import { ConfigError } from '../errors.js';
import { OptionCheck } from '../options.js';
import { FLOWS, type Flow, ROLES, type Role } from '../platform.js';
import { addressProblem, type DiscoveredPortal } from './portal.js';
import { portalProblem } from './urls.js';

/**
 * A portal's name, or what `strategy.discoverPortal` found; `false` is the multi-agent endpoint, where the consumer picks
 * one of the linked agents.
 */
export type Portal = string | false | DiscoveredPortal;

/** Declared as a method, whose parameters TypeScript compares both ways: `req` may be written as Express' `Request`. */
interface PortalOfRequest {
  tell(req: IncomingMessage): Portal | Promise<Portal>;
}

/** A portal, or a function that tells it for a request. */
export type PortalOption = Portal | PortalOfRequest['tell'];

/** What an application says of the role: of a strategy, or of one call of `authenticate`. */
export interface RoleOptions {
  readonly role?: Role;
  readonly flow?: Flow;
  readonly portal?: PortalOption;
}

/** A strategy's role, flow and portal, with their defaults. */
export interface RoleSettings {
  readonly role: Role;
  readonly flow: Flow;
  readonly portal: PortalOption | undefined;
  /** Replaces the page that role and flow choose. */
  readonly authorizationURL: string | undefined;
}

/** What the options of one call belong to. */
export const AUTHENTICATE = "passport.authenticate('spark')";

/** What is wrong with role, portal and flow together: the same rules for a strategy and for one call of `authenticate`. */
function roleProblem(role: Role, flow: Flow, portal: PortalOption | undefined): string | undefined {
  if (role === 'vow' && flow === 'hybrid') return "flow 'hybrid' does not serve role 'vow'; write flow: 'oauth2'.";
  if (role === 'vow' && (portal === undefined || portal === null)) {
    return "role 'vow' needs a portal; write portal: 'myportal', a function of the request, or false for the multi-agent endpoint.";
  }
  if (role !== 'vow' && portal !== undefined) return `"portal" goes with role 'vow', not '${role}'; leave it out.`;
  if (typeof portal === 'string') return portalProblem(portal);
  if (typeof portal === 'object') return addressProblem(portal.authorizationURL);
  if (portal === undefined || portal === false || typeof portal === 'function') return undefined;
  return `"portal" is of type ${typeof portal}; write the portal's name, like 'myportal'.`;
}

/** The options of a strategy for role, flow and portal. */
export function roleOptions(check: OptionCheck, options: RoleOptions): Pick<RoleSettings, 'role' | 'flow' | 'portal'> {
  const role = check.oneOf('role', options.role, ROLES, 'private');
  const flow = check.oneOf('flow', options.flow, FLOWS, 'oauth2');
  const problem = roleProblem(role, flow, options.portal);
  if (problem) check.problem(problem);
  return { role, flow, portal: options.portal };
}

/** Role, flow and portal of one sign-in, and where people go for it, where role and flow do not tell. */
export interface RoleChoice {
  readonly role: Role;
  readonly flow: Flow;
  readonly portal: string | undefined;
  readonly authorizationURL: string | undefined;
}

/** Role, flow and portal of one sign-in: the call's own options before the strategy's. @throws ConfigError */
export async function chooseRole(
  settings: RoleSettings,
  options: RoleOptions,
  req: IncomingMessage,
): Promise<RoleChoice> {
  const check = new OptionCheck(AUTHENTICATE);
  const role = check.oneOf('role', options.role, ROLES, settings.role);
  const flow = check.oneOf('flow', options.flow, FLOWS, role === 'vow' ? 'oauth2' : settings.flow);
  check.done();
  const given = role === 'vow' ? (options.portal ?? settings.portal) : options.portal;
  const portal = typeof given === 'function' ? await given(req) : given;
  const problem = roleProblem(role, flow, portal);
  if (problem) throw new ConfigError(AUTHENTICATE, [problem]);
  if (typeof portal === 'object') return { role, flow, portal: portal.name, authorizationURL: portal.authorizationURL };
  return { role, flow, portal: portal === false ? undefined : portal, authorizationURL: settings.authorizationURL };
}
