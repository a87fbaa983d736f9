import { SparkError } from '../errors.js';
import { OptionCheck } from '../options.js';
import { type ApiAnswer, firstResult, parseJSON } from './ask.js';
import { portalProblem } from './urls.js';

/** A portal as `/v1/system` names it: use it as the `portal` of a sign-in. */
export interface DiscoveredPortal {
  /** The name in the address, where there is one. */
  readonly name: string | undefined;
  /** Where its consumers sign in. Newer deployments use other hosts than the platform's. */
  readonly authorizationURL: string;
}

/**
 * Reads the portal from the answer of `/v1/system`: `Configuration[0].OAuth2ServiceEndpointPortal`.
 * @throws SparkError `portal_unknown` (there is none, or its address can't be used), `system_failed`
 */
export function readPortal({ status, body }: ApiAnswer): DiscoveredPortal {
  const system = firstResult(parseJSON(body));
  if (status !== 200 || !system) {
    throw new SparkError(`/v1/system answered ${status} without naming a system.`, {
      code: 'system_failed',
      status: 502,
    });
  }
  const [configuration] = Array.isArray(system.Configuration) ? (system.Configuration as unknown[]) : [];
  const address = (configuration as { OAuth2ServiceEndpointPortal?: unknown } | null | undefined)
    ?.OAuth2ServiceEndpointPortal;
  if (address === undefined || address === null || address === '') {
    throw new SparkError('/v1/system names no OAuth2ServiceEndpointPortal: this account has no portal.', {
      code: 'portal_unknown',
      status: 404,
    });
  }
  const problem = addressProblem(address);
  if (problem) throw new SparkError(problem, { code: 'portal_unknown', status: 502 });
  const { href, pathname } = new URL(String(address));
  return { name: nameIn(pathname), authorizationURL: href };
}

/** What is wrong with a portal's address: people and their codes travel by it. */
export function addressProblem(address: unknown): string | undefined {
  try {
    const check = new OptionCheck('portal');
    check.url('authorizationURL', address);
    check.done();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** `/auth/vow/<name>` as documented, `/r/login/<name>` as seen. */
function nameIn(pathname: string): string | undefined {
  const last = pathname.split('/').at(-1) ?? '';
  try {
    const name = decodeURIComponent(last);
    return portalProblem(name) === undefined ? name : undefined;
  } catch {
    return undefined; // not well encoded: an address all the same
  }
}
