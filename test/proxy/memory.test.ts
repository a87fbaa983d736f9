import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { measure, problemsOf, ROADS, type Road, type Way } from '../../bench/streams/measure.js';
import { cleanUp, temporaryFolder } from '../faults/processes.js';

const MEBIBYTES = 192;
const WAYS: readonly Way[] = ['down slow', 'up slow'];

let programs: string;
beforeAll(() => {
  programs = temporaryFolder('spark-streams-');
  const entryPoints = ['api', 'proxy'].map((name) => join('bench', 'streams', `${name}.ts`));
  buildSync({ entryPoints, bundle: true, platform: 'node', outdir: programs, logLevel: 'error' });
});
afterAll(cleanUp);

describe('the memory of the proxy', () => {
  // A proxy that takes what comes, and keeps it until the slower end has room, is ended by one big photo album.
  it.each(ROADS.flatMap((road): [Road, Way][] => WAYS.map((way) => [road, way])))(
    `does not grow with what passes through it, while the receiving end is slow: %s, %s, ${MEBIBYTES} MiB`,
    async (road, way) => {
      const measured = await measure({ road, way, mebibytes: MEBIBYTES, programs });

      expect(measured.received.bytes).toBe(MEBIBYTES * 1_024 * 1_024);
      expect(problemsOf(measured)).toEqual([]);
    },
    30_000,
  );
});
