export { type ContractCase, tokenStoreContract } from './index.js';
