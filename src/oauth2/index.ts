export type { Grant } from '../grant.js';
export type { Scope } from '../options.js';
export type { AuthorizationRequest, CodeRequest, ExpectedCallback } from './authorization.js';
export type {
  AuthorizationOptions,
  CallOptions,
  CodeExchange,
  ImplicitOptions,
  PasswordCredentials,
} from './calls.js';
export { OAuth2Client } from './client.js';
export { type FragmentPage, type FragmentPageOptions, fragmentPage } from './fragment-page.js';
export type { OAuth2ClientOptions } from './options.js';
