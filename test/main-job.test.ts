import { startApp } from './support/app.js';
import { Visitor } from './support/visitor.js';

describe('signing in and calling', () => {
  it('leads a browser from the wall to Spark and back to the page that was wanted', async () => {
    const { url } = await startApp();
    const person = new Visitor(url);

    const back = await person.signIn('/reports?year=2026');
    const page = await person.page('/reports?year=2026');

    expect(back.status).toBe(302);
    expect(back.headers.location).toBe('/reports?year=2026');
    expect(page.status).toBe(200);
    expect(page.body.user.id).toEqual(expect.any(String));
  });

  it("calls the API with the session's access token", async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    await person.signIn();

    const account = await person.call('/spark/v1/my/account');

    expect(account.status).toBe(200);
    expect(account.body.D.Results).toHaveLength(1);
    const seen = spark.requests().at(-1);
    expect(seen?.headers).toMatchObject({ 'x-sparkapi-user-agent': 'TestApp/1.0' });
    expect(seen?.headers.cookie).toBeUndefined();
  });

  it('answers 401 in JSON where nobody is signed in', async () => {
    const { url } = await startApp();

    const reply = await new Visitor(url).call('/spark/v1/my/account');

    expect(reply.status).toBe(401);
    expect(reply.body.D).toMatchObject({ Success: false, Error: 'sign_in_required' });
  });

  it('renews once when fifty requests find the access token expired', async () => {
    const { url, spark } = await startApp();
    const person = new Visitor(url);
    await person.signIn();
    spark.expireAllAccessTokens();

    const replies = await Promise.all(Array.from({ length: 50 }, () => person.call('/spark/v1/listings')));

    expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(spark.grants('refresh_token')).toHaveLength(1);
  });
});
