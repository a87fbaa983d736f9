import { createHash, randomBytes } from 'node:crypto';
import { MemoryTokenStore } from '../tokens/memory.js';
import { guarded, type TokenStore } from '../tokens/store.js';

/**
 * What may happen once: the finish of an attempt, the nonce of an assertion. Over all processes where the token store
 * can say so (`once`), else in this one.
 */
export class Once {
  private readonly store: TokenStore;

  constructor(store: TokenStore) {
    this.store = guarded(store.once ? store : new MemoryTokenStore());
  }

  /** Is this the first time? Names are hashed: what is remembered could not be used by whoever reads the store. @throws UnavailableError */
  async isFirst(name: string, forMs: number): Promise<boolean> {
    const digest = createHash('sha256').update(name).digest('base64url');
    return (await this.store.once?.(digest, randomBytes(16).toString('base64url'), forMs)) ?? true;
  }
}
