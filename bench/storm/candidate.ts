import { tell } from '../candidates/stack.js';
import type { Setting } from '../setting.js';
import { startOurs } from './ours.js';
import { startPeer } from './peer.js';
import type { Candidate } from './setting.js';

/** One process of one candidate. */
const [, , name = '', setting = '{}'] = process.argv;
const start = (which: Candidate, told: Setting) => (which === 'ours' ? startOurs(told) : startPeer(told, which));

start(name as Candidate, JSON.parse(setting) as Setting).then(
  (server) => tell(server, []),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
