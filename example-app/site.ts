import type { Authenticator } from 'passport';
import type { SiteSettings } from './options.js';
import type { OwnSession } from './session.js';

/** What every part of the site needs. */
export interface Site {
  readonly settings: SiteSettings;
  readonly passport: Authenticator;
  /** Undefined where the host's session is used. */
  readonly ownSession: OwnSession | undefined;
}
