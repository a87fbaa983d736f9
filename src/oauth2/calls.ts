import { OptionCheck, type Scope } from '../options.js';

/** What every call to the server may name. */
export interface CallOptions {
  /** Scopes to ask for. Default: the client's; `[]` asks for none by name. */
  readonly scope?: Scope | undefined;
  /** Parameters of the server's own (`audience`, `resource`, `prompt` …) by name. They can't replace those of the grant. Default: none. */
  readonly params?: Readonly<Record<string, string>> | undefined;
}

/** How a sign-in at the server begins. */
export interface AuthorizationOptions extends CallOptions {
  /** Where the server sends the browser back to (RFC 6749 §3.1.2). Default: the client's. */
  readonly redirectURI?: string | undefined;
}

/** How an implicit grant begins. */
export interface ImplicitOptions extends AuthorizationOptions {
  /**
   * What the server is to answer with. Default `token` (RFC 6749 §4.2.1). OpenID Connect has `id_token token`, which also
   * needs a `nonce` among `params`: the ID token then stands in the grant's `params`, as it came. It is not validated here.
   */
  readonly responseType?: string | undefined;
}

/** A person's name and password, for the grant of RFC 6749 §4.3. They are sent, and not kept. */
export interface PasswordCredentials extends CallOptions {
  /** As the server knows the person. */
  readonly username: string;
  /** As the person typed it. */
  readonly password: string;
}

/** What a code is exchanged with (RFC 6749 §4.1.3). */
export interface CodeExchange {
  /** The code of `readCallback`. It counts once. */
  readonly code: string;
  /** The one that `authorizationRequest` made for this sign-in, which the browser's session kept (RFC 7636 §4.5). */
  readonly codeVerifier: string;
  /** The one that the sign-in began with (RFC 6749 §4.1.3). Default: the client's. */
  readonly redirectURI?: string | undefined;
  /** Parameters of the server's own by name. They can't replace those of the grant. Default: none. */
  readonly params?: Readonly<Record<string, string>> | undefined;
}

/** What one call takes. */
interface Call {
  /** Names of all its options. */
  readonly names: readonly string[];
  /** What the session kept may be handed over whole: of other names only misspelt ones are told. */
  readonly withOthers?: boolean;
  /** Those that it can't do without, texts all of them, and what to write. */
  readonly needs?: Readonly<Record<string, string>>;
  /** How the call is written. */
  readonly remedy: string;
}

const ASK = ['scope', 'params'];
const BEGIN = [...ASK, 'redirectURI'];
const EXPECTED = ['state', 'issuer'];

const CALLS = {
  clientCredentials: { names: ASK, remedy: "write clientCredentials({ scope: ['read'] }), or leave them out." },
  useMachineTokens: {
    names: ASK,
    remedy: "write useMachineTokens('reports', { scope: ['read'] }), or leave them out.",
  },
  refresh: { names: ASK, remedy: "write refresh(refreshToken, { scope: ['read'] }), or leave them out." },
  authorizationRequest: { names: BEGIN, remedy: "write authorizationRequest({ scope: ['read'] }), or leave them out." },
  implicitRequest: {
    names: [...BEGIN, 'responseType'],
    remedy: "write implicitRequest({ scope: ['read'] }), or leave them out.",
  },
  password: {
    names: [...ASK, 'username', 'password'],
    needs: { username: 'write what the person typed.', password: 'write what the person typed.' },
    remedy: 'write password({ username, password }).',
  },
  exchangeCode: {
    names: ['code', 'codeVerifier', 'redirectURI', 'params'],
    withOthers: true,
    needs: {
      code: 'write the code of readCallback.',
      codeVerifier: 'write the one of authorizationRequest, which the session kept.',
    },
    remedy: 'write exchangeCode({ code, codeVerifier }).',
  },
  readCallback: {
    names: EXPECTED,
    withOthers: true,
    remedy: 'write readCallback(req.url, { state }), with the state that the session kept.',
  },
  readFragment: {
    names: EXPECTED,
    withOthers: true,
    remedy: 'write readFragment(req.body?.fragment, { state }), with the state that the session kept.',
  },
} satisfies Readonly<Record<string, Call>>;

/**
 * Checks the options of one call: what is misspelt would be ignored without a word, and a verifier that is missing would leave
 * the code without its proof. Problems name types, never values: there are secrets among them.
 * @throws ConfigError
 */
export function checkCall(method: keyof typeof CALLS, options: unknown): void {
  const { names, withOthers, needs = {}, remedy }: Call = CALLS[method];
  const check = new OptionCheck(`client.${method}`);
  check.object(options, remedy);
  const given = options as Readonly<Record<string, unknown>>; // an object: checked above
  if (withOthers) check.spelt(given, names);
  else check.known(given, names);
  for (const [name, write] of Object.entries(needs)) check.text(name, given[name], write);
  if (given.responseType !== undefined) check.text('responseType', given.responseType, "write one like 'token'.");
  if (given.redirectURI !== undefined) check.url('redirectURI', given.redirectURI);
  if (given.issuer !== undefined) check.url('issuer', given.issuer);
  // The session may have kept none, and that refuses the callback.
  if (given.state !== undefined && given.state !== null && typeof given.state !== 'string')
    check.problem(`"state" is of type ${typeof given.state}; write the text that the session kept.`);
  check.params('params', given.params);
  check.done();
}
