import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'cookie';
import { clearCookie, setCookie, shortDigest } from './cookies.js';

const REMEMBERED_S = 60;
const ELSEWHERE = '.elsewhere';

/** The sign-ins that one browser finished of late for one page, in a cookie: the loop guard counts them. */
export class Rounds {
  /** How many, each within a minute of the one before. */
  readonly times: number;
  /** The last of them led to another page, by the options of its route. */
  private readonly ledElsewhere: boolean;

  /** `secure`: the application is reached by https. */
  constructor(
    req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly page: string,
    private readonly secure: boolean,
  ) {
    const value = parse(req.headers.cookie ?? '')[cookieName(secure)] ?? '';
    const [name, times = ''] = value.split('.');
    const isOurs = name === shortDigest(page);
    // Not a number: whatever the browser made of it.
    this.times = isOurs ? (/^[1-9]\d{0,2}$/.test(times) ? Number(times) : 1) : 0;
    this.ledElsewhere = isOurs && value.endsWith(ELSEWHERE);
  }

  /** Did the last one lead to this very page? */
  get ledHere(): boolean {
    return this.times > 0 && !this.ledElsewhere;
  }

  /** One more is finished, and leads to this page or elsewhere. */
  another(leadsElsewhere: boolean): void {
    this.remember(this.times + 1, leadsElsewhere);
  }

  /** The next sign-in for this page counts from here on, whatever stood before this in the chain. */
  keep(): void {
    if (this.times > 0) this.remember(this.times, this.ledElsewhere);
  }

  /** The next sign-in for this page is the first. */
  forget(): void {
    if (this.times > 0) forgetRounds(this.res, this.secure);
  }

  private remember(times: number, ledElsewhere: boolean): void {
    const value = `${shortDigest(this.page)}.${times}${ledElsewhere ? ELSEWHERE : ''}`;
    setCookie(this.res, cookieName(this.secure), value, this.secure, REMEMBERED_S);
  }
}

/** After a sign-out any page may lead to Spark again. */
export function forgetRounds(res: ServerResponse, secure: boolean): void {
  clearCookie(res, cookieName(secure), secure);
}

function cookieName(secure: boolean): string {
  return secure ? '__Host-spark-finished' : 'spark-finished';
}
