import { IncomingMessage, type ServerResponse } from 'node:http';

/** Prototypes that requests have from their start: Node's own, and those of applications on a fast server. */
const kept = new WeakSet<object>([IncomingMessage.prototype]);

/** From version 13 (Node 24), V8 shares hidden classes between objects whose prototype was changed the same way. */
const SHARES_NONE = Number.parseInt(process.versions.v8, 10) < 13;

/** Requests with this prototype are made with it. */
export function keepsPrototype(prototype: object): void {
  kept.add(prototype);
}

/**
 * Gives the request and its response hidden classes that all requests share.
 *
 * Express changes the prototype of both. From then on V8 makes each of them another hidden class of its own with every
 * property that is added: no inline cache ever knows it, so that a hundred accesses are looked up the long way. An object
 * that a property was taken from lies in a hash table instead, and these share one hidden class (V8 keeps 64 of them by a
 * hash of the prototype: in one process of 64 these two are in each other's way). What is taken out here and put back is
 * what Express sets.
 */
export function shareHiddenClasses(req: IncomingMessage, res: ServerResponse): void {
  if (!SHARES_NONE || kept.has(Object.getPrototypeOf(req) as object)) return;
  const linked = req as IncomingMessage & { res?: unknown };
  if (linked.res !== res || res.req !== req) return; // not by Express
  takeOutAndPutBack(req, 'res');
  takeOutAndPutBack(res, 'req');
}

function takeOutAndPutBack(object: object, name: string): void {
  const own = Object.getOwnPropertyDescriptor(object, name);
  if (!own?.writable || !own.enumerable || !Object.isExtensible(object)) return; // somebody made it another thing
  if (Reflect.deleteProperty(object, name)) (object as Record<string, unknown>)[name] = own.value;
}
