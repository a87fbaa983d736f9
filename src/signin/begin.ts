import { createHash, randomBytes } from 'node:crypto';
import { OptionCheck, scopeOfCall } from '../options.js';
import { attributeParams } from './attributes.js';
import { redirectURIOfCall, type SignInCall, stateMeta } from './call.js';
import { callbackOf, stateOption } from './options.js';
import { urlParts } from './request.js';
import { safeReturnTo } from './return-to.js';
import { AUTHENTICATE, chooseRole } from './role.js';
import { keepState } from './state-store.js';
import { newState } from './transaction.js';
import { authorizationURL } from './urls.js';
import { isSafe } from './wall.js';

/** Begins an attempt and sends the browser to Spark. @throws ConfigError for a role, portal and flow that don't fit */
export async function begin(call: SignInCall): Promise<void> {
  const { req, res, options, strategy, parts } = call;
  const { settings } = parts;
  const { authorizationURL: endpoint, ...choice } = await chooseRole(settings, options, req);
  const redirectURI = redirectURIOfCall(call);
  // A path goes by the request's own host.
  if (redirectURI === callbackOf(settings, options).callbackURL) parts.callbackHost.check(req, redirectURI);
  const verifier = settings.pkce ? randomBytes(32).toString('base64url') : undefined;
  const appState = appStateOf(options) ?? settings.state;
  const state = settings.store
    ? await keepState(settings.store, req, { verifier, state: appState, meta: stateMeta(settings, redirectURI) })
    : newState();
  await parts.attempts.begin(req, res, {
    ...choice,
    state,
    redirectURI,
    returnTo: pageWanted(call),
    verifier,
    appState,
  });
  res.setHeader('Cache-Control', 'no-store');
  strategy.redirect(
    authorizationURL({
      ...choice,
      platformURL: settings.platformURL,
      authorizationURL: endpoint,
      clientID: settings.clientID,
      redirectURI,
      state,
      extra: { ...extraParams(call, verifier), ...(choice.flow === 'hybrid' ? attributeParams(settings.asked) : {}) },
    }),
  );
}

/** The page that a sign-in which begins now is for. */
export function pageWanted(call: SignInCall): string {
  const { req, options, parts } = call;
  const wanted = options.returnTo ?? rememberedPage(call) ?? (isSafe(req) ? urlParts(req).target : '/');
  return safeReturnTo(wanted, parts.settings.callbackPath);
}

/** On a route: the page that the application remembered before it sent the person there, as connect-ensure-login does. */
function rememberedPage({ req, wall }: SignInCall): string | undefined {
  const { returnTo } = (req.session ?? {}) as { returnTo?: unknown };
  return !wall && typeof returnTo === 'string' ? returnTo : undefined;
}

function extraParams({ options, strategy, parts }: SignInCall, verifier: string | undefined): Record<string, string> {
  const { settings } = parts;
  const scope =
    options.scope === undefined ? settings.scope : scopeOfCall(AUTHENTICATE, options.scope, settings.scopeSeparator);
  return {
    ...(strategy.authorizationParams(options) as Record<string, string>),
    ...(scope === undefined ? {} : { scope }),
    ...(verifier === undefined ? {} : { code_challenge: sha256(verifier), code_challenge_method: 'S256' }),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Passport's types know text alone; its users also write `true` (a state of our own, as always) and objects. @throws ConfigError */
function appStateOf({ state }: { state?: unknown }): string | object | undefined {
  const check = new OptionCheck(AUTHENTICATE);
  const told = stateOption(check, state);
  check.done();
  return told;
}
