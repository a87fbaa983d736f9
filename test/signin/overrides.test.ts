import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import { SparkStrategy, type SparkStrategyOptions } from '../../src/index.js';
import { CLIENT, startApp } from '../support/app.js';
import { serve } from '../support/server.js';
import { answerSpark, Visitor } from '../support/visitor.js';

/** What passport-oauth2 documents for subclasses. */
class OwnStrategy extends SparkStrategy {
  override authorizationParams(options: { prompt?: string }): object {
    return { prompt: options.prompt ?? 'none', state: 'not this one' };
  }
  override tokenParams(options: { audience?: string }): object {
    return { audience: options.audience ?? 'none', grant_type: 'not this one' };
  }
  override parseErrorResponse(body: string, status: number): Error | null {
    return new Error(`own words for ${status}: ${body}`);
  }
}

const ANSWER = { status: 200, body: { access_token: 'one' } };

interface SeenGrant {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

interface OwnApp {
  readonly person: Visitor;
  readonly grants: SeenGrant[];
  readonly errors: Error[];
}

/** An application with a subclass on routes, and a token endpoint of its own that answers `answer`. */
async function start(
  more: Partial<SparkStrategyOptions> = {},
  answer: { readonly status: number; readonly body: object } = ANSWER,
  Strategy: typeof OwnStrategy = OwnStrategy,
): Promise<OwnApp> {
  const grants: SeenGrant[] = [];
  const errors: Error[] = [];
  const endpoint = express();
  endpoint.post('/grant', express.json(), ({ headers, body }, res) => {
    grants.push({ headers, body });
    res.status(answer.status).json(answer.body);
  });
  const { url: endpointURL } = await serve(endpoint);
  const { url } = await startApp({
    routes: (app, passport, { origin, apiURL }) => {
      const options: SparkStrategyOptions & { passReqToCallback: false } = {
        ...CLIENT,
        callbackURL: `${origin}/auth/spark/callback`,
        platformURL: apiURL,
        apiURL,
        tokenURL: `${endpointURL}/grant`,
        skipUserProfile: true,
        ...more,
        passReqToCallback: false,
      };
      passport.use('own', new Strategy(options, (_a, _r, _profile, done) => done(null, { id: 'one' } as Express.User)));
      app.get('/login', passport.authenticate('own', { prompt: 'login' }));
      app.get('/auth/spark/callback', passport.authenticate('own', { audience: 'us' } as object), (_req, res) => {
        res.json({});
      });
      app.use(((error, _req, res, _next) => {
        errors.push(error);
        res.status(500).end();
      }) as ErrorRequestHandler);
    },
  });
  return { person: new Visitor(url), grants, errors };
}

it('sends the authorizationParams of a subclass along, but no state in place of ours', async () => {
  const { person } = await start();
  const { searchParams } = new URL((await person.page('/login')).headers.location as string);
  expect(searchParams.get('prompt')).toBe('login');
  expect(searchParams.getAll('state')).toEqual([expect.stringMatching(/^[\w-]{22}$/)]);
});

it('sends its tokenParams along, but no grant type in place of ours', async () => {
  const { person, grants } = await start();
  expect((await person.signIn('/login')).status).toBe(200);
  expect(grants).toMatchObject([{ body: { audience: 'us', grant_type: 'authorization_code' } }]);
});

it("errs with what its parseErrorResponse makes of a refusal that is not in the standard's words", async () => {
  const { person, errors } = await start({}, { status: 400, body: { fault: 'odd' } });
  await person.signIn('/login');
  expect(errors.map(({ message }) => message)).toEqual(['own words for 400: {"fault":"odd"}']);
});

it('sends customHeaders with the grant, beside its own', async () => {
  const { person, grants } = await start({ customHeaders: { 'X-Key': 'value' } });
  await person.signIn('/login');
  expect(grants.map(({ headers }) => [headers['x-key'], headers['x-sparkapi-user-agent']])).toEqual([
    ['value', CLIENT.userAgent],
  ]);
});

it('gives a store with five parameters the PKCE verifier to keep, and sends what it gives back', async () => {
  const kept: unknown[] = [];
  const store: SparkStrategyOptions['store'] = {
    store(_req: unknown, verifier: string, state: unknown, meta: object, done: (e: null, state: string) => void): void {
      kept.push(verifier, state, meta);
      done(null, 'a-handle');
    },
    verify(_req: unknown, state: string, _meta: object, done: (e: null, ok: unknown, state: object) => void): void {
      done(null, state === 'a-handle' ? kept[0] : false, { plan: 'gold' });
    },
  };
  const { person, grants } = await start({ pkce: true, state: { plan: 'gold' }, store });
  const away = new URL((await person.page('/login')).headers.location as string);

  expect((await person.back(await answerSpark(away.href))).status).toBe(200);

  const [verifier, state, meta] = kept;
  expect([state, meta]).toEqual([{ plan: 'gold' }, expect.objectContaining({ clientID: CLIENT.clientID })]);
  expect(away.searchParams.get('code_challenge')).toBe(
    createHash('sha256').update(String(verifier)).digest('base64url'),
  );
  expect(grants).toMatchObject([{ body: { code_verifier: verifier } }]);
});

// A rejection that nobody looked at ended the process, and left the browser without an answer.
describe('functions of the application that are async', () => {
  const away = async (): Promise<never> => Promise.reject(new Error('the database is away'));

  it('err when the userProfile of a subclass rejects', async () => {
    class Subclass extends OwnStrategy {
      override userProfile = away;
    }
    const { person, errors } = await start({ skipUserProfile: false }, ANSWER, Subclass);
    expect((await person.signIn('/login')).status).toBe(500);
    expect(errors.map(({ message }) => message)).toEqual(['the database is away']);
  });

  it.each([
    ['store', { store: async (_req: unknown, _done: unknown) => away(), verify: () => undefined }],
    [
      'verify',
      {
        store: (_req: unknown, done: (error: null, state: string) => void): void => done(null, 'a-handle'),
        verify: async (_req: unknown, _state: string, _done: unknown) => away(),
      },
    ],
  ])('err when the %s of a state store rejects', async (_method, store) => {
    const { person, errors } = await start({ store: store as never });
    const away = await person.page('/login');
    const last = away.status === 302 ? await person.back(await answerSpark(String(away.headers.location))) : away;
    expect(last.status).toBe(500);
    expect(errors.map(({ message }) => message)).toEqual(['the database is away']);
  });

  it('are waited for when skipUserProfile takes its time to say no', async () => {
    const asked: string[] = [];
    class Subclass extends OwnStrategy {
      override userProfile(accessToken: string, done: (error?: unknown) => void): void {
        asked.push(accessToken);
        done();
      }
    }
    const { person } = await start({ skipUserProfile: async () => false }, ANSWER, Subclass);
    expect((await person.signIn('/login')).status).toBe(200);
    expect(asked).toEqual(['one']);
  });
});
