import type { IncomingMessage } from 'node:http';

export interface CrossSiteRules {
  /** Origins whose pages may call the proxy. */
  readonly origins: readonly string[];
  /** A header (lower case) that unsafe requests must bring when nothing else tells where they come from. */
  readonly requireHeader: string | undefined;
}

/**
 * Would another site act through this person's cookie? Answers the reason to refuse, or undefined.
 * Reads are judged too: an answer can be told apart by its size or time, and some reads have effects.
 */
export function refuseCrossSite(req: IncomingMessage, rules: CrossSiteRules): string | undefined {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) {
    return site === 'same-origin' || site === 'none'
      ? undefined
      : `The request comes from another site (Sec-Fetch-Site: ${site === 'same-site' ? site : 'cross-site'}).`;
  }
  const { origin } = req.headers;
  if (origin !== undefined) {
    // Never compared with Host, which a rebound DNS name controls too.
    return rules.origins.includes(origin) ? undefined : 'The request comes from an origin that is not among "origins".';
  }
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS') return undefined;
  if (rules.requireHeader !== undefined && req.headers[rules.requireHeader] !== undefined) return undefined;
  const program =
    rules.requireHeader === undefined
      ? 'Set requireHeader for programs, or have them send Sec-Fetch-Site: same-origin'
      : `Programs must send the header ${rules.requireHeader}, or Sec-Fetch-Site: same-origin`;
  return `The request says neither Sec-Fetch-Site nor Origin, as browsers do. ${program}.`;
}
