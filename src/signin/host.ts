import type { IncomingMessage } from 'node:http';

/** The Host comes with the request, and may be anything: the log and this process are not to be filled with them. */
const MAX_PAIRS = 20;

/**
 * Warns of people who begin to sign in on another host than the one that Spark sends them back to (localhost and 127.0.0.1,
 * with www and without): the cookie of the attempt does not come along, so that every sign-in is over when they come back.
 */
export class CallbackHost {
  private readonly told = new Set<string>();

  check(req: IncomingMessage, redirectURI: string): void {
    const { hostname } = new URL(redirectURI);
    const visited = hostnameOf(req.headers.host);
    if (visited === undefined || visited === hostname) return;
    // Believed of anybody: it is only a warning that it takes back.
    if (
      hostnameOf(
        String(req.headers['x-forwarded-host'] ?? '')
          .split(',')[0]
          ?.trim(),
      ) === hostname
    )
      return;
    const pair = `${visited} ${hostname}`;
    if (this.told.has(pair) || this.told.size >= MAX_PAIRS) return;
    this.told.add(pair);
    process.emitWarning(
      `People begin to sign in at ${visited} and come back from Spark to ${hostname}, the host of callbackURL, where their browser has no cookie of it: ` +
        'each sign-in ends on the page "This sign-in is over". Lead people to one of the hosts alone, or have the proxy before this application send X-Forwarded-Host.',
      { type: 'SparkStrategy', code: 'SPARK_CALLBACK_HOST' },
    );
  }
}

function hostnameOf(host: string | undefined): string | undefined {
  return host && URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined;
}
