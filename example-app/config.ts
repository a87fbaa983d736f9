import { isLoopback, OptionCheck, USER_AGENT_REMEDY } from '../src/options.js';

/** What the environment says about the server to start. */
export interface ServerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Public address; undefined: `http://localhost:<port>`. */
  readonly baseURL: string | undefined;
  readonly redisURL: string | undefined;
  /** Undefined: a random one. */
  readonly sessionSecret: string | undefined;
  /** Undefined: the emulator stands in for Spark. */
  readonly spark: SparkConfig | undefined;
  /** Names of variables that are set and change nothing, because they go with a key. */
  readonly ignored: readonly string[];
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

type Value = (name: string) => string | undefined;

const WITH_A_KEY = ['SPARK_CALLBACK_URL', 'SPARK_USER_AGENT', 'SPARK_PORTAL'];

/** Reads the environment; an empty variable counts as unset. @throws ConfigError that lists every problem and its remedy */
export function readConfig(env: NodeJS.ProcessEnv): ServerConfig {
  const check = new OptionCheck('The environment of the login site');
  const value: Value = (name) => (env[name] === '' ? undefined : env[name]);
  const port = readPort(check, value('PORT'));
  const base = readBase(check, value('BASE_URL'));
  const redisURL = value('REDIS_URL');
  if (redisURL !== undefined && !/^(?:rediss?|redis\+unix|unix):\/\//.test(redisURL)) {
    check.problem('"REDIS_URL" is no Redis address; write redis://host:6379 or rediss://….'); // its password stays unsaid
  }
  const hasKey = value('SPARK_CLIENT_ID') !== undefined || value('SPARK_CLIENT_SECRET') !== undefined;
  if (!hasKey && base && !isLoopback(base.hostname)) {
    check.problem(
      `"BASE_URL" is on ${base.hostname}, but without a key people sign in at the emulator, which only this machine reaches; set SPARK_CLIENT_ID and SPARK_CLIENT_SECRET, or a BASE_URL on localhost.`,
    );
  }
  const reached = base ?? (port === 0 ? undefined : new URL(`http://localhost:${port}`));
  const config: ServerConfig = {
    host: value('HOST') ?? '127.0.0.1',
    port,
    baseURL: base?.href,
    redisURL,
    sessionSecret: value('SESSION_SECRET'),
    spark: hasKey ? readSpark(check, value, reached) : undefined,
    ignored: hasKey ? [] : WITH_A_KEY.filter((name) => value(name) !== undefined),
  };
  check.done();
  return config;
}

function readPort(check: OptionCheck, text: string | undefined): number {
  if (text === undefined) return 3000;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  check.problem(`"PORT" is '${text}'; write a number from 0 to 65535 (0: any free port).`);
  return 0;
}

function readBase(check: OptionCheck, text: string | undefined): URL | undefined {
  const base = text === undefined ? undefined : check.url('BASE_URL', text);
  if (base?.search) check.problem('"BASE_URL" has a query; leave it out.');
  return base;
}

/** `reached`: where browsers reach the site, as far as that is known before it listens. */
function readSpark(check: OptionCheck, value: Value, reached: URL | undefined): SparkConfig | undefined {
  const [clientID, clientSecret] = [value('SPARK_CLIENT_ID'), value('SPARK_CLIENT_SECRET')];
  const [callbackURL, userAgent] = [value('SPARK_CALLBACK_URL'), value('SPARK_USER_AGENT')];
  if (callbackURL !== undefined) checkCallback(check, callbackURL, reached);
  if (userAgent !== undefined) check.header('SPARK_USER_AGENT', userAgent, USER_AGENT_REMEDY);
  if (clientID === undefined || clientSecret === undefined) {
    const missing = clientID === undefined ? 'SPARK_CLIENT_ID' : 'SPARK_CLIENT_SECRET';
    check.problem(`"${missing}" is missing; set both to use Spark, or neither to use the emulator.`);
    return undefined;
  }
  check.credential('SPARK_CLIENT_ID', clientID, 'write the client id of your API key.');
  check.credential('SPARK_CLIENT_SECRET', clientSecret, 'write the secret of your API key.');
  return { clientID, clientSecret, callbackURL, userAgent, portal: value('SPARK_PORTAL') };
}

/** Where Spark sends people back to has to be a page of this site. */
function checkCallback(check: OptionCheck, text: string, reached: URL | undefined): void {
  const callback = check.url('SPARK_CALLBACK_URL', text);
  if (!callback || !reached) return;
  const below = reached.href.replace(/\/*$/, '/');
  if (!callback.href.startsWith(below)) {
    check.problem(
      `"SPARK_CALLBACK_URL" is ${callback.href}, which does not lie below ${below}; write BASE_URL: where browsers reach the site, on the origin of the callback.`,
    );
  }
}
