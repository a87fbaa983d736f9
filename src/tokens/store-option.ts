import type { OptionCheck } from '../options.js';
import { MemoryTokenStore } from './memory.js';
import type { TokenStore } from './store.js';

const CALLS = ['create', 'read', 'claim', 'extend', 'commit', 'settle', 'markDead', 'remove'] as const;

/** The option `tokenStore`: a store of this process's memory where none is given. */
export function tokenStoreOption(check: OptionCheck, store: TokenStore | undefined): TokenStore {
  if (store === undefined) return new MemoryTokenStore();
  const missing = CALLS.find((name) => typeof store?.[name] !== 'function');
  if (missing !== undefined) {
    check.problem(
      `"tokenStore" has no ${missing}(); write new RedisTokenStore(redis), or an object with the TokenStore contract.`,
    );
  }
  return store;
}
