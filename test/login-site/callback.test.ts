import express from 'express';
import { createLoginSite } from '../../example-app/index.js';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { serve, type TestServer } from './servers.js';
import { Visitor } from './visitor.js';

let spark: SparkEmulatorHandle;
let server: TestServer;
let visitor: Visitor;

afterEach(async () => {
  await server.close();
  await spark.close();
});

describe.each([
  ['at the root', ''],
  ['below a path', '/members'],
])('%s, somebody who comes back from Spark once more', (_where, mount) => {
  beforeEach(async () => {
    spark = await createSparkEmulator().listen(0);
    server = await serve((origin) =>
      express().use(mount || '/', createLoginSite({ baseURL: origin + mount, emulator: spark })),
    );
    visitor = new Visitor();
  });

  it('is led to the account after a second answer at Spark', async () => {
    const answer = await visitor.goToSpark(`${server.origin}${mount}/login`);
    await answer('agent');

    const page = await answer('agent');

    expect(page).toMatchObject({ url: `${server.origin}${mount}/account`, status: 200 });
  });

  it('is led to the account after a denial that comes too late', async () => {
    const answer = await visitor.goToSpark(`${server.origin}${mount}/login`);
    await answer('agent');

    const page = await answer('agent', { decision: 'deny' });

    expect(page).toMatchObject({ url: `${server.origin}${mount}/account`, status: 200 });
  });

  it('is led to the account when the callback is reloaded', async () => {
    const answer = await visitor.goToSpark(`${server.origin}${mount}/login`);
    const callback = (await answer('agent', { follow: false })).headers.get('location') ?? '';
    await visitor.visit(callback);

    expect(await visitor.visit(callback)).toMatchObject({ url: `${server.origin}${mount}/account`, status: 200 });
    expect(spark.grants('authorization_code')).toHaveLength(1);
    expect(await new Visitor().visit(callback)).toMatchObject({
      status: 403,
      text: expect.stringContaining('This sign-in is over'),
    });
  });

  it('stays below the mount when the callback is sent twice at the same time', async () => {
    const answer = await visitor.goToSpark(`${server.origin}${mount}/login`);
    const callback = (await answer('agent', { follow: false })).headers.get('location') ?? '';
    spark.delayNextGrant(100);

    const both = await Promise.all([1, 2].map(() => visitor.visit(callback, { follow: false })));

    expect(both.map(({ headers }) => headers.get('location'))).toEqual([`${mount}/account`, `${mount}/account`]);
    expect(spark.grants('authorization_code')).toHaveLength(1);
  });
});
