import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { type Envelope, envelopeOf, jsonOf, type Spark, startEmulator } from './start.js';

interface Api {
  readonly spark: Spark;
  get(path: string): Promise<Envelope>;
  send(path: string, init?: RequestInit): Promise<Response>;
}

async function apiOf(username = 'agent', options = {}): Promise<Api> {
  const spark = await startEmulator(options);
  const { access_token } = await spark.tokensOf(username);
  const send = (path: string, init?: RequestInit) => spark.call(path, access_token, init);
  return { spark, send, get: async (path) => envelopeOf(await send(path)) };
}

function prices(envelope: Envelope): number[] {
  return envelope.Results.map((listing) => (listing.StandardFields as { ListPrice: number }).ListPrice);
}

describe('who and where', () => {
  // Real accounts leave out much of what the vendor's page shows (`Primary` above all).
  it.each([
    ['no-primary', 1, undefined, 'agent@example.com'],
    ['hidden', 1, true, '********'],
    ['empty-lists', 0, undefined, undefined],
  ] as const)('GET /v1/my/account varies with the person: %s', async (accountData, count, primary, address) => {
    const spark = await startEmulator({
      people: [{ username: 'agent', password: 'spark', roles: ['private'], accountData }],
    });
    const { access_token } = await spark.tokensOf('agent');

    const [account] = (await envelopeOf(await spark.call('/v1/my/account', access_token))).Results as {
      Name: string;
      Emails: { Address: string; Primary?: boolean }[];
      Phones: unknown[];
      Images: unknown[];
    }[];

    expect(account?.Name).toBe('Agent Example');
    expect([account?.Emails.length, account?.Phones.length]).toEqual([count, count]);
    expect(account?.Emails[0]?.Primary).toBe(primary);
    expect(account?.Emails[0]?.Address).toBe(address);
  });

  it('GET /v1/my/account describes the agent', async () => {
    const api = await apiOf();

    const [account] = (await api.get('/v1/my/account')).Results;

    expect(account).toMatchObject({
      Id: expect.stringMatching(/^\d{26}$/),
      Name: 'Agent Example',
      FirstName: 'Agent',
      LastName: 'Example',
      UserType: 'Member',
      Emails: [{ Address: 'agent@example.com', Type: 'Work', Primary: true }],
    });
  });

  it('GET /v1/my/contact describes the consumer', async () => {
    const api = await apiOf('consumer');

    const [contact] = (await api.get('/v1/my/contact')).Results;

    expect(contact).toMatchObject({
      Id: expect.stringMatching(/^\d{26}$/),
      DisplayName: 'Consumer Example',
      GivenName: 'Consumer',
      FamilyName: 'Example',
      PrimaryEmail: 'consumer@example.com',
    });
  });

  it('GET /v1/portal names the portal as it is spelled, and /v1/system has ready-made sign-in addresses', async () => {
    const api = await apiOf('consumer', { portals: ['MyPortal'] });

    expect((await api.get('/v1/portal')).Results[0]).toMatchObject({ Name: 'MyPortal' });
    expect((await api.get('/v1/system')).Results[0]?.Configuration).toEqual([
      {
        OAuth2ServiceEndpointPortal: `${api.spark.url}/auth/vow/myportal`,
        OAuth2ServiceEndpointPrivate: `${api.spark.url}/oauth2`,
      },
    ]);
  });

  it('GET /v1/portal is 404 for an agent without one', async () => {
    const api = await apiOf('agent', {
      portals: [],
      people: [{ username: 'agent', password: 'spark', roles: ['idx'] }],
    });

    expect((await api.get('/v1/portal')).Code).toBe(404);
    expect((await api.get('/v1/system')).Success).toBe(true);
  });
});

describe('GET /v1/listings', () => {
  it('has at least 60 listings, the same in every emulator', async () => {
    const [one, other] = [await apiOf(), await apiOf()];

    const { Pagination } = await one.get('/v1/listings?_pagination=count');

    expect(Pagination?.TotalRows).toBeGreaterThanOrEqual(60);
    expect(await one.get('/v1/listings?_limit=25')).toEqual(await other.get('/v1/listings?_limit=25'));
  });

  it('pages through all of them without a gap', async () => {
    const api = await apiOf();
    const first = await api.get('/v1/listings?_limit=25&_pagination=1');
    const total = first.Pagination?.TotalRows ?? 0;
    expect(first.Pagination).toEqual({
      TotalRows: total,
      PageSize: 25,
      TotalPages: Math.ceil(total / 25),
      CurrentPage: 1,
    });

    const ids = new Set(first.Results.map((listing) => listing.Id));
    for (let page = 2; page <= Math.ceil(total / 25); page += 1) {
      for (const { Id } of (await api.get(`/v1/listings?_limit=25&_page=${page}`)).Results) ids.add(Id);
    }

    expect(ids.size).toBe(total);
  });

  it('answers ten without Pagination by default, and only the numbers for count', async () => {
    const api = await apiOf();

    const plain = await api.get('/v1/listings');
    const counted = await api.get('/v1/listings?_pagination=count');

    expect(plain.Results).toHaveLength(10);
    expect(plain.Pagination).toBeUndefined();
    expect(counted.Results).toEqual([]);
  });

  it.each(['_limit=26', '_limit=0', '_limit=x', '_page=0', '_pagination=2'])(
    'refuses %s with code 1053',
    async (query) => {
      const api = await apiOf();

      expect((await api.get(`/v1/listings?${query}`)).Code).toBe(1053);
    },
  );

  it('orders by a field, ascending and descending, with %2B for the sign', async () => {
    const api = await apiOf();

    const up = prices(await api.get('/v1/listings?_orderby=ListPrice&_limit=25'));
    const plus = prices(await api.get('/v1/listings?_orderby=%2BListPrice&_limit=25'));
    const down = prices(await api.get('/v1/listings?_orderby=-ListPrice&_limit=25'));

    expect(up).toEqual(up.toSorted((a, b) => a - b));
    expect(plus).toEqual(up);
    expect(down).toEqual(down.toSorted((a, b) => b - a));
    expect(down[0]).toBeGreaterThan(up[0] ?? 0);
  });

  it('orders by a second field where the first is equal', async () => {
    const api = await apiOf();

    const { Results } = await api.get('/v1/listings?_orderby=City,-ListPrice&_limit=25&_select=City,ListPrice');

    const rows = Results.map((row) => row.StandardFields as { City: string; ListPrice: number });
    const expected = rows.toSorted((a, b) =>
      a.City === b.City ? b.ListPrice - a.ListPrice : a.City < b.City ? -1 : 1,
    );
    expect(rows).toEqual(expected);
  });

  it.each(['_orderby=+ListPrice', '_orderby=Nothing'])(
    'refuses %s with code 1040: a raw + is a space',
    async (query) => {
      const api = await apiOf();

      expect((await api.get(`/v1/listings?${query}`)).Code).toBe(1040);
    },
  );

  it('selects fields', async () => {
    const api = await apiOf();

    const { Results } = await api.get('/v1/listings?_select=ListPrice,City,Nothing&_limit=1');

    expect(Object.keys(Results[0]?.StandardFields as object).sort()).toEqual(['City', 'ListPrice']);
  });

  it.each([
    ["City Eq 'Springfield'", (f: Fields) => f.City === 'Springfield'],
    ["City Eq 'Miller\\'s Rest'", (f: Fields) => f.City === "Miller's Rest"],
    ["City Ne 'Springfield'", (f: Fields) => f.City !== 'Springfield'],
    ['ListPrice Ge 500000', (f: Fields) => f.ListPrice >= 500_000],
    ["city Eq 'x'", null],
    [
      "ListPrice Gt 200000 And ListPrice Lt 400000 And City Eq 'Springfield'",
      (f: Fields) => f.ListPrice > 200_000 && f.ListPrice < 400_000 && f.City === 'Springfield',
    ],
    ['ListPrice Le 107500 And BedsTotal Ge 1', (f: Fields) => f.ListPrice <= 107_500],
  ])('filters by %s', async (filter, matches) => {
    const api = await apiOf();

    const answer = await api.get(`/v1/listings?_limit=25&_filter=${encodeURIComponent(filter)}`);

    if (matches === null) return expect(answer.Code).toBe(1040);
    const all = (await allListings(api)).filter(matches);
    expect(all.length).toBeGreaterThan(0);
    expect(answer.Results.map((row) => row.StandardFields)).toEqual(all.slice(0, 25));
  });

  it.each([
    'City',
    'City Eq',
    'City Eq Springfield',
    "City Eq 'Springfield",
    "City Like 'S*'",
    "Nothing Eq 'x'",
    "City Eq 'Springfield' Or City Eq 'Oakhollow'",
    "City Eq 'Springfield' And",
    "(City Eq 'Springfield')",
    'City Eq 5',
    "ListPrice Eq '5'",
  ])('refuses the filter %s with code 1040', async (filter) => {
    const api = await apiOf();

    const answer = await api.send(`/v1/listings?_filter=${encodeURIComponent(filter)}`);

    expect(answer.status).toBe(400);
    expect((await envelopeOf(answer)).Code).toBe(1040);
  });

  it('refuses a filter of more than 2000 characters with code 1041', async () => {
    const api = await apiOf();

    expect((await api.get(`/v1/listings?_filter=${'x'.repeat(2_001)}`)).Code).toBe(1041);
  });

  interface Fields {
    readonly City: string;
    readonly ListPrice: number;
  }

  async function allListings(api: Api): Promise<Fields[]> {
    const pages = await Promise.all([1, 2, 3].map((page) => api.get(`/v1/listings?_limit=25&_page=${page}`)));
    return pages.flatMap((page) => page.Results.map((row) => row.StandardFields as Fields));
  }
});

describe('a query that travels as a POST', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };

  it('is answered as the GET that it stands for', async () => {
    const api = await apiOf();

    const answer = await api.send('/v1/listings?_limit=25', {
      method: 'POST',
      headers: { ...form, 'x-http-method-override': 'GET' },
      body: '_orderby=-ListPrice&_pagination=1',
    });

    expect(await envelopeOf(answer)).toEqual(await api.get('/v1/listings?_limit=25&_orderby=-ListPrice&_pagination=1'));
    expect(api.spark.requests().map((request) => request.method)).toEqual(['POST', 'GET']);
  });

  it.each([
    ['another method', 'DELETE', form, 405],
    ['a body that is no form', 'GET', { 'content-type': 'application/json' }, 1035],
  ])('is refused with %s', async (_case, override, headers, code) => {
    const api = await apiOf();

    const answer = await api.send('/v1/listings', {
      method: 'POST',
      headers: { ...headers, 'x-http-method-override': override },
      body: '{}',
    });

    expect((await envelopeOf(answer)).Code).toBe(code);
  });

  it('is not allowed without the header', async () => {
    const api = await apiOf();

    expect((await api.send('/v1/listings', { method: 'POST', headers: form, body: '' })).status).toBe(405);
  });
});

describe('one listing', () => {
  it('has its fields and photos; the photo is a PNG of a few kilobytes', async () => {
    const api = await apiOf();
    const [listed] = (await api.get('/v1/listings?_limit=1')).Results;

    expect((await api.get(`/v1/listings/${listed?.Id}`)).Results).toEqual([listed]);
    const photos = (await api.get(`/v1/listings/${listed?.Id}/photos`)).Results;
    expect(photos.map((photo) => photo.Primary)).toEqual([true, false, false]);

    const address = new URL(String(photos[0]?.UriLarge));
    const answer = await api.send(address.pathname);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(bytes.length).toBeGreaterThan(2_000);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
    const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    const data = bytes.subarray(41, 41 + bytes.readUInt32BE(33));
    expect(inflateSync(data)).toHaveLength((1 + 3 * width) * height);
  });

  it.each(['/v1/listings/1', '/v1/listings/1/photos', '/v1/photos/1.png', '/v1/photos/x', "/Reso/OData/Property('1')"])(
    'is 404 when there is none: %s',
    async (path) => {
      const api = await apiOf();

      expect((await api.send(path)).status).toBe(404);
    },
  );
});

it('GET /v1/standardfields/City lists every city that a listing has', async () => {
  const api = await apiOf();

  const [{ City } = {}] = (await api.get('/v1/standardfields/City')).Results;

  const values = (City as { FieldList: { Value: string }[] }).FieldList.map((item) => item.Value);
  const [{ StandardFields } = {}] = (await api.get('/v1/listings?_limit=1')).Results;
  expect(values).toContain((StandardFields as { City: string }).City);
  expect(new Set(values).size).toBe(values.length);
});

describe('/v1/contacts', () => {
  const json = { 'content-type': 'application/json' };
  const contact = { D: { DisplayName: 'Sam Example', PrimaryEmail: 'sam@example.com' } };

  it('takes a contact with 201 and an Id, and lists it', async () => {
    const api = await apiOf();

    const answer = await api.send('/v1/contacts', { method: 'POST', headers: json, body: JSON.stringify(contact) });

    expect(answer.status).toBe(201);
    const [created] = (await envelopeOf(answer)).Results;
    expect((await api.get('/v1/contacts')).Results).toEqual([{ ...created, ...contact.D }]);
  });

  it('keeps one address book per agent', async () => {
    const people = ['agent', 'other'].map((username) => ({ username, password: 'spark', roles: ['private' as const] }));
    const api = await apiOf('agent', { people });
    await api.send('/v1/contacts', { method: 'POST', headers: json, body: JSON.stringify(contact) });

    const { access_token } = await api.spark.tokensOf('other');

    expect((await envelopeOf(await api.spark.call('/v1/contacts', access_token))).Results).toEqual([]);
  });

  it.each([
    ['JSON that breaks off', json, '{"D":', 1035],
    ['no envelope', json, '{"DisplayName":"x"}', 1035],
    ['another content type', { 'content-type': 'text/plain' }, JSON.stringify(contact), 1035],
    ['a field that is missing', json, '{"D":{"DisplayName":"x"}}', 1050],
    ['a field that is empty', json, '{"D":{"DisplayName":"","PrimaryEmail":"x@example.com"}}', 1050],
  ])('refuses %s', async (_case, headers, body, code) => {
    const api = await apiOf();

    const answer = await api.send('/v1/contacts', { method: 'POST', headers, body });

    expect(answer.status).toBe(400);
    expect((await envelopeOf(answer)).Code).toBe(code);
    expect((await api.get('/v1/contacts')).Results).toEqual([]);
  });
});

describe('the RESO resources', () => {
  it.each(['/Reso/OData/Property', '/Version/3/Reso/OData/Property'])('are at %s', async (path) => {
    const api = await apiOf();

    const list = (await jsonOf(await api.send(`${path}?$top=2&$skip=1&$select=ListingKey,City`))) as {
      value: { ListingKey: string; City: string }[];
    };
    const [first] = list.value;

    expect(list.value).toHaveLength(2);
    expect(Object.keys(first ?? {})).toEqual(['ListingKey', 'City']);
    for (const key of [`'${first?.ListingKey}'`, `%27${first?.ListingKey}%27`]) {
      expect(await jsonOf(await api.send(`${path}(${key})`))).toMatchObject({
        ...first,
        ListPrice: expect.any(Number),
      });
    }
  });

  it.each(['$filter=x', '$top=x'])('refuse %s in the form of RESO errors', async (query) => {
    const api = await apiOf();

    const answer = await api.send(`/Reso/OData/Property?${query}`);

    expect(answer.status).toBe(400);
    expect(await jsonOf(answer)).toEqual({ error: { code: '1053', message: expect.any(String) } });
  });
});

describe('/v1/echo', () => {
  it('tells method, address, headers and body as they arrived', async () => {
    const api = await apiOf();
    const body = Buffer.alloc(100_000, 'é');

    const answer = await api.send('/v1/echo/a%2Fb;c?x=%27+%2B&_filter=City%20Eq%20%27a%27', {
      method: 'PATCH',
      headers: { 'X-Example': 'One' },
      body,
    });

    const [seen] = (await envelopeOf(answer)).Results;
    expect(seen).toMatchObject({
      Method: 'PATCH',
      Url: '/v1/echo/a%2Fb;c?x=%27+%2B&_filter=City%20Eq%20%27a%27',
      BodyLength: body.length,
      BodySha256: createHash('sha256').update(body).digest('hex'),
    });
    expect(seen?.RawHeaders).toEqual(expect.arrayContaining(['X-Example', 'One']));
  });

  it('does not obey a method override, and takes bodies that are larger than what is kept', async () => {
    const api = await apiOf();
    const body = Buffer.alloc(3 * 1024 * 1024);

    const answer = await api.send('/v1/echo', { method: 'POST', headers: { 'x-http-method-override': 'GET' }, body });

    expect((await envelopeOf(answer)).Results[0]).toMatchObject({ Method: 'POST', BodyLength: body.length });
  });

  it('tells the SHA-256 of nothing for a request without a body', async () => {
    const api = await apiOf();

    const [seen] = (await api.get('/v1/echo')).Results;

    expect(seen).toMatchObject({ Method: 'GET', BodyLength: 0, BodySha256: createHash('sha256').digest('hex') });
  });
});
