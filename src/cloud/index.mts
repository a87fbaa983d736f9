// Re-exports the CommonJS build, so that `import` and `require` share one implementation.
export type {
  AccountCredentials,
  CloudAddresses,
  CloudAuthenticateOptions,
  CloudDevice,
  CloudErrorCode,
  CloudProfile,
  CloudSignIn,
  CloudToken,
  CloudVerifyFunction,
  CloudVerifyFunctionWithRequest,
  CloudWay,
  MfaChallenge,
  SparkCloudStrategyOptions,
} from './index.js';
export { CloudError, MfaRequiredError, PARTICLE_CLOUD, SPARK_CLOUD_2014, SparkCloudStrategy } from './index.js';
