import type { Server } from 'node:http';
import { startBare } from './candidates/bare.js';
import { startExpressHttpProxy, startFastify, startHpm } from './candidates/peers.js';
import { sessionCookies, startOurs, startStack, tell } from './candidates/stack.js';
import type { Candidate, Setting } from './setting.js';

/** One candidate, in this process. nginx brings a process of its own. */
const STARTS: Readonly<Record<Exclude<Candidate, 'nginx'>, (setting: Setting) => Promise<Server>>> = {
  bare: startBare,
  hpm: (setting) => startHpm(setting, 'hpm', true),
  'hpm-default': (setting) => startHpm(setting, 'hpm-default', false),
  'express-http-proxy': (setting) => startExpressHttpProxy(setting, 'express-http-proxy'),
  fastify: startFastify,
  ours: (setting) => startOurs(setting, 'ours'),
  'ours-fast': (setting) => startOurs(setting, 'ours-fast'),
  'ours-lane': (setting) => startOurs(setting, 'ours-lane'),
  stack: (setting) => startStack(setting, 'stack'),
};

const [, , name = '', text = '{}'] = process.argv;
const setting = JSON.parse(text) as Setting;
STARTS[name as keyof typeof STARTS](setting).then(
  (server) => tell(server, sessionCookies(setting)),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
