import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import refresh from 'passport-oauth2-refresh';
import type { Setting } from '../setting.js';
import { createApplication, serve, type Tokens } from './application.js';
import type { Candidate } from './setting.js';

type Renew = (req: Request) => Promise<Tokens>;

/** The way in which each of them comes by new tokens. */
const WAYS: Readonly<Record<Exclude<Candidate, 'ours'>, Renew>> = {
  refresh: async (req) => await keep(req, await requestNewTokens(userOf(req).refreshToken)),
  'refresh-lock': async (req) => await keep(req, await oncePerProcess(userOf(req).refreshToken)),
  'refresh-lock-reload': renewOrReload,
};

/**
 * passport-oauth2-refresh in a middleware: tokens in the user's session, as its README says; new ones when they have
 * expired by the clock, or when the API refuses them.
 */
export async function startPeer(setting: Setting, name: Exclude<Candidate, 'ours'>): Promise<Server> {
  const application = createApplication(setting, name, (id, tokens) => ({ id, ...tokens }));
  const { app, passport, strategy } = application;
  refresh.use('spark', strategy);
  const renew = WAYS[name];
  const call = async (req: Request, { accessToken }: Tokens): Promise<Response> =>
    await fetch(setting.upstream + req.url, { headers: { authorization: `OAuth ${accessToken}` } });

  app.use(passport.session());
  app.use('/spark', async (req, res) => {
    if (!req.user) return res.status(401).json({ error: 'sign_in_required' });
    try {
      const user = userOf(req);
      let answer = await call(req, Date.now() < user.expiresAt ? user : await renew(req));
      if (answer.status === 401) {
        await answer.body?.cancel();
        answer = await call(req, await renew(req));
      }
      return res
        .status(answer.status)
        .type('json')
        .send(await answer.text());
    } catch (error) {
      return isRefusal(error)
        ? res.status(401).json({ error: 'sign_in_required' })
        : res.status(502).json({ error: 'unavailable' });
    }
  });
  return await serve(application);
}

/** Passport keeps the user in the session, and hands out this very object as `req.user`. */
function userOf(req: Request): Tokens {
  return (req.session as unknown as { passport: { user: Tokens } }).passport.user; // not in express-session's types
}

async function keep(req: Request, tokens: Tokens): Promise<Tokens> {
  Object.assign(userOf(req), tokens);
  await new Promise<void>((resolve, reject) => {
    req.session.save((error) => (error ? reject(error) : resolve()));
  });
  return tokens;
}

async function requestNewTokens(refreshToken: string): Promise<Tokens> {
  return await new Promise((resolve, reject) => {
    refresh.requestNewAccessToken('spark', refreshToken, (...answer: unknown[]) => {
      const [error, accessToken, next, params] = answer as [
        unknown,
        string,
        string | undefined,
        { expires_in: number },
      ]; // as node-oauth calls back
      if (error) return reject(error);
      const expiresAt = Date.now() + params.expires_in * 1_000;
      return resolve({ accessToken, refreshToken: next ?? refreshToken, expiresAt });
    });
  });
}

const underWay = new Map<string, Promise<Tokens>>();

/** The lock that comes to mind first: whoever finds a renewal under way waits for it. */
function oncePerProcess(refreshToken: string): Promise<Tokens> {
  const found = underWay.get(refreshToken);
  if (found) return found;
  const renewal = requestNewTokens(refreshToken).finally(() => underWay.delete(refreshToken));
  underWay.set(refreshToken, renewal);
  return renewal;
}

const LOOKS = 20;
const LOOK_MS = 50;

/** The next thought: a refusal may mean that another process was faster, and will put its tokens into the session. */
async function renewOrReload(req: Request): Promise<Tokens> {
  const { refreshToken } = userOf(req);
  try {
    return await keep(req, await oncePerProcess(refreshToken));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    for (let look = 0; look < LOOKS; look++) {
      await reload(req);
      if (userOf(req).refreshToken !== refreshToken) return userOf(req);
      await sleep(LOOK_MS);
    }
    throw error;
  }
}

async function reload(req: Request): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    req.session.reload((error) => (error ? reject(error) : resolve()));
  });
}

function isRefusal(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'invalid_grant';
}
