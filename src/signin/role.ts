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
  /** The application wrote the role by itself: walls go by it. */
  readonly roleTold: boolean;
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
export function roleOptions(check: OptionCheck, options: RoleOptions): Omit<RoleSettings, 'authorizationURL'> {
  const role = check.oneOf('role', options.role, ROLES, 'private');
  const flow = check.oneOf('flow', options.flow, FLOWS, 'oauth2');
  const problem = roleProblem(role, flow, options.portal);
  if (problem) check.problem(problem);
  return { role, flow, portal: options.portal, roleTold: options.role !== undefined };
}

/** Role, flow and portal of one sign-in, and where people go for it, where role and flow do not tell. */
export interface RoleChoice {
  readonly role: Role;
  readonly flow: Flow;
  /** Its name; the address of one without a name; undefined for the multi-agent endpoint. */
  readonly portal: string | undefined;
  readonly authorizationURL: string | undefined;
}

/** Role, flow and portal of one sign-in: the call's own options before the strategy's. @throws ConfigError */
export async function chooseRole(
  settings: RoleSettings,
  options: RoleOptions,
  req: IncomingMessage,
): Promise<RoleChoice> {
  const { portal, ...choice } = await given(settings, options, req);
  const { authorizationURL } = typeof portal === 'object' ? portal : settings;
  return { ...choice, portal: knownAs(portal), authorizationURL };
}

/** What a portal is told from others by: its name, or its address where that holds none. */
function knownAs(portal: Portal | undefined): string | undefined {
  if (typeof portal === 'object') return portal.name ?? portal.authorizationURL;
  return portal === false ? undefined : portal;
}

/**
 * Does a wall let in who signed in like this? One that is told a role or portal lets in those of that role and portal, and
 * one that is told none lets in all. Tokens that nobody knows the role of were adopted so. @throws ConfigError
 */
export async function fitsRole(
  settings: RoleSettings,
  options: RoleOptions,
  req: IncomingMessage,
  signedIn: { readonly role?: Role | undefined; readonly portal?: string | undefined },
): Promise<boolean> {
  const told = options.role !== undefined || options.portal !== undefined || settings.roleTold;
  if (!told || signedIn.role === undefined) return true;
  const { role, portal } = await given(settings, options, req);
  if (role !== signedIn.role) return false;
  if (role !== 'vow' || portal === false) return true; // the multi-agent endpoint: whichever portal the consumer picks
  return knownAs(portal)?.toLowerCase() === signedIn.portal?.toLowerCase(); // as Spark compares them
}

async function given(
  settings: RoleSettings,
  options: RoleOptions,
  req: IncomingMessage,
): Promise<{ readonly role: Role; readonly flow: Flow; readonly portal: Portal | undefined }> {
  const check = new OptionCheck(AUTHENTICATE);
  const role = check.oneOf('role', options.role, ROLES, settings.role);
  const flow = check.oneOf('flow', options.flow, FLOWS, role === 'vow' ? 'oauth2' : settings.flow);
  check.done();
  const option = role === 'vow' ? (options.portal ?? settings.portal) : options.portal;
  const portal = typeof option === 'function' ? await option(req) : option;
  const problem = roleProblem(role, flow, portal);
  if (problem) throw new ConfigError(AUTHENTICATE, [problem]);
  return { role, flow, portal };
}
