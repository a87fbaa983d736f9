#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createSparkEmulator, type SparkEmulatorOptions } from './index.js';
import { DEFAULT_CLIENTS, DEFAULT_PEOPLE } from './settings.js';

const HELP = `spark-emulator: a Spark (FBS) for development and tests, on this machine

  --port <number>         port to listen at; 0 for any free one (default 4700)
  --host <address>        address to listen at (default 127.0.0.1)
  --expires-in <seconds>  lifetime of access tokens (default 86400)
  --rotation <kind>       strict, grace or none: what a refresh does to the old refresh token (default strict)
  --options <json>        more options of createSparkEmulator; the flags above go before them
  --control               open the HTTP controls under /_emulator/
  --help                  this text
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4700' },
      host: { type: 'string', default: '127.0.0.1' },
      'expires-in': { type: 'string' },
      rotation: { type: 'string' },
      options: { type: 'string', default: '{}' },
      control: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }

  const { rotation, 'expires-in': expiresIn } = values;
  const options: SparkEmulatorOptions = {
    ...moreOptions(values.options),
    ...(values.control && { controls: true }),
    ...(expiresIn !== undefined && { expiresIn: Number(expiresIn) }),
    ...(rotation !== undefined && { rotation: rotation as 'strict' }), // checked by createSparkEmulator
  };
  const emulator = createSparkEmulator(options);
  const spark = await emulator.listen(portNumber(values.port), values.host);

  console.log(`Spark emulator: ${spark.url}`);
  for (const { id, secret, redirectURIs } of options.clients ?? DEFAULT_CLIENTS) {
    const uris = redirectURIs === 'loopback' ? 'any loopback redirect URI' : redirectURIs.join(' ');
    console.log(`  client    ${id} / ${secret}, ${uris}`);
  }
  for (const { username, password, roles } of options.people ?? DEFAULT_PEOPLE) {
    console.log(`  person    ${username} / ${password} (${roles.join(', ')})`);
  }
  if (options.controls) console.log(`  controls  ${spark.url}/_emulator/`);

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void spark.close());
  }
}

function moreOptions(json: string): SparkEmulatorOptions {
  try {
    return JSON.parse(json) as SparkEmulatorOptions; // checked by createSparkEmulator
  } catch {
    throw new Error(`--options takes a JSON object, like '{"graceMs":5000}'; it was "${json}".`);
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new Error(`--port takes a number from 0 to 65535; it was "${text}".`);
  return port;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
