export type { AccountCredentials, CloudDevice, CloudToken } from './account.js';
export { type CloudAddresses, type CloudWay, PARTICLE_CLOUD, SPARK_CLOUD_2014 } from './addresses.js';
export { CloudError, type CloudErrorCode, type MfaChallenge, MfaRequiredError } from './errors.js';
export type { CloudSignIn } from './grants.js';
export type { SparkCloudStrategyOptions } from './options.js';
export {
  type CloudAuthenticateOptions,
  type CloudProfile,
  type CloudVerifyFunction,
  type CloudVerifyFunctionWithRequest,
  SparkCloudStrategy,
} from './strategy.js';
