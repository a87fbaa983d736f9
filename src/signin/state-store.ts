import type { IncomingMessage } from 'node:http';
import { calledBack } from '../called-back.js';
import type { StateStore } from './options.js';

export interface StateMeta {
  readonly authorizationURL: string;
  readonly tokenURL: string;
  readonly clientID: string;
  readonly callbackURL: string;
}

/** Asks a custom `store` to keep a state. It is called by its own number of parameters, as passport-oauth2 does. */
export async function keepState(
  store: StateStore,
  req: IncomingMessage,
  given: { verifier: string | undefined; state: unknown; meta: StateMeta },
): Promise<string> {
  const { verifier, state, meta } = given;
  const [kept] = await calledBack((done) => {
    if (store.store.length === 5) return store.store(req, verifier, state, meta, done);
    if (store.store.length === 4) return store.store(req, state, meta, done);
    if (store.store.length === 3) return store.store(req, meta, done);
    return store.store(req, done);
  });
  return String(kept ?? '');
}

export interface VerifiedState {
  readonly ok: boolean;
  /** The PKCE verifier, where the store keeps it: passport-oauth2 hands it back in the place of `true`. */
  readonly verifier: string | undefined;
  /** Application state, or the reason of a refusal. */
  readonly state: unknown;
}

/** Asks a custom `store` whether it knows a state. */
export async function verifyState(
  store: StateStore,
  req: IncomingMessage,
  state: string | undefined,
  meta: StateMeta,
): Promise<VerifiedState> {
  const [ok, info] = await calledBack((done) =>
    store.verify.length === 4 ? store.verify(req, state, meta, done) : store.verify(req, state, done),
  );
  return { ok: Boolean(ok), verifier: typeof ok === 'string' ? ok : undefined, state: info };
}
