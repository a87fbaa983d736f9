import type { ServerResponse } from 'node:http';
import type { OAuth2 } from 'oauth';
import type { Strategy } from 'passport-strategy';
import { OAUTH2_PATH } from '../platform.js';
import { tokenKeyOf } from '../session.js';
import type { TokenService } from '../tokens/service.js';
import type { Once } from './once.js';
import type { SparkAuthenticateOptions, SparkSettings } from './options.js';
import type { SparkProfile } from './profile.js';
import { type ExpressRequest, redirectURIOf, urlParts } from './request.js';
import type { StateMeta } from './state-store.js';
import { type Attempts, takeFinished } from './transaction.js';

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
  readonly oauth2: OAuth2;
  readonly verify: (...args: unknown[]) => void;
  /** Calls the strategy's `userProfile`, which applications override, for this role. */
  readonly profileOf: (accessToken: string, role: SparkProfile['role']) => Promise<SparkProfile | undefined>;
}

/** Passport has a user, and this session's link leads to tokens that can be renewed. @throws UnavailableError */
export async function isSignedIn({ req, parts }: SignInCall): Promise<boolean> {
  if (!req.user) return false;
  const key = tokenKeyOf(req, { tokens: parts.tokens, sessionKey: parts.settings.sessionKey });
  return key !== undefined && (await parts.tokens.peek(key))?.state === 'live';
}

/** Did this browser finish a sign-in for the very page it asks for, within the last minute? Answers yes once. */
export function justFinished({ req, res, parts }: SignInCall): boolean {
  return takeFinished(req, res, urlParts(req).target, isSecure(req, parts.settings));
}

/** Is the application reached by https? Decides how its cookies are named and sent. */
export function isSecure(req: ExpressRequest, settings: SparkSettings): boolean {
  return redirectURIOf(req, settings).startsWith('https:');
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
