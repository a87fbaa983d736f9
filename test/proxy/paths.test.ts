import { type PathRules, refuseTarget } from '../../src/paths.js';

const RULES: PathRules = {
  refusedPaths: ['/v1/oauth2', '/v1/session'],
  encodedSlashInKey: false,
  impersonation: false,
};

describe('refuseTarget', () => {
  it.each([
    '/',
    '/v1/listings',
    '/v1/listings/',
    '/v1/listings?_limit=25',
    "/Reso/OData/Property('123')",
    "/Reso/OData/Property('123')?$filter=ListPrice%20gt%20100000",
    '/Version/3/Reso/OData/Property(%27123%27)',
    "/v1/listings?_filter=City%20Eq%20'Fargo'%20And%20BedsTotal%20Ge%203",
    '/v1/listings?_orderby=%2BListPrice,-BedsTotal',
    '/v1/listings?_filter="quoted"',
    "/v1/listings?_filter=StreetName Eq '/'".replaceAll(' ', '%20'),
    '/v1/a,b(c)$d;e=f',
    '/v1/x..y/.hidden/...',
    '/v1/%C3%A9t%C3%A9',
    '/v1/100%25',
    '/v1/%2541%25',
    '/v1/x;/y',
    '/v1/oauth2x',
    '/v1/sessions',
    '/v2/x/v1/session',
    '/v1/listings?next=//x/../%2e%2e%5c',
    '/v1/listings?my_access_token_note=1',
    '/v1/listings?q=access_token',
  ])('lets %s pass', (target) => {
    expect(refuseTarget(target, RULES)).toBeUndefined();
  });

  it.each([
    // A server that resolves dot segments would leave the path that was checked.
    ['/v1/../oauth2/grant', 'dot_segment'],
    ['/v1/./oauth2/grant', 'dot_segment'],
    ['/..', 'dot_segment'],
    ['/v1/%2e%2e/oauth2', 'dot_segment'],
    ['/v1/%2E%2e/oauth2', 'dot_segment'],
    ['/v1/.%2e/oauth2', 'dot_segment'],
    ['/v1/%2e./oauth2', 'dot_segment'],
    ['/v1/%2e/oauth2', 'dot_segment'],
    ['/v1/..;x/oauth2', 'dot_segment'],
    ['/v1/..;/oauth2', 'dot_segment'],
    ['/v1/..%3bx/oauth2', 'dot_segment'],
    ['/v1/%2e%2e;x=y/oauth2', 'dot_segment'],
    // … or decode twice before it resolves them.
    ['/v1/%252e%252e/oauth2', 'double_encoding'],
    ['/v1/%25252e/oauth2', 'double_encoding'],
    ['/v1/%25%32%65%25%32%65/oauth2', 'double_encoding'],
    ['/v1/a%252fb', 'double_encoding'],
    ['/v1/a%255cb', 'double_encoding'],
    ['/v1/a%2500b', 'double_encoding'],
    // Overlong UTF-8 for `.` and `/`, and escapes that are none.
    ['/v1/%c0%ae%c0%ae/oauth2', 'bad_escape'],
    ['/v1/%c0%af', 'bad_escape'],
    ['/v1/%e0%80%ae', 'bad_escape'],
    ['/v1/%', 'bad_escape'],
    ['/v1/%zz', 'bad_escape'],
    ['/v1/%u002e', 'bad_escape'],
    // `//host` is another origin to whoever resolves it.
    ['//v1/listings', 'empty_segment'],
    ['/v1//oauth2', 'empty_segment'],
    ['/v1/listings//', 'empty_segment'],
    // … and an empty segment is what is left of one that holds path parameters alone.
    ['/v1/;/oauth2/grant', 'empty_segment'],
    ['/;x=y/v1/session', 'empty_segment'],
    ['/v1/%3b/oauth2/grant', 'empty_segment'],
    ['/v1/%253b/oauth2/grant', 'empty_segment'],
    // Backslashes are slashes to some servers.
    ['/v1\\..\\oauth2', 'backslash'],
    ['/\\host', 'backslash'],
    ['/v1%5coauth2', 'encoded_separator'],
    ['/v1%5Coauth2', 'encoded_separator'],
    ['/v1%2foauth2', 'encoded_separator'],
    ['/v1/x%2F..%2Foauth2', 'encoded_separator'],
    ["/Reso/OData/Property('A%2FB')", 'encoded_separator'],
    // Control characters end strings, headers or lines somewhere.
    ['/v1/x%00', 'encoded_control'],
    ['/v1/x%0d%0aHost:%20x', 'encoded_control'],
    ['/v1/x%7f', 'encoded_control'],
    ['/v1/x\u0000', 'bad_characters'],
    ['/v1/x\r\nHost: x', 'bad_characters'],
    ['/v1/x\t', 'bad_characters'],
    ['/v1/x y', 'bad_characters'],
    ['/v1/x\u007f', 'bad_characters'],
    ['/v1/x\u0119', 'bad_characters'],
    ['/v1/listings?q=\u0001', 'bad_characters'],
    ['/v1/listings?q=%00', 'encoded_control'],
    // What stands behind a raw "#" is read by some and dropped by others.
    ['/v1/listings#x', 'bad_characters'],
    ['/v1/listings?q#x', 'bad_characters'],
    // Absolute-form would name another server.
    ['http://evil.example/v1/listings', 'absolute_target'],
    ['evil.example:443', 'absolute_target'],
    ['*', 'absolute_target'],
    ['', 'absolute_target'],
  ])('refuses %j', (target, code) => {
    expect(refuseTarget(target, RULES)).toMatchObject({ status: 400, code });
  });

  it.each([
    '/v1/oauth2',
    '/v1/oauth2/',
    '/v1/oauth2/grant',
    '/V1/OAuth2/Grant',
    '/v1/%6fauth2/grant',
    '/v1/oauth2/grant?x=1',
    // A server that decodes twice reads these as the paths that they hide.
    '/v1/%2573ession',
    '/v1/%25%37%33ession',
    '/v1/oauth%252532/grant',
    '/v1/oauth2;x/grant',
    '/v1;x=y/oauth2/grant',
    '/v1%3bx/oauth2/grant',
    '/v1/session',
    '/v1/session.json',
    '/v1/SESSION/abc',
    '/v1/session?ApiSig',
  ])('keeps %s, which deals in tokens, out of reach', (target) => {
    expect(refuseTarget(target, RULES)).toMatchObject({ status: 403, code: 'path_refused' });
  });

  it.each([
    'access_token=x',
    'a=b&access_token=x',
    'ACCESS_TOKEN=x',
    'access_token',
    'access%5Ftoken=x',
    '%61ccess_token=x',
    'access_token[]=x',
    'access_token%5B%5D=x',
    'access_token[a]=x',
    '[access_token]=x',
    'access_token+[]=x',
    'access_token[%ff]=x',
    'a=b;access_token=x',
    '+access_token=x',
    ' access_token =x'.replaceAll(' ', '%20'),
    'AuthToken=x',
    'ApiSig=x',
    'oauth_token=x',
    'a=?&oauth_token=x',
  ])('refuses credentials in the query: ?%s', (query) => {
    expect(refuseTarget(`/v1/listings?${query}`, RULES)).toMatchObject({ status: 400, code: 'query_credentials' });
  });

  it.each(['ApiUser=1', 'apiuser=1', 'ApiUser[]=1', 'a=1;ApiUser=1'])(
    'refuses to act for somebody else: ?%s',
    (query) => {
      expect(refuseTarget(`/v1/listings?${query}`, RULES)).toMatchObject({ status: 400, code: 'impersonation' });
    },
  );

  it('lets ApiUser pass where it was asked for, and no credentials with it', () => {
    const rules = { ...RULES, impersonation: true };

    expect(refuseTarget('/v1/listings?ApiUser=1', rules)).toBeUndefined();
    expect(refuseTarget('/v1/listings?ApiUser=1&AuthToken=x', rules)).toMatchObject({ code: 'query_credentials' });
  });

  describe('with encoded slashes allowed in keys', () => {
    const rules = { ...RULES, encodedSlashInKey: true };

    it.each([
      "/Reso/OData/Property('A%2FB')",
      '/Reso/OData/Property(%27A%2fB%27)',
      "/Reso/OData/Media('https%3A%2F%2Fcdn.example.com%2Fx.jpg')",
      "/Reso/OData/Property('a%2F;x%2Fb')/Media",
    ])('lets %s pass', (target) => {
      expect(refuseTarget(target, rules)).toBeUndefined();
    });

    it.each([
      ["/Reso%2FOData/Property('A')", 'encoded_separator'],
      ["/v1/;/oauth2/x('A')", 'empty_segment'],
      ["/;'/;/v1/session'", 'empty_segment'],
      ["/Reso/Property('A')%2F('B')", 'encoded_separator'],
      ["/Reso/Property('A%252FB')", 'double_encoding'],
      // A server that decodes before it resolves would climb out of the key.
      ["/Reso/Property('x%2F..%2F..%2F..%2Fv1%2Foauth2')", 'dot_segment'],
      ["/Reso/Property('A%5CB')", 'encoded_separator'],
    ])('still refuses %s', (target, code) => {
      expect(refuseTarget(target, rules)).toMatchObject({ code });
    });
  });
});
