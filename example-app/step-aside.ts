import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a session middleware and Passport put on a request. */
const FIELDS = ['session', 'sessionID', 'sessionStore', 'user', 'authInfo'] as const;

type Shelf = ReadonlyMap<string, PropertyDescriptor | undefined>;

/**
 * Puts the host's session and person aside, so that the site can have its own on the same request: express-session does
 * nothing where it finds a session, and would then keep the site's person in the host's.
 *
 * Both session middlewares look at the request again while headers are written and when the response ends, so each finds
 * its own there. Call this before the site's session middleware, and what it returns right after that one has run.
 */
export function hostStepsAside(req: IncomingMessage, res: ServerResponse): () => void {
  let aside = takeOff(req);
  let isOwn = true; // what lies on the request now

  function swap(): void {
    const taken = takeOff(req);
    putBack(req, aside);
    aside = taken;
    isOwn = !isOwn;
  }

  function whileOwn<T>(wanted: boolean, act: () => T): T {
    if (isOwn === wanted) return act();
    swap();
    try {
      return act();
    } finally {
      swap();
    }
  }

  function writeHeadFor(wanted: boolean): void {
    const { writeHead } = res;
    res.writeHead = function writeHeadForSession(this: ServerResponse, ...args: unknown[]): ServerResponse {
      return whileOwn(wanted, () => Reflect.apply(writeHead, this, args));
    };
  }

  writeHeadFor(false);
  const { end } = res;
  res.end = function endForHost(this: ServerResponse, ...args: unknown[]): ServerResponse {
    if (isOwn) swap(); // for good: the host's log reads the request after this
    return Reflect.apply(end, this, args);
  };
  // The host's `end` may be what writes the headers, so the site's listener needs a bracket of its own around it.
  return () => writeHeadFor(true);
}

/** By descriptor, because some session middleware (cookie-session) defines accessors. */
function takeOff(req: IncomingMessage): Shelf {
  const shelf = new Map<string, PropertyDescriptor | undefined>();
  for (const field of FIELDS) {
    shelf.set(field, Object.getOwnPropertyDescriptor(req, field));
    Reflect.deleteProperty(req, field);
  }
  return shelf;
}

function putBack(req: IncomingMessage, shelf: Shelf): void {
  for (const [field, descriptor] of shelf) {
    if (descriptor) Object.defineProperty(req, field, descriptor);
    else Reflect.deleteProperty(req, field);
  }
}
