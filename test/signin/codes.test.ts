import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Response } from 'supertest';
import { MemoryTokenStore, type SparkAuthenticateOptions } from '../../src/index.js';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

/** The table «Codes» of docs/sign-in.md: what a route tells the application, and a wall the person. */
interface Row {
  readonly strategy?: TestAppOptions['strategy'];
  readonly verify?: TestAppOptions['verify'];
  /** What happens on the way back from Spark. Answers the query of the callback, if it is another. */
  readonly act?: (app: TestApp, query: URLSearchParams) => Record<string, string> | undefined;
  readonly route: { readonly told: 'fail' | 'error'; readonly code?: string; readonly status?: number };
  readonly wall: readonly [code: string, status: number];
}

class Away extends MemoryTokenStore {
  override async once(): Promise<boolean> {
    throw new Error('away');
  }
}

const store = {
  store: (_req: unknown, done: (error: null, state: string) => void): void => done(null, 'a-handle'),
  verify: (_req: unknown, _state: string, done: (error: null, ok: boolean) => void): void => done(null, false),
};

const fromSpark =
  (error: string) =>
  (_app: TestApp, query: URLSearchParams): Record<string, string> => ({ error, state: query.get('state') ?? '' });

const refusing = (fault: Parameters<TestApp['spark']['failNextGrant']>[0]) => (app: TestApp) => {
  app.spark.failNextGrant(fault);
  return undefined;
};

const ROWS: [what: string, row: Row][] = [
  [
    'a denial',
    {
      act: fromSpark('access_denied'),
      route: { told: 'fail', code: 'access_denied' }, // Passport answers 401 where no status is told
      wall: ['access_denied', 403],
    },
  ],
  [
    'an attempt that nobody knows',
    {
      act: () => ({ code: 'one', state: 'unknown' }),
      route: { told: 'fail', code: 'attempt_unknown', status: 403 },
      wall: ['attempt_unknown', 403],
    },
  ],
  [
    'a callback of another flow',
    {
      act: (_app, query) => ({
        'openid.mode': 'id_res',
        'openid.spark.code': 'one',
        'openid.spark.state': query.get('state') ?? '',
      }),
      route: { told: 'fail', code: 'callback_mismatch', status: 403 },
      wall: ['attempt_unknown', 403],
    },
  ],
  [
    'a state that the store does not know',
    {
      strategy: { store },
      route: { told: 'fail', code: 'state_mismatch', status: 403 },
      wall: ['attempt_unknown', 403],
    },
  ],
  [
    'an assertion that can not be verified',
    {
      strategy: { flow: 'hybrid', verifyAssertion: true },
      act: (_app, query) => ({
        'openid.mode': 'id_res',
        'openid.spark.code': query.get('openid.spark.code') ?? '',
        'openid.spark.state': query.get('openid.spark.state') ?? '',
      }),
      route: { told: 'fail', code: 'assertion_invalid', status: 403 },
      wall: ['attempt_unknown', 403],
    },
  ],
  [
    'a redirect URI that Spark does not know',
    {
      act: fromSpark('redirect_uri_mismatch'),
      route: { told: 'error', code: 'redirect_uri_mismatch', status: 500 },
      wall: ['authorization_failed', 500],
    },
  ],
  [
    'an error of the hybrid flow',
    {
      strategy: { flow: 'hybrid' },
      act: (_app, query) => ({
        'openid.mode': 'error',
        'openid.error': 'broken',
        'openid.spark.state': query.get('openid.spark.state') ?? '',
      }),
      route: { told: 'error', code: 'openid_error', status: 500 },
      wall: ['authorization_failed', 500],
    },
  ],
  [
    'a server error at Spark',
    {
      act: fromSpark('server_error'),
      route: { told: 'error', code: 'server_error', status: 502 },
      wall: ['authorization_failed', 502],
    },
  ],
  [
    'Spark away for now',
    {
      act: fromSpark('temporarily_unavailable'),
      route: { told: 'error', code: 'temporarily_unavailable', status: 503 },
      wall: ['authorization_failed', 503],
    },
  ],
  [
    'a code that came too late',
    {
      act: refusing({ kind: 'refuse', error: 'invalid_grant' }),
      route: { told: 'error', code: 'invalid_grant', status: 500 },
      wall: ['attempt_unknown', 403],
    },
  ],
  [
    'a wrong secret',
    {
      act: refusing({ kind: 'refuse', error: 'invalid_client', status: 401 }),
      route: { told: 'error', code: 'invalid_client', status: 500 },
      wall: ['token_failed', 502],
    },
  ],
  [
    'a token endpoint that fails',
    {
      act: refusing({ kind: 'status', status: 500 }),
      route: { told: 'error', code: 'server_error', status: 500 },
      wall: ['token_failed', 502],
    },
  ],
  [
    'a token endpoint that asks to slow down',
    {
      act: refusing({ kind: 'status', status: 429 }),
      route: { told: 'error', code: 'rate_limited', status: 500 },
      wall: ['token_failed', 502],
    },
  ],
  [
    "a refusal in Spark's envelope",
    {
      act: refusing({ kind: 'envelope', code: 1000 }),
      route: { told: 'error', code: 'spark_1000', status: 500 },
      wall: ['token_failed', 502],
    },
  ],
  [
    'a token endpoint that breaks off',
    {
      act: refusing({ kind: 'reset' }),
      route: { told: 'error', code: 'connection_lost', status: 502 },
      wall: ['token_failed', 502],
    },
  ],
  [
    'a token endpoint that does not answer',
    {
      strategy: { grantTimeoutMs: 200 },
      act: refusing({ kind: 'hang' }),
      route: { told: 'error', code: 'timeout', status: 504 },
      wall: ['token_failed', 502],
    },
  ],
  [
    'no profile',
    {
      act: ({ spark }) => {
        spark.failNextCall({ code: 1026 }, 2);
        return undefined;
      },
      route: { told: 'error', code: 'profile_failed', status: 502 },
      wall: ['profile_failed', 502],
    },
  ],
  [
    'a token store that is away',
    {
      strategy: { tokenStore: new Away() },
      route: { told: 'error', code: 'store_unavailable', status: 503 },
      wall: ['store_unavailable', 503],
    },
  ],
  [
    'a verify function that fails',
    {
      verify: () => {
        throw new Error('of the application');
      },
      route: { told: 'error' },
      wall: ['sign_in_failed', 500],
    },
  ],
];

/** Comes back from Spark after what happens there. */
async function comeBack(app: TestApp, { act }: Row): Promise<Response> {
  const person = new Visitor(app.url);
  const address = new URL(await person.goToSpark('/wanted'));
  const query = act?.(app, address.searchParams);
  if (query) address.search = String(new URLSearchParams(query));
  return await person.agent.get(address.pathname + address.search).set('Accept', 'application/json');
}

let warn: jest.SpyInstance;
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
});
afterEach(() => {
  warn.mockRestore();
});

describe.each(ROWS)('%s', (_what, row) => {
  const { strategy = {}, verify } = row;
  const options: TestAppOptions = verify ? { strategy, verify } : { strategy };

  it('is told to the application on a route', async () => {
    const app = await startApp({
      ...options,
      routes: (routes, passport) => {
        routes.get('/wanted', passport.authenticate('spark'));
        routes.get('/auth/spark/callback', (req, res, next) => {
          const done = (error: object | null, _user: unknown, info: object, status?: number): void => {
            const { code, status: own } = { status, ...info, ...error } as { code?: string; status?: number };
            res.json({ told: error ? 'error' : 'fail', code, status: own });
          };
          (passport.authenticate('spark', done) as RequestHandler)(req, res, next);
        });
      },
    });

    expect((await comeBack(app, row)).body).toEqual(row.route);
  });

  it('is told to the person by a wall', async () => {
    const { status, body } = await comeBack(await startApp(options), row);

    expect([body.D.Error, status]).toEqual(row.wall);
  });
});

it('a person who denies access gets 401 on a route', async () => {
  const { url } = await startApp({
    routes: (app, passport) => {
      app.get(['/wanted', '/auth/spark/callback'], passport.authenticate('spark'));
    },
  });
  expect((await new Visitor(url).signIn('/wanted', { decision: 'deny' })).status).toBe(401);
});

it('a Host that is none is refused with 400, at a wall and on a route', async () => {
  const { url } = await startApp({
    strategy: { callbackURL: '/auth/spark/callback' },
    routes: (app, passport) => {
      app.get('/login', passport.authenticate('spark'));
      app.use(((error, _req, res, _next) => {
        res.status(error.status).json({ D: { Error: error.code } });
      }) as ErrorRequestHandler);
      app.get('/page', passport.authenticate('spark', { wall: true } as SparkAuthenticateOptions));
    },
  });
  const headers = { Host: 'a b', Accept: 'text/html' };

  const route = await new Visitor(url).agent.get('/login').set(headers);
  const wall = await new Visitor(url).agent.get('/page').set(headers);

  expect([route.status, route.body.D?.Error]).toEqual([400, 'bad_host']);
  expect([wall.status, wall.text]).toEqual([400, expect.stringContaining('The sign-in failed')]);
});

describe('without req.session', () => {
  const start = async (wall: boolean): Promise<Visitor> => {
    const { url } = await startApp({
      routes: (app, passport) => {
        app.use((req, _res, next) => {
          delete (req as { session?: unknown }).session;
          next();
        });
        if (wall) app.use(passport.authenticate('spark'));
        else app.get(['/wanted', '/auth/spark/callback'], passport.authenticate('spark'));
        app.use(((error, _req, res, _next) => {
          res.status(error.status).json({ code: error.code });
        }) as ErrorRequestHandler);
      },
    });
    return new Visitor(url);
  };

  it('a wall answers 503', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const reply = await (await start(true)).agent.get('/wanted').set('Accept', 'application/json');
    const [[warning] = []] = warn.mock.calls;
    warn.mockRestore();
    expect([reply.status, reply.body.D.Error]).toEqual([503, 'no_session']);
    expect(String(warning)).toContain('mount session() before it');
  });

  it('a route redirects to Spark, and the callback is an error with status 503', async () => {
    const reply = await (await start(false)).signIn('/wanted');
    expect([reply.status, reply.body.code]).toEqual([503, 'no_session']);
  });
});
