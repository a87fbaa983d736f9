import {
  PARTICLE_CLOUD,
  SPARK_CLOUD_2014,
  SparkCloudStrategy,
  type SparkCloudStrategyOptions,
} from '../../src/cloud/index.js';
import { ConfigError } from '../../src/index.js';

function problemsOf(options: object | null): readonly string[] {
  try {
    new SparkCloudStrategy(options as SparkCloudStrategyOptions);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('options of SparkCloudStrategy', () => {
  it('may all be left out: then it is the cloud of today', () => {
    const strategy = new SparkCloudStrategy();

    expect(strategy).toMatchObject({ name: 'spark-cloud', apiURL: PARTICLE_CLOUD.apiURL, sessionKey: 'sparkCloud' });
  });

  it('are an object, if anything', () => {
    expect(problemsOf(null)).toEqual([
      'the options are null; write new SparkCloudStrategy({ tokenStore }), or leave them out.',
    ]);
  });

  it('may be the addresses of 2014', () => {
    expect(problemsOf(SPARK_CLOUD_2014)).toEqual([]);
    expect(SPARK_CLOUD_2014.signInURL).toBe('https://www.spark.io/sign-in');
  });

  it.each(['cookie', 'passport'])('name no session key that is taken: %s', (sessionKey) => {
    expect(problemsOf({ sessionKey })).toEqual([expect.stringContaining(`"sessionKey" is '${sessionKey}', where`)]);
  });

  it('are all looked at before one error lists every problem', () => {
    const problems = problemsOf({
      way: 'session',
      apiURL: 'http://cloud.example.com',
      tokenUrl: 'x',
      clientID: ' ',
      otpField: '',
      timeoutMs: 1.5,
      passReqToCallback: 'false',
      tokenStore: {},
      origin: 'nowhere',
    });

    expect(problems.map((problem) => /"(\w+)"/.exec(problem)?.[1]).sort()).toEqual([
      'accessTokenURL',
      'apiURL',
      'clientID',
      'origin',
      'otpField',
      'passReqToCallback',
      'signInURL',
      'timeoutMs',
      'tokenStore',
      'tokenUrl',
    ]);
  });
});
