/**
 * How the cloud is signed in to. `oauth`: a password grant at `/oauth/token`, as today. `session`: `sign-in`, then
 * `access-token`, as in 2014.
 */
export type CloudWay = 'oauth' | 'session';

/** Where a cloud lives. Every one is an option of `SparkCloudStrategy`. */
export interface CloudAddresses {
  readonly way: CloudWay;
  /** Origin of the API: `/v1/devices`, `/v1/access_tokens`. */
  readonly apiURL: string;
  /** Of the password grant, its second factor, and refreshes. */
  readonly tokenURL: string;
  /** `POST`, JSON: name and password for an `auth_token`. With way `session`. */
  readonly signInURL?: string;
  /** `GET`, `Bearer <auth_token>`: for an access token. With way `session`. */
  readonly accessTokenURL?: string;
}

/** The cloud of today: the defaults of `SparkCloudStrategy`. */
export const PARTICLE_CLOUD: CloudAddresses = {
  way: 'oauth',
  apiURL: 'https://api.particle.io',
  tokenURL: 'https://api.particle.io/oauth/token',
};

/**
 * The addresses of the cloud's API of 2014; nobody answers there any more, but clouds that are
 * run by others may be built like it.
 * @example new SparkCloudStrategy({ ...SPARK_CLOUD_2014, signInURL: 'https://cloud.example.com/sign-in', … })
 */
export const SPARK_CLOUD_2014: Required<CloudAddresses> = {
  way: 'session',
  apiURL: 'https://api.spark.io',
  tokenURL: 'https://api.spark.io/oauth/token',
  signInURL: 'https://www.spark.io/sign-in',
  accessTokenURL: 'https://www.spark.io/access-token',
};
