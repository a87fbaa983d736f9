// A server made with oidc-provider, in a process of its own, with its own development pages to sign in and to agree, an API
// that asks it about tokens, and the log of the token requests. Prints its address.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const grants = [];
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(url, {
  clients: [
    {
      // Characters that only arrive where id and secret are form-encoded before they go into HTTP Basic.
      client_id: 'app:one',
      client_secret: 'p%ss w+rd & more:',
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      redirect_uris: ['http://127.0.0.1/cb'],
      application_type: 'native',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      client_id: 'public',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1/cb'],
      application_type: 'native',
    },
    {
      client_id: 'web-app',
      client_secret: 'web-app-secret',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1/auth/callback'],
      application_type: 'native',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      client_id: 'page',
      token_endpoint_auth_method: 'none',
      grant_types: ['implicit'],
      response_types: ['id_token token'],
      redirect_uris: ['https://app.example.com/cb'],
    },
  ],
  responseTypes: ['code', 'id_token token'],
  features: { clientCredentials: { enabled: true }, introspection: { enabled: true }, revocation: { enabled: true } },
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'read'],
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: {
    AccessToken: 3600,
    ClientCredentials: 600,
    RefreshToken: 86_400,
    Session: 3600,
    Grant: 86_400,
    Interaction: 3600,
  },
  cookies: { keys: ['a key of the test'] },
});
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token') grants.push({ type: ctx.oidc?.params?.grant_type, status: ctx.status });
});

const handle = provider.callback();
server.on('request', async (req, res) => {
  if (req.url === '/log') return res.end(JSON.stringify(grants));
  if (!req.url.startsWith('/api/')) return handle(req, res);
  const token = req.headers.authorization?.replace('Bearer ', '') ?? '';
  const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  if (!found) return res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end();
  return res.end(JSON.stringify({ account: found.accountId, client: found.clientId, scope: found.scope }));
});
console.log(url);
process.stdin.on('end', () => process.exit()).resume();
