import type { EmulatorClock } from './clock.js';
import type { Grantee } from './people.js';
import { randomKey } from './random.js';

/** How long an authorization code can be exchanged, in milliseconds: the ten minutes that RFC 6749 §4.1.2 allows at most. */
const CODE_LIFETIME_MS = 10 * 60 * 1_000;

/** What a code was issued for. */
export interface IssuedCode {
  readonly grantee: Grantee;
  /** The redirect URI of the sign-in (`openid.return_to` in the hybrid flow); the exchange must repeat it exactly. */
  readonly redirectURI: string;
  /** PKCE's challenge, to which the exchange must bring the verifier; `null` where the sign-in had none. */
  readonly challenge: string | null;
}

interface CodeRecord extends IssuedCode {
  readonly expiresAt: number;
  spent: boolean;
}

/** The authorization codes that were issued: each is good for one exchange. */
export class CodeBook {
  private readonly records = new Map<string, CodeRecord>();

  constructor(private readonly clock: EmulatorClock) {}

  issue(purpose: IssuedCode): string {
    const code = randomKey();
    this.records.set(code, { ...purpose, expiresAt: this.clock.now() + CODE_LIFETIME_MS, spent: false });
    return code;
  }

  /** The code's purpose while it can still be exchanged by this client. Looking does not spend it. */
  find(code: string, clientId: string): IssuedCode | null {
    const record = this.records.get(code);
    if (record === undefined || record.spent) return null;
    if (record.grantee.clientId !== clientId || record.expiresAt <= this.clock.now()) return null;
    return record;
  }

  spend(code: string): void {
    const record = this.records.get(code);
    if (record !== undefined) record.spent = true;
  }
}
