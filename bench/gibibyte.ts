import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Measured, measure, problemsOf, ROADS, WAYS } from './streams/measure.js';

const { values } = parseArgs({ options: { mebibytes: { type: 'string', default: '1024' } } });

async function main(): Promise<void> {
  const mebibytes = Number(values.mebibytes);
  console.log(`${mebibytes} MiB, memory of the proxy's process in MiB\n`);
  console.log('| road | way | MiB/s | at rest | before | peak | growth | |\n|---|---|---:|---:|---:|---:|---:|---|');
  for (const road of ROADS) {
    for (const way of WAYS) {
      const measured = await measure({ road, way, mebibytes, programs: join(__dirname, 'streams') });
      console.log(row(measured));
      if (problemsOf(measured).length > 0) process.exitCode = 1;
    }
  }
}

function row(measured: Measured): string {
  const { road, way, mibPerSecond, atRest, before, peak, growth, received } = measured;
  const numbers = [mibPerSecond, atRest, before, peak, growth].map((number) => number.toFixed(0));
  const [verdict = `sha256 ${received.sha256.slice(0, 12)} at both ends`] = [problemsOf(measured).join('; ')].filter(
    Boolean,
  );
  return `| ${[road, way, ...numbers, verdict].join(' | ')} |`;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
