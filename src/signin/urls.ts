import { type Flow, OAUTH2_PATH, OPENID_PATH, type Role, VOW_PATH } from '../platform.js';

/** One sign-in's choices, as they go into the URL that the browser is sent to. */
export interface AuthorizationRequest {
  readonly platformURL: string;
  /** Replaces the endpoint that role, portal and flow choose. */
  readonly authorizationURL: string | undefined;
  readonly role: Role;
  readonly flow: Flow;
  readonly portal?: string | undefined;
  readonly clientID: string;
  readonly redirectURI: string;
  readonly state: string;
  /** What an application's `authorizationParams`, PKCE and `scope` add. */
  readonly extra: Readonly<Record<string, string>>;
}

/** Where to send the browser. Sources: the vendor's OAuth 2 page (`/oauth2`, `/auth/vow/…`) and hybrid page (`/openid`). */
export function authorizationURL(request: AuthorizationRequest): string {
  const url = new URL(request.authorizationURL ?? request.platformURL + endpointPath(request));
  const own = request.flow === 'hybrid' ? hybridParams(request) : oauth2Params(request);
  for (const [name, value] of Object.entries({ ...request.extra, ...own })) url.searchParams.set(name, value);
  return url.href;
}

function endpointPath({ role, flow, portal }: AuthorizationRequest): string {
  if (flow === 'hybrid') return OPENID_PATH;
  if (role !== 'vow') return OAUTH2_PATH;
  // Vendor: the endpoint of a portal named MyPortal ends in /myportal.
  return portal === undefined ? VOW_PATH : `${VOW_PATH}/${encodeURIComponent(portal.toLowerCase())}`;
}

function oauth2Params(request: AuthorizationRequest): Record<string, string> {
  return {
    response_type: 'code',
    client_id: request.clientID,
    redirect_uri: request.redirectURI,
    state: request.state,
  };
}

/** The state travels as `openid.spark.state`, which the vendor returns to `return_to`. */
function hybridParams(request: AuthorizationRequest): Record<string, string> {
  return {
    'openid.mode': 'checkid_setup',
    'openid.return_to': request.redirectURI,
    'openid.spark.client_id': request.clientID,
    'openid.spark.combined_flow': 'true',
    'openid.spark.state': request.state,
  };
}

/** A portal's name becomes one path segment: what could leave that segment is no name. */
export function portalProblem(portal: string): string | undefined {
  const outside = portal.trim() === '' || /^\.+$/.test(portal) || /[/\\?#%\p{Cc}]/u.test(portal) || portal.length > 100;
  // Half a surrogate pair can't be encoded.
  return outside || /\p{Surrogate}/u.test(portal)
    ? `"portal" is ${JSON.stringify(portal.slice(0, 40))}; write the portal's name alone, like 'myportal'.`
    : undefined;
}
