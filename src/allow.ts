import type { OptionCheck } from './options.js';

/** Methods that pass through the proxy at all. */
export const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** One entry of an allow-list. */
export interface AllowRule {
  readonly methods: readonly string[];
  /** A path as it goes up (`/v1/listings`), or everything below one (`/v1/listings/*`). */
  readonly path: string;
  /** Let `X-HTTP-Method-Override: GET` pass here. Default false. */
  readonly override?: boolean;
}

export interface AllowedRequest {
  readonly method: string;
  /**
   * Without the query, and just as it was sent: letters may be encoded (`/v1/%63ontacts`) or in another case. So say
   * what may pass, never what may not.
   */
  readonly path: string;
  readonly override: boolean;
}

export function allowFunction(
  check: OptionCheck,
  allow: readonly AllowRule[] | ((request: AllowedRequest) => boolean) | undefined,
): ((request: AllowedRequest) => boolean) | undefined {
  if (allow === undefined) return undefined;
  // Compared with true, because the promise of an async function is truthy and would let everything pass.
  if (typeof allow === 'function') return (request) => allow(request) === true;
  if (!Array.isArray(allow)) {
    check.problem("\"allow\" is neither a list nor a function; write [{ methods: ['GET'], path: '/v1/listings' }].");
    return undefined;
  }
  const rules: readonly AllowRule[] = allow;
  for (const [i, { methods, path }] of rules.entries()) {
    if (!Array.isArray(methods) || methods.length === 0 || !methods.every((method) => METHODS.has(method)))
      check.problem(`"allow[${i}].methods" must be a list out of ${[...METHODS].join(', ')}.`);
    if (typeof path !== 'string' || !/^\/(?:[^*]*|(?:[^*]*\/)?\*)$/.test(path))
      check.problem(`"allow[${i}].path" must be a path like '/v1/listings', or '/v1/listings/*' for all below it.`);
  }
  return (request) => rules.some((rule) => allows(rule, request));
}

function allows({ methods, path, override }: AllowRule, request: AllowedRequest): boolean {
  if (!methods.includes(request.method) || (request.override && override !== true)) return false;
  return path.endsWith('/*') ? request.path.startsWith(path.slice(0, -1)) : request.path === path;
}
