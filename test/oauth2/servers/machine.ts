// One process of an application that calls an API with a token of its own: sparkProxy over a token in Redis. Prints its address.
import express from 'express';
import { Redis } from 'ioredis';
import { RedisTokenStore, sparkProxy } from '../../../src/index.js';
import { OAuth2Client } from '../../../src/oauth2/index.js';

const { SERVER = '', REDIS_URL = '' } = process.env;

async function start(): Promise<void> {
  const client = new OAuth2Client({
    tokenURL: `${SERVER}/token`,
    clientID: 'app',
    clientSecret: 'app-secret',
    clientAuthentication: 'basic',
    tokenStore: new RedisTokenStore(new Redis(REDIS_URL)),
  });
  await client.useMachineTokens('reports', { scope: ['read'] });
  const app = express();
  app.use(
    '/machine',
    sparkProxy({
      tokens: client.tokens,
      target: SERVER,
      tokenKey: () => 'reports',
      authorize: (req) => req.headers['x-key'] === 'a key of the application',
      allow: [{ methods: ['GET'], path: '/api/*' }],
    }),
  );
  const server = app.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address) console.log(`http://127.0.0.1:${address.port}`);
  });
  process.stdin.on('end', () => process.exit()).resume();
}

void start();
