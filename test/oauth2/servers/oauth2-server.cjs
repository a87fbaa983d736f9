// A server made with @node-oauth/oauth2-server, in a process of its own: token endpoint, authorization endpoint (the person
// is always signed in and always agrees), an API, and the log of the token requests. Prints its address.
const { randomBytes } = require('node:crypto');
const OAuth2Server = require('@node-oauth/oauth2-server');
const express = require('express');

const lifetimeS = Number(process.env.LIFETIME_S ?? 3600);
const client = {
  id: 'app',
  secret: 'app-secret',
  grants: ['authorization_code', 'client_credentials', 'password', 'refresh_token'],
  redirectUris: ['https://app.example.com/cb'],
};
const person = { id: 'ada', password: 'lovelace' };
const codes = new Map();
const accessTokens = new Map();
const refreshTokens = new Map();
const grants = [];

const model = {
  getClient: (id, secret) => (id === client.id && (secret === null || secret === client.secret) ? client : false),
  getUser: (name, password) => (name === person.id && password === person.password ? { id: name } : false),
  getUserFromClient: () => ({ id: 'the application' }),
  validateScope: (_user, _client, scope) => (scope?.includes('forbidden') ? false : (scope ?? ['read'])),
  generateAccessToken: () => randomBytes(20).toString('hex'),
  saveToken: (token, forClient, user) => {
    const whole = { ...token, client: forClient, user };
    accessTokens.set(token.accessToken, whole);
    if (token.refreshToken) refreshTokens.set(token.refreshToken, whole);
    return whole;
  },
  getAccessToken: (token) => accessTokens.get(token),
  getRefreshToken: (token) => refreshTokens.get(token),
  revokeToken: (token) => refreshTokens.delete(token.refreshToken),
  saveAuthorizationCode: (code, forClient, user) => {
    const whole = { ...code, client: forClient, user };
    codes.set(code.authorizationCode, whole);
    return whole;
  },
  getAuthorizationCode: (code) => codes.get(code),
  revokeAuthorizationCode: (code) => codes.delete(code.authorizationCode),
  verifyScope: (token, scope) => scope.every((item) => token.scope.includes(item)),
};
const oauth = new OAuth2Server({ model, accessTokenLifetime: lifetimeS, requireClientAuthentication: {} });

const app = express();
app.get('/log', (_req, res) => res.json(grants));
app.post('/expire', (_req, res) => {
  for (const token of accessTokens.values()) token.accessTokenExpiresAt = new Date(0);
  res.json({});
});
app.use(express.urlencoded({ extended: false }), express.json());
app.post('/token', async (req, res) => {
  const json = req.is('json') !== false;
  grants.push({
    type: req.body.grant_type,
    json,
    basic: req.headers.authorization !== undefined,
    scope: req.body.scope,
  });
  // The library knows forms alone; a server that takes JSON has read it before.
  if (json) req.headers['content-type'] = 'application/x-www-form-urlencoded';
  const response = new OAuth2Server.Response(res);
  await oauth.token(new OAuth2Server.Request(req), response).catch(() => undefined); // the response says it
  res.status(response.status).set(response.headers).json(response.body);
});
app.get('/authorize', async (req, res) => {
  const response = new OAuth2Server.Response(res);
  const authenticateHandler = { handle: () => ({ id: person.id }) };
  await oauth.authorize(new OAuth2Server.Request(req), response, { authenticateHandler }).catch(() => undefined);
  res.status(response.status).set(response.headers).json(response.body);
});
app.use('/api', async (req, res) => {
  const response = new OAuth2Server.Response(res);
  try {
    const { user, scope } = await oauth.authenticate(new OAuth2Server.Request(req), response);
    res.json({ user: user.id, scope, scheme: req.headers.authorization.split(' ')[0] });
  } catch (error) {
    res.status(error.code).set(response.headers).json({ error: error.name });
  }
});
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
