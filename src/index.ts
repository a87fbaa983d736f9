export {
  AuthorizationError,
  ConfigError,
  type GrantOutcome,
  RequestRefusedError,
  SignInRequiredError,
  SparkError,
  TokenError,
  UnavailableError,
  UpstreamError,
} from './errors.js';
export type { Flow, Role, UpstreamProfile } from './platform.js';
export {
  type AllowedRequest,
  type AllowRule,
  type Caller,
  type ExpressLaneOptions,
  type HeaderEditor,
  type ProxyHandler,
  type ProxyStrategy,
  REQUEST_CHANNEL,
  type RequestEvent,
  type SparkProxyOptions,
  sparkProxy,
} from './proxy.js';
export type { TokenSource } from './session.js';
export type { Attributes, AXAttribute, SRegField } from './signin/attributes.js';
export type { PortalSource } from './signin/discover.js';
export type { SessionLink } from './signin/link.js';
export type { SparkAuthenticateOptions, SparkStrategyOptions, StateStore } from './signin/options.js';
export type { DiscoveredPortal } from './signin/portal.js';
export type { SparkProfile } from './signin/profile.js';
export type { Portal, PortalOption } from './signin/role.js';
export type {
  GrantParams,
  VerifyCallback,
  VerifyFunction,
  VerifyFunctionWithParams,
  VerifyFunctionWithRequest,
  VerifyFunctionWithRequestAndParams,
} from './signin/verify.js';
export {
  type SparkStatus,
  SparkStrategy,
  SparkStrategy as Strategy,
} from './strategy.js';
export { RENEWAL_CHANNEL, type RenewalEvent } from './tokens/events.js';
export { MemoryTokenStore, type MemoryTokenStoreOptions } from './tokens/memory.js';
export type { Seen, TokenOrigin, TokenRecord, Tokens } from './tokens/record.js';
export { type RedisClient, RedisTokenStore, type RedisTokenStoreOptions } from './tokens/redis.js';
export type { Clock, RenewalOptions } from './tokens/renewer.js';
export {
  type AccessTokenOptions,
  type AdoptOptions,
  type Sent,
  TokenService,
  type TokenServiceOptions,
} from './tokens/service.js';
export type {
  ClaimAnswer,
  CommitAnswer,
  NewTokenRecord,
  RenewedTokens,
  Settlement,
  TokenStore,
} from './tokens/store.js';
export type { Timeouts } from './upstream.js';
