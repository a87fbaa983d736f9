import type { ServerResponse } from 'node:http';
import type { OAuth2 } from 'oauth';
import type { Strategy } from 'passport-strategy';
import { OAUTH2_PATH } from '../platform.js';
import { tokenKeyOf } from '../session.js';
import type { TokenService } from '../tokens/service.js';
import type { CallbackHost } from './host.js';
import type { Once } from './once.js';
import { callbackOf, type SparkAuthenticateOptions, type SparkSettings } from './options.js';
import type { SparkProfile } from './profile.js';
import { type ExpressRequest, redirectURIOf } from './request.js';
import { fitsRole } from './role.js';
import { Rounds } from './rounds.js';
import type { StateMeta } from './state-store.js';
import type { Attempts } from './transaction.js';

/** One call of `authenticate`: the request, what the application asked for, and the ways to answer. */
export interface SignInCall {
  readonly req: ExpressRequest;
  readonly res: ServerResponse;
  readonly options: SparkAuthenticateOptions;
  /** Answers by itself, as a wall; else Passport answers as the application told it. */
  readonly wall: boolean;
  readonly strategy: CallingStrategy;
  readonly parts: StrategyParts;
}

/** What a call uses of its strategy: Passport's ways to end it, and what applications override. */
export interface CallingStrategy {
  success(user: object, info?: object): void;
  fail(challenge: object, status?: number): void;
  redirect(url: string): void;
  pass(): void;
  error(error: unknown): void;
  authorizationParams(options: object): object;
  tokenParams(options: object): object;
}

/** What lives as long as the strategy does. */
export interface StrategyParts {
  readonly settings: SparkSettings;
  readonly attempts: Attempts;
  readonly tokens: TokenService;
  /** Counts the nonces of assertions. */
  readonly once: Once;
  readonly callbackHost: CallbackHost;
  readonly oauth2: OAuth2;
  readonly verify: (...args: unknown[]) => void;
  /** Calls the strategy's `userProfile`, which applications override, for this role. */
  readonly profileOf: (accessToken: string, role: SparkProfile['role']) => Promise<SparkProfile | undefined>;
}

/** Whom a call finds: nobody, somebody of another role or portal than it is told, or somebody whom it lets in. */
export type Standing = 'nobody' | 'another role' | 'signed in';

/**
 * Somebody is signed in when Passport has a user, and this session's link leads to tokens that can be renewed.
 * @throws UnavailableError; ConfigError for a role and portal that don't fit
 */
export async function standing({ req, options, parts }: SignInCall): Promise<Standing> {
  if (!req.user) return 'nobody';
  const { tokens, settings } = parts;
  const key = tokenKeyOf(req, { tokens, sessionKey: settings.sessionKey });
  const record = key === undefined ? undefined : await tokens.peek(key);
  if (record?.state !== 'live') return 'nobody';
  return (await fitsRole(settings, options, req, record)) ? 'signed in' : 'another role';
}

export async function isSignedIn(call: SignInCall): Promise<boolean> {
  return (await standing(call)) === 'signed in';
}

/** The redirect URI of a sign-in that begins with this call. */
export function redirectURIOfCall({ req, options, parts: { settings } }: SignInCall): string {
  return redirectURIOf(req, { callbackURL: callbackOf(settings, options).callbackURL, proxy: settings.proxy });
}

/** The sign-ins that this browser finished of late for a page. */
export function roundsFor(call: SignInCall, page: string): Rounds {
  return new Rounds(call.req, call.res, page, redirectURIOfCall(call).startsWith('https:'));
}

/** What passport-oauth2 tells a state store about the strategy. */
export function stateMeta(settings: SparkSettings, callbackURL: string): StateMeta {
  const { clientID, tokenURL } = settings;
  return { authorizationURL: authorizationURLOf(settings), tokenURL, clientID, callbackURL };
}

/** The one address that passport-oauth2 knows: here role, portal and flow choose others where the options name none. */
export function authorizationURLOf({ authorizationURL, platformURL }: SparkSettings): string {
  return authorizationURL ?? platformURL + OAUTH2_PATH;
}

/**
 * The strategy, for one call of `authenticate`. Passport clones a strategy that it knows by name, but not one that it is
 * handed: two sign-ins that overlap would then share `success` and swap people. So make it before the first await.
 */
export function ownCall<S extends Strategy>(strategy: S): S {
  const own = Object.create(strategy) as S;
  own.success = strategy.success;
  own.fail = strategy.fail;
  own.redirect = strategy.redirect;
  own.pass = strategy.pass;
  own.error = strategy.error;
  return own;
}
