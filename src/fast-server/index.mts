// Re-exports the CommonJS build, so that `import` and `require` share one implementation.
export type { ExpressApp, FastServerOptions, FastTlsServerOptions } from './index.js';
export { createFastServer } from './index.js';
