import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Happened } from '../tokens/happened.js';
import { guarded, type TokenStore } from '../tokens/store.js';

/** Calls without an answer: as many people as may sign in while the store is away. The oldest goes first. */
const MAX_UNANSWERED = 10_000;

/**
 * What may happen once: the finish of an attempt, the nonce of an assertion. Over all processes where the token store
 * can say so (`once`), else in this one.
 */
export class Once {
  private readonly call: NonNullable<TokenStore['once']>;
  /** Ids of the calls that the store did not answer, by digest: it may have carried them out all the same. */
  private readonly unanswered = new LRUCache<string, string>({ max: MAX_UNANSWERED });

  constructor(store: TokenStore) {
    const here = new Happened();
    this.call = guarded(store).once ?? (async (...args) => here.isFirst(...args, Date.now()));
  }

  /**
   * Is this the first time? Names are hashed: what is remembered could not be used by whoever reads the store. A call
   * that failed is sent again by the next try, so that it is answered as if it had come through at once.
   * @throws UnavailableError
   */
  async isFirst(name: string, forMs: number): Promise<boolean> {
    const digest = createHash('sha256').update(name).digest('base64url');
    const callId = this.unanswered.get(digest) ?? randomBytes(16).toString('base64url');
    this.unanswered.delete(digest); // two tries at a time must not both be first
    try {
      return await this.call(digest, callId, forMs);
    } catch (error) {
      if (!this.unanswered.has(digest)) this.unanswered.set(digest, callId); // the one that reached the store first
      throw error;
    }
  }
}
