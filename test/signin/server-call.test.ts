import type { IncomingMessage } from 'node:http';
import { startApp, type TestAppOptions } from '../support/app.js';
import { Visitor } from '../support/visitor.js';

/** An application that calls the API by itself, for the person who is signed in, as the docs show it. */
const withServerCalls: TestAppOptions['routes'] = (app, passport, strategy) => {
  app.use(passport.authenticate('spark'));
  app.get('/report', async (req, res) => {
    const call = async (token: string): Promise<Response> =>
      await fetch(`${strategy.apiURL}/v1/system`, {
        headers: { Authorization: `OAuth ${token}`, 'X-SparkApi-User-Agent': 'test' },
      });
    const token = await strategy.accessToken(req);
    const first = await call(token);
    const last = first.status === 401 ? await call(await strategy.accessToken(req, { refused: token })) : first;
    res.json({ first: first.status, last: last.status });
  });
};

describe('calls from the server', () => {
  it("are made with the person's access token, which is renewed when Spark has ended it early", async () => {
    const { url, spark } = await startApp({ routes: withServerCalls });
    const person = new Visitor(url);
    await person.signIn('/page');
    expect((await person.agent.get('/report')).body).toEqual({ first: 200, last: 200 });

    spark.expireAllAccessTokens();

    expect((await person.agent.get('/report')).body).toEqual({ first: 401, last: 200 });
    expect((await person.agent.get('/report')).body).toEqual({ first: 200, last: 200 });
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });

  it('are made with tokens that were adopted, by their name', async () => {
    const { strategy } = await startApp();
    await strategy.adopt('office', { accessToken: 'issued', lifetimeMs: 60_000 });

    expect(await strategy.accessToken({ tokenKey: 'office' })).toBe('issued');
    await strategy.tokens.removeAdopted('office');

    await expect(strategy.accessToken({ tokenKey: 'office' })).rejects.toMatchObject({ name: 'SignInRequiredError' });
  });

  it('need somebody who is signed in', async () => {
    const { strategy } = await startApp();
    const nobody = { headers: {} } as IncomingMessage;
    await expect(strategy.accessToken(nobody)).rejects.toMatchObject({ name: 'SignInRequiredError' });
  });

  it.each([undefined, 'office', { tokenKey: 5 }, {}])('need a request or a name: %j', async (from) => {
    const { strategy } = await startApp();
    await expect(strategy.accessToken(from as never)).rejects.toMatchObject({
      name: 'ConfigError',
      problems: [
        "nothing says whose tokens; write the request, or { tokenKey: 'office' } of tokens that were adopted.",
      ],
    });
  });
});
