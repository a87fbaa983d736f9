import type { Flow } from '../platform.js';

/** What Spark said when it sent the browser back. */
export type Callback = { readonly flow: Flow; readonly state: string | undefined } & (
  | {
      readonly kind: 'code';
      readonly code: string;
      readonly returnTo?: string | undefined;
      readonly endpoint?: string | undefined;
      /** Of the hybrid flow, every field by its name without `openid.`. */
      readonly fields?: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'denied'; readonly description: string | undefined }
  | {
      readonly kind: 'error';
      readonly error: string;
      readonly description: string | undefined;
      readonly uri?: string | undefined;
    }
  /** Nothing that Spark would send. `problem` is for the log. */
  | { readonly kind: 'invalid'; readonly problem: string }
);

/** Reads the callback of either flow from the raw query, because parsers disagree on dots and repeated names. */
export function readCallback(query: string): Callback {
  const params = new Map<string, string>();
  const given = [...new URLSearchParams(query)];
  const canonicalName = namesIn(given);
  for (const [name, value] of given) {
    const known = canonicalName(name);
    if (!RELEVANT.has(known) && !known.startsWith('openid.')) continue;
    // Two values for one name: whichever we took, somebody may have put it there.
    if (params.has(known))
      return { kind: 'invalid', flow: 'oauth2', state: undefined, problem: `"${known}" appears twice` };
    params.set(known, value);
  }
  return params.has('openid.mode') ? readHybrid(params) : readOAuth2(params);
}

/** Does this query carry what an answer of Spark carries? */
export function holdsAnswer(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => /^(?:code|error|openid[._].*)$/.test(name));
}

/**
 * PHP and some others turn dots in parameter names into underscores: `openid_spark_code`. Which of them were dots is told by
 * the names that we know and by those that the message lists as signed.
 */
function namesIn(given: readonly (readonly [string, string])[]): (name: string) => string {
  const signed = given.find(([name]) => /^openid[._]signed$/.test(name))?.[1].split(',') ?? [];
  const dotted = new Map(signed.map((name) => [`openid_${withoutDots(name)}`, `openid.${name}`]));
  return (name) => {
    if (!/^openid[._]/.test(name)) return name;
    const flat = withoutDots(name);
    return KNOWN.get(flat) ?? dotted.get(flat) ?? name.replace(/^openid_/, 'openid.');
  };
}

function withoutDots(name: string): string {
  return name.replaceAll('.', '_');
}

const HYBRID_NAMES = [
  'openid.mode',
  'openid.error',
  'openid.spark.code',
  'openid.spark.state',
  'openid.return_to',
  'openid.op_endpoint',
  'openid.signed',
  'openid.sig',
  'openid.response_nonce',
  'openid.assoc_handle',
  'openid.claimed_id',
  'openid.identity',
] as const;

const RELEVANT = new Set<string>(['code', 'state', 'error', 'error_description', 'error_uri']);
const KNOWN = new Map<string, string>(HYBRID_NAMES.map((name) => [withoutDots(name), name]));

function readOAuth2(params: ReadonlyMap<string, string>): Callback {
  const about = { flow: 'oauth2', state: params.get('state') } as const;
  const error = params.get('error');
  const code = params.get('code');
  if (error !== undefined && code !== undefined)
    return { ...about, kind: 'invalid', problem: 'both "code" and "error"' };
  if (error === 'access_denied') return { ...about, kind: 'denied', description: params.get('error_description') };
  if (error !== undefined) {
    return {
      ...about,
      kind: 'error',
      error,
      description: params.get('error_description'),
      uri: params.get('error_uri'),
    };
  }
  if (!code) return { ...about, kind: 'invalid', problem: 'neither "code" nor "error"' };
  return { ...about, kind: 'code', code };
}

function readHybrid(params: ReadonlyMap<string, string>): Callback {
  const about = { flow: 'hybrid', state: params.get('openid.spark.state') } as const;
  const mode = params.get('openid.mode') ?? '';
  if (mode === 'cancel') return { ...about, kind: 'denied', description: undefined };
  if (mode === 'error')
    return { ...about, kind: 'error', error: 'openid_error', description: params.get('openid.error') };
  if (mode !== 'id_res')
    return { ...about, kind: 'invalid', problem: 'an "openid.mode" that is not id_res, cancel or error' };
  const code = params.get('openid.spark.code');
  if (!code) return { ...about, kind: 'invalid', problem: 'id_res without "openid.spark.code"' };
  const signed = params.get('openid.signed');
  if (signed !== undefined && !signed.split(',').includes('spark.code')) {
    return { ...about, kind: 'invalid', problem: '"openid.spark.code" is not among the signed fields' };
  }
  return {
    ...about,
    kind: 'code',
    code,
    returnTo: params.get('openid.return_to'),
    endpoint: params.get('openid.op_endpoint'),
    fields: new Map(
      [...params].flatMap(([name, value]) => (name.startsWith('openid.') ? [[name.slice(7), value]] : [])),
    ),
  };
}

/**
 * A callback that no attempt of this browser belongs to, without the texts that came with it. Spark may leave the state
 * out of an error, so the error counts; but anybody can send a link here, and its words are not to be shown as Spark's.
 */
export function withoutWords(callback: Callback): Callback {
  if (callback.kind === 'denied') return { ...callback, description: undefined };
  if (callback.kind === 'error') return { ...callback, description: undefined, uri: undefined };
  return callback;
}

/** Does this callback answer the question that the attempt asked? Says why not. `provider`: where people sign in. */
export function mismatch(
  callback: Extract<Callback, { kind: 'code' }>,
  asked: { readonly flow: Flow; readonly redirectURI: string },
  provider: string,
): string | undefined {
  if (callback.flow !== asked.flow) return 'The callback belongs to another flow.';
  if (callback.returnTo !== undefined && callback.returnTo !== asked.redirectURI)
    return 'openid.return_to is not this callback.';
  const { endpoint } = callback;
  if (endpoint === undefined) return undefined;
  const known = URL.canParse(endpoint) && new URL(endpoint).origin === new URL(provider).origin;
  return known ? undefined : 'openid.op_endpoint is not the configured provider.';
}
