// Re-exports the CommonJS build, so that `import` and `require` share one implementation.
export type {
  AuthorizationOptions,
  AuthorizationRequest,
  CallOptions,
  CodeExchange,
  CodeRequest,
  ExpectedCallback,
  FragmentPage,
  FragmentPageOptions,
  Grant,
  OAuth2ClientOptions,
  PasswordCredentials,
  Scope,
} from './index.js';
export { fragmentPage, OAuth2Client } from './index.js';
