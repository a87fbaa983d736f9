import { randomBytes } from 'node:crypto';
import { OptionCheck } from '../src/options.js';

/** What the environment says about the server to start. */
export interface ServerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Public address; undefined: `http://localhost:<port>`. */
  readonly baseURL: string | undefined;
  readonly redisURL: string | undefined;
  readonly sessionSecret: string;
  /** Undefined: the emulator stands in for Spark. */
  readonly spark: SparkConfig | undefined;
}

/** An API key, and what belongs to it. */
export interface SparkConfig {
  readonly clientID: string;
  readonly clientSecret: string;
  /** Undefined: `/auth/spark/callback` below the base URL. */
  readonly callbackURL: string | undefined;
  readonly userAgent: string | undefined;
  /** Prefills the form. */
  readonly portal: string | undefined;
}

/** Reads the environment; an empty variable counts as unset. @throws ConfigError that lists every problem and its remedy */
export function readConfig(env: NodeJS.ProcessEnv): ServerConfig {
  const check = new OptionCheck('The environment of the login site');
  const value = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const baseURL = value('BASE_URL');
  if (baseURL !== undefined) check.url('BASE_URL', baseURL);
  const redisURL = value('REDIS_URL');
  if (redisURL !== undefined && !/^(?:rediss?|redis\+unix|unix):\/\//.test(redisURL)) {
    check.problem('"REDIS_URL" is no Redis address; write redis://host:6379 or rediss://….'); // its password stays unsaid
  }
  const config: ServerConfig = {
    host: value('HOST') ?? '127.0.0.1',
    port: readPort(check, value('PORT')),
    baseURL,
    redisURL,
    sessionSecret: value('SESSION_SECRET') ?? randomBytes(32).toString('base64url'),
    spark: readSpark(check, value),
  };
  check.done();
  return config;
}

function readPort(check: OptionCheck, text: string | undefined): number {
  if (text === undefined) return 3000;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) check.problem(`"PORT" is '${text}'; write a number from 0 to 65535 (0: any free port).`);
  return port;
}

function readSpark(check: OptionCheck, value: (name: string) => string | undefined): SparkConfig | undefined {
  const [clientID, clientSecret] = [value('SPARK_CLIENT_ID'), value('SPARK_CLIENT_SECRET')];
  if (clientID === undefined && clientSecret === undefined) return undefined;
  if (clientID === undefined || clientSecret === undefined) {
    const missing = clientID === undefined ? 'SPARK_CLIENT_ID' : 'SPARK_CLIENT_SECRET';
    check.problem(`"${missing}" is missing; set both to use Spark, or neither to use the emulator.`);
    return undefined;
  }
  return {
    clientID,
    clientSecret,
    callbackURL: value('SPARK_CALLBACK_URL'),
    userAgent: value('SPARK_USER_AGENT'),
    portal: value('SPARK_PORTAL'),
  };
}
