/**
 * What may go up to the API. Pure: a raw request target in, a reason to refuse it (or nothing) out.
 * The target itself is never changed: SparkQL and OData need their quotes, `$`, `,`, `%20` and `%2B` byte for byte.
 */

export interface PathRules {
  /** Paths (lower case) that are refused, exactly and as a prefix. */
  readonly refusedPaths: readonly string[];
  /** Let `%2F` pass inside a quoted OData key: `Property('A%2FB')`. */
  readonly encodedSlashInKey: boolean;
  /** Let the `ApiUser` parameter pass, with which an office key acts for one of its people. */
  readonly impersonation: boolean;
}

export interface PathRefusal {
  readonly status: 400 | 403;
  readonly code: string;
  readonly message: string;
}

/** Parameters with which a request would bring credentials of its own, past the session's. */
const QUERY_CREDENTIALS = ['access_token', 'authtoken', 'apisig', 'oauth_token'];

/** The reason not to forward this request target (RFC 9112 §3.2.1, origin-form), or undefined. */
export function refuseTarget(target: string, rules: PathRules): PathRefusal | undefined {
  if (!target.startsWith('/')) return bad('absolute_target', 'The request target must be a path.');
  // Node's parser lets no character through that is more than a byte; a middleware that decodes the target does.
  if (!/^[\x21\x22\x24-\x7e\x80-\xff]*$/.test(target))
    return bad('bad_characters', 'The URL holds a raw control character, space, "#", or a character beyond U+00FF.');
  const queryAt = target.indexOf('?');
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  return refusePath(path, rules) ?? (queryAt === -1 ? undefined : refuseQuery(target.slice(queryAt + 1), rules));
}

function refusePath(path: string, rules: PathRules): PathRefusal | undefined {
  if (path.includes('//')) return bad('empty_segment', 'The path holds "//".');
  if (path.includes('\\')) return bad('backslash', 'The path holds a backslash.');
  if (!path.includes('%')) return refuseDecoded(path, rules); // most paths: nothing is encoded
  const outsideKeys = rules.encodedSlashInKey ? path.replaceAll(/%27/g, "'").replaceAll(/'[^'/]*'/g, "''") : path;
  if (/%5c/i.test(path) || /%2f/i.test(outsideKeys))
    return bad('encoded_separator', 'The path holds an encoded slash or backslash.');
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) return bad('encoded_control', 'The path holds an encoded control character.');
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // Broken escapes and overlong UTF-8 (%c0%ae): servers disagree on what they mean.
    return bad('bad_escape', 'The path holds an escape that is not valid UTF-8.');
  }
  // A server that decodes twice would see a separator or a dot segment where we saw none.
  if (/%(?:25)*(?:2e|2f|5c|00)/i.test(decoded))
    return bad('double_encoding', 'The path holds a doubly encoded separator.');
  return refuseDecoded(decoded, rules) ?? refuseDecoded(decodedAgain(decoded), rules);
}

/** As a server sees it that decodes more than once: a letter of a refused path may hide behind `%25`. */
function decodedAgain(path: string): string {
  return path.replaceAll(/%(?:25)*([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function refuseDecoded(decoded: string, rules: PathRules): PathRefusal | undefined {
  // To servers that know path parameters `..;x` is `..`, and `/v1;x/session` is `/v1/session`.
  const plain = decoded.toLowerCase().replaceAll(/;[^/\\]*/g, '');
  // Inside a key encoded slashes may have passed, one after the other, too.
  const outsideKeys = rules.encodedSlashInKey ? plain.replaceAll(/'[^']*'/g, "''") : plain;
  if (outsideKeys.includes('//'))
    return bad('empty_segment', 'The path holds "/;…/", which some servers read as "//".');
  // Split at what was an encoded separator, too: inside a key it may have passed.
  if (plain.split(/[/\\]/).some((segment) => segment === '.' || segment === '..')) {
    return bad('dot_segment', 'The path holds a "." or ".." segment.');
  }
  for (const refused of rules.refusedPaths) {
    if (!plain.startsWith(refused)) continue;
    const next = plain.charAt(refused.length);
    if (next === '' || next === '/' || next === '.') {
      return { status: 403, code: 'path_refused', message: `${refused} is not available through the proxy.` };
    }
  }
  return undefined;
}

/** The reason not to send this query, in a target or in a form that stands for one; or undefined. */
export function refuseQuery(query: string, rules: PathRules): PathRefusal | undefined {
  if (/%00/.test(query)) return bad('encoded_control', 'The query holds an encoded NUL.');
  // Ruby's Rack, which the API very probably runs on, also splits at ";" and reads `name[]` as `name`.
  for (const pair of query.split(/[&;]/)) {
    const name = parameterName(pair);
    if (QUERY_CREDENTIALS.includes(name)) {
      return bad('query_credentials', `The query parameter "${name}" is refused: the proxy attaches the credentials.`);
    }
    if (name === 'apiuser' && !rules.impersonation) {
      return bad(
        'impersonation',
        'The query parameter "ApiUser" is refused: the proxy was not set up with impersonation.',
      );
    }
  }
  return undefined;
}

function parameterName(pair: string): string {
  const raw = pair.split('=', 1)[0] ?? '';
  // Byte by byte, because a broken escape elsewhere in the name must not hide the rest of it.
  const name = raw
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  // Older versions of Rack also skip brackets in front.
  const [first = ''] = name
    .trim()
    .replace(/^[[\]]+/, '')
    .split(/[[\]]/, 1);
  return first.trim().toLowerCase();
}

function bad(code: string, message: string): PathRefusal {
  return { status: 400, code, message };
}
