import { createHash, randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

const MIB = 1_024 * 1_024;
const PIECE = 64 * 1_024;

/** How one end of a stream takes its time: it stops after every few MiB. */
export interface Pauses {
  readonly everyMiB: number;
  readonly ms: number;
}

/** What has passed one end. Equal sums mean equal bytes in the same order. */
export interface Sum {
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes this many bytes at the pace of the other end. No two pieces are the same: one that is lost, doubled or moved changes the sum. */
export async function send(into: Writable, mebibytes: number): Promise<Sum> {
  const hash = createHash('sha256');
  const noise = randomBytes(PIECE);
  const broken = new Promise<never>((_, reject) => into.once('error', reject));
  broken.catch(() => undefined); // heard below, if anybody still waits
  const pieces = (mebibytes * MIB) / PIECE;
  for (let i = 0; i < pieces; i++) {
    const piece = Buffer.from(noise);
    piece.writeUInt32BE(i);
    hash.update(piece);
    if (!into.write(piece)) await Promise.race([new Promise((resolve) => into.once('drain', resolve)), broken]);
  }
  into.end();
  return { bytes: pieces * PIECE, sha256: hash.digest('hex') };
}

/** Reads to the end. Rejects when the stream breaks off. */
export async function receive(from: Readable, pauses?: Pauses): Promise<Sum> {
  const hash = createHash('sha256');
  let bytes = 0;
  let pauseAt = pauses ? pauses.everyMiB * MIB : Number.POSITIVE_INFINITY;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (!pauses || bytes < pauseAt) continue;
    pauseAt += pauses.everyMiB * MIB;
    await delay(pauses.ms);
  }
  return { bytes, sha256: hash.digest('hex') };
}
