import { type NextFunction, type Request, type Response, Router } from 'express';
import { jsonObject, readBody } from './body.js';
import type { EmulatorControls } from './controls.js';
import type { CallFault, GrantDelay, GrantFault } from './faults.js';
import { handler } from './http.js';
import type { GrantType } from './log.js';

type Input = Readonly<Record<string, unknown>>;

/** The answer, or an Error that says what the request lacks. */
type Action = (input: Input) => object;

/**
 * The controls over HTTP, as JSON, for an emulator that runs as a process of its own. Reading is GET, everything else POST;
 * a request that cannot be followed gets 400 and `{"error": …}`.
 */
export function createControlRoutes(controls: EmulatorControls): Router {
  const router = Router();

  router.get('/grants', (req: Request, res: Response) => {
    const { type } = req.query;
    res.json(controls.grants(typeof type === 'string' ? (type as GrantType) : undefined)); // another type finds nothing
  });
  router.get('/requests', (_req: Request, res: Response) => {
    res.json(controls.requests());
  });
  router.get('/clock', (_req: Request, res: Response) => {
    res.json({ now: controls.clock.now() });
  });

  for (const [path, act] of Object.entries(actions(controls))) {
    router.post(
      path,
      handler(async (req, res) => {
        const body = await readBody(req);
        const input = body.length === 0 ? {} : jsonObject(req, body);
        if (input === null) throw new Error('The body must be a JSON object, with Content-Type: application/json.');
        res.json(act(input));
      }),
    );
  }

  router.use((_req: Request, res: Response) => {
    res.status(404).json({ error: 'There is no such control.' });
  });
  router.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    res.status(400).json({ error: error instanceof Error ? error.message : 'The request cannot be followed.' });
  });
  return router;
}

function actions(controls: EmulatorControls): Record<string, Action> {
  return {
    '/clear': () => {
      controls.clear();
      return {};
    },
    '/clock': ({ advanceMs }) => {
      controls.clock.advance(Number(advanceMs));
      return { now: controls.clock.now() };
    },
    '/expire': ({ person, token, refresh }) => {
      const what = refresh === true ? 'refresh' : 'access';
      if (token !== undefined) {
        const expire = what === 'refresh' ? controls.expireRefreshToken : controls.expireAccessToken;
        return { expired: Number(expire(text('token', token))) };
      }
      const expireAll = what === 'refresh' ? controls.expireAllRefreshTokens : controls.expireAllAccessTokens;
      return { expired: expireAll(person === undefined ? undefined : text('person', person)) };
    },
    '/accepts': ({ token }) => ({ accepted: controls.acceptsRefreshToken(text('token', token)) }),
    '/revoke': ({ person, token }) => {
      if (token !== undefined) return { revoked: Number(controls.revoke(text('token', token))) };
      return { revoked: controls.revokePerson(text('person', person)) };
    },
    '/fail-grant': ({ times, ...fault }) => {
      controls.failNextGrant(fault as unknown as GrantFault, count(times)); // checked by the plan: JSON has no types
      return {};
    },
    '/delay-grant': ({ ms, times, when }) => {
      controls.delayNextGrant(Number(ms), count(times), when as GrantDelay['when'] | undefined); // checked by the plan
      return {};
    },
    '/fail-call': ({ times, ...fault }) => {
      controls.failNextCall(fault as unknown as CallFault, count(times)); // checked by the plan
      return {};
    },
  };
}

function text(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new Error(`"${name}" must be a string.`);
  return value;
}

function count(times: unknown): number | undefined {
  return times === undefined ? undefined : Number(times);
}
