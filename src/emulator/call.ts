import type { Request, Response, Router } from 'express';
import type { ReceivedBody } from './body.js';
import { ApiRefusal } from './envelope.js';
import { handler, originOf, queryOf } from './http.js';
import type { Grantee, SparkRole } from './people.js';

/** One API call that was let in. */
export interface Call {
  readonly req: Request;
  readonly res: Response;
  readonly grantee: Grantee;
  readonly body: ReceivedBody;
  /** The query; for a POST that stands in for a GET, the form's fields as well. */
  readonly query: URLSearchParams;
  /** Where the emulator lives for this caller. */
  readonly origin: string;
}

/** What the pipeline found out before the resource was reached. */
export interface CallContext {
  readonly grantee: Grantee;
  readonly body: ReceivedBody;
  readonly overridden: URLSearchParams | null;
}

/** Beside the request rather than on it, so that it has a type. */
const contexts = new WeakMap<Request, CallContext>();

export function rememberContext(req: Request, context: CallContext): void {
  contexts.set(req, context);
}

type Method = 'GET' | 'POST';
type Resource = (call: Call) => void;

/** Adds a resource with the methods it has; any other method is code 405. A HEAD is answered as a GET without its body. */
export function resource(router: Router, path: string | RegExp, methods: Partial<Record<Method, Resource>>): void {
  router.all(
    path,
    handler((req, res) => {
      const method = req.method === 'HEAD' ? 'GET' : req.method;
      const act = method === 'GET' || method === 'POST' ? methods[method] : undefined;
      if (act === undefined) {
        res.set('Allow', Object.keys(methods).join(', '));
        throw new ApiRefusal(405, `Method ${req.method} is not allowed here`);
      }
      act(callOf(req, res));
    }),
  );
}

/** The call that a request carries. */
export function callOf(req: Request, res: Response): Call {
  const context = contexts.get(req);
  if (context === undefined) throw new Error('An API resource was reached without passing the API pipeline.');
  const query = new URLSearchParams([...queryOf(req), ...(context.overridden ?? [])]);
  return { req, res, grantee: context.grantee, body: context.body, query, origin: originOf(req) };
}

/** Refuses the call of another role: with code 1100 where a portal's account is wanted, else with 1500, beyond the key's level of service. */
export function onlyFor(roles: readonly SparkRole[], call: Call): void {
  if (!roles.includes(call.grantee.role)) {
    throw new ApiRefusal(
      roles.includes('vow') ? 1100 : 1500,
      `This resource is for the roles ${roles.join(', ')}; the key's role is ${call.grantee.role}`,
    );
  }
}
