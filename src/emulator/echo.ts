import type { Router } from 'express';
import { callOf } from './call.js';
import { sendResults } from './envelope.js';
import { handler } from './http.js';

/**
 * `/v1/echo` and everything below it, with any method: says what arrived, so that a test can compare it byte for byte.
 * Spark has no such resource.
 */
export function addEcho(router: Router): void {
  router.use(
    '/v1/echo',
    handler((req, res) => {
      const { body } = callOf(req, res);
      const seen = {
        Method: req.method,
        Url: req.originalUrl,
        RawHeaders: req.rawHeaders,
        BodyLength: body.length,
        BodySha256: body.sha256,
      };
      sendResults(res, [seen]);
    }),
  );
}
