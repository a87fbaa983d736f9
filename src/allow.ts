import { atOnce, type OptionCheck } from './options.js';

/** Methods that pass through the proxy at all. */
export const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** One entry of an allow-list. */
export interface AllowRule {
  /** Methods as they are sent: `GET` does not stand for `HEAD`. */
  readonly methods: readonly string[];
  /** A path as it goes up (`/v1/listings`), or what lies below one and not the path itself (`/v1/listings/*`). */
  readonly path: string;
  /**
   * Let queries that come as a form pass here, too: POST with `X-HTTP-Method-Override: GET`. They are sent as POST, so
   * `methods` must name it. Default false.
   */
  readonly override?: boolean;
}

const NAMES = ['methods', 'path', 'override'];
const LATER = 'leave out async, and ask what takes time in "authorize" or in a middleware before.';

/** What an allow function is asked about. */
export interface AllowedRequest {
  /** As it was sent: POST where `override` is true. */
  readonly method: string;
  /**
   * Without the query, and just as it was sent: letters may be encoded (`/v1/%63ontacts`) or in another case. So say
   * what may pass, never what may not.
   */
  readonly path: string;
  readonly override: boolean;
}

/** What the option `allow` says of a request. Undefined: everything may pass. */
export function allowFunction(
  check: OptionCheck,
  allow: readonly AllowRule[] | ((request: AllowedRequest) => boolean) | undefined,
): ((request: AllowedRequest) => boolean) | undefined {
  if (allow === undefined) return undefined;
  // Compared with true: what is merely truthy would let everything pass.
  if (typeof allow === 'function') return (request) => atOnce('sparkProxy', 'allow', allow(request), LATER) === true;
  if (!Array.isArray(allow)) {
    check.problem("\"allow\" is neither a list nor a function; write [{ methods: ['GET'], path: '/v1/listings' }].");
    return undefined;
  }
  const rules: readonly AllowRule[] = allow;
  for (const [i, rule] of rules.entries()) checkRule(check, `allow[${i}]`, rule);
  return (request) => rules.some((rule) => allows(rule, request));
}

function checkRule(check: OptionCheck, name: string, rule: AllowRule | null): void {
  if (typeof rule !== 'object' || rule === null) {
    const found = rule === null ? 'null' : `of type ${typeof rule}`;
    check.problem(`"${name}" is ${found}; write { methods: ['GET'], path: '/v1/listings' }.`);
    return;
  }
  for (const key of Object.keys(rule).filter((one) => !NAMES.includes(one)))
    check.problem(`"${name}.${key}" is no part of a rule; write ${NAMES.join(', ')}.`);
  const { methods, path } = rule;
  const override = check.flag(`${name}.override`, rule.override, false);
  if (!Array.isArray(methods) || methods.length === 0 || !methods.every((method) => METHODS.has(method)))
    check.problem(`"${name}.methods" must be a list out of ${[...METHODS].join(', ')}.`);
  else if (override && !methods.includes('POST'))
    check.problem(`"${name}.override" is for forms, which are sent as POST; write methods: ['POST'], or leave it out.`);
  const parameter = typeof path === 'string' ? /\/(:[^/]*)/.exec(path) : undefined;
  if (parameter) {
    const below = path.slice(0, parameter.index);
    check.problem(
      `"${name}.path" has a parameter, '${parameter[1]}', but is compared as it stands; write '${below}/*' for all below ${below || '/'}, or a function.`,
    );
  } else if (typeof path !== 'string' || !/^\/(?:[^*?#]*|(?:[^*?#]*\/)?\*)$/.test(path) || path.includes('//'))
    check.problem(
      `"${name}.path" must be a path like '/v1/listings', without a query, or '/v1/listings/*' for all below it.`,
    );
}

function allows({ methods, path, override }: AllowRule, request: AllowedRequest): boolean {
  if (!methods.includes(request.method) || (request.override && override !== true)) return false;
  return path.endsWith('/*') ? request.path.startsWith(path.slice(0, -1)) : request.path === path;
}
