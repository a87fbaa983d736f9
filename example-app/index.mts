// Re-exports the CommonJS build, so that `import` and `require` share one implementation.
export * from './index.js';
