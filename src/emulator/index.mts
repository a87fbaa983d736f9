// Re-exports the CommonJS build, so that `import` and `require` share one implementation.
export type {
  CallFault,
  EmulatorClientOptions,
  EmulatorClock,
  EmulatorControls,
  EmulatorPersonOptions,
  GrantFault,
  GrantSeen,
  GrantType,
  RequestSeen,
  SparkEmulator,
  SparkEmulatorHandle,
  SparkEmulatorOptions,
  SparkRole,
} from './index.js';
export { createSparkEmulator } from './index.js';
