import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** Lets a handler be asynchronous on Express 4 too, which ignores a rejected promise. */
export function handler(handle: (req: Request, res: Response) => unknown): RequestHandler {
  return function emulatorHandler(req: Request, res: Response, next: NextFunction): void {
    Promise.resolve()
      .then(() => handle(req, res))
      .catch(next);
  };
}

/** Where the emulator lives for this caller, without a final slash: the addresses it hands out must lead back to it. */
export function originOf(req: Request): string {
  return `${req.protocol}://${req.headers.host ?? 'localhost'}${req.baseUrl}`;
}

/** The query, decoded by the standard's own rules: Express's parser would turn `a[b]` into an object. */
export function queryOf(req: Request): URLSearchParams {
  const mark = req.url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : req.url.slice(mark + 1));
}

/** Ends the connection without an answer. */
export function breakConnection(res: Response): Response {
  res.socket?.resetAndDestroy();
  return res;
}

/** Answers with a redirect whose address arrives byte for byte: `res.redirect` would encode it again. */
export function redirectTo(res: Response, location: string): Response {
  return res.status(302).set('Location', location).set('Cache-Control', 'no-store').end();
}
