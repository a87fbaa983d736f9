import { AuthorizationError, SparkError } from '../errors.js';
import type { Once } from './once.js';

/** Who verifies, and what is remembered. */
export interface Verifier {
  /** The provider's own endpoint, as configured: never the one that the callback names. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly once: Once;
}

/** Without these a signature says nothing about this callback (OpenID Authentication 2.0 §10.1); the code is Spark's extension. */
const MUST_BE_SIGNED = ['op_endpoint', 'return_to', 'response_nonce', 'assoc_handle', 'spark.code'];
/** Signed where they are present (§10.1). */
const SIGNED_IF_PRESENT = ['claimed_id', 'identity'];

const MAX_AGE_MS = 15 * 60 * 1_000;
/** How far the provider's clock may be ahead of ours. */
const SKEW_MS = 5 * 60 * 1_000;

/**
 * Has an assertion verified by the provider itself (direct verification, §11.4.2), and counts its nonce once (§11.3).
 * Answers the fields that are signed.
 * @throws AuthorizationError `assertion_invalid`, SparkError `verification_failed` (the provider did not say), UnavailableError
 */
export async function verifyAssertion(
  fields: ReadonlyMap<string, string>,
  verifier: Verifier,
): Promise<ReadonlyMap<string, string>> {
  const signed = (fields.get('signed') ?? '').split(',');
  const unsigned = [...MUST_BE_SIGNED, ...SIGNED_IF_PRESENT.filter((name) => fields.has(name))].find(
    (name) => !signed.includes(name) || !fields.has(name),
  );
  if (unsigned !== undefined || !fields.has('sig')) {
    throw invalid(`openid.${unsigned ?? 'sig'} is missing, or is not signed`);
  }
  await spendNonce(fields.get('response_nonce') ?? '', verifier);
  if (!(await providerSaysValid(fields, verifier))) throw invalid('the provider does not know it');
  return new Map([...fields].filter(([name]) => signed.includes(name)));
}

/** A nonce begins with the time it was made at, so that none has to be remembered for ever. */
async function spendNonce(nonce: string, { endpoint, once }: Verifier): Promise<void> {
  const made = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)[\x21-\x7e]{0,235}$/.exec(nonce)?.[1];
  const ageMs = made === undefined ? Number.NaN : Date.now() - Date.parse(made);
  if (!(ageMs <= MAX_AGE_MS && ageMs >= -SKEW_MS)) throw invalid('its nonce is too old, or from the future');
  if (!(await once.isFirst(`nonce ${endpoint} ${nonce}`, MAX_AGE_MS + SKEW_MS)))
    throw invalid('its nonce came here before');
}

async function providerSaysValid(fields: ReadonlyMap<string, string>, verifier: Verifier): Promise<boolean> {
  const { endpoint, headers, timeoutMs } = verifier;
  // Exact copies of all fields, but for the mode (§11.4.2.1).
  const question = new URLSearchParams([...fields].map(([name, value]): [string, string] => [`openid.${name}`, value]));
  question.set('openid.mode', 'check_authentication');
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: question.toString(),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = await response.text();
    const isValid = /^is_valid:(true|false)$/m.exec(answer)?.[1]; // key-value form (§4.1.1)
    if (!response.ok || isValid === undefined) throw new Error(`it answered ${response.status} without is_valid`);
    return isValid === 'true';
  } catch (cause) {
    throw new SparkError('The provider did not verify the assertion.', {
      code: 'verification_failed',
      status: 502,
      cause,
    });
  }
}

function invalid(why: string): AuthorizationError {
  return new AuthorizationError(`The assertion is refused: ${why}.`, 'assertion_invalid', undefined, 403);
}
