import { createHash } from 'node:crypto';

/** What a sign-in request says of PKCE (RFC 7636 §4.3). */
export const PKCE_PARAMETERS = ['code_challenge', 'code_challenge_method'] as const;

/** Why a request with a challenge is refused (RFC 7636 §4.4.1): S256 alone is spoken here, and leaving it out means `plain`. */
export function challengeProblem(request: URLSearchParams): string | undefined {
  if (!request.has('code_challenge') || request.get('code_challenge_method') === 'S256') return undefined;
  return 'Parameter code_challenge_method must be "S256"';
}

/** Does the verifier belong to the challenge of the sign-in (RFC 7636 §4.6)? Where there was no challenge, any does, and none. */
export function isVerified(challenge: string | null, verifier: string | undefined): boolean {
  if (challenge === null) return true;
  return verifier !== undefined && createHash('sha256').update(verifier).digest('base64url') === challenge;
}
