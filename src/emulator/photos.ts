import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import type { Router } from 'express';
import { resource } from './call.js';
import { ApiRefusal } from './envelope.js';

const WIDTH = 96;
const HEIGHT = 72;

/** `/v1/photos/<id>.png`: a binary answer, the same for the same id, a few kilobytes. */
export function addPhotos(router: Router): void {
  resource(router, '/v1/photos/:file', {
    GET: ({ req, res }) => {
      const [, id] = /^(\d{26}(?:-\d)?)\.png$/.exec(String(req.params.file)) ?? [];
      if (id === undefined) throw new ApiRefusal(404, 'There is no such photo');
      res.status(200).type('image/png').set('Cache-Control', 'private, max-age=3600').send(housePNG(id));
    },
  });
}

type Colour = readonly [red: number, green: number, blue: number];

/** A house under a sky, in colours of its own. Its grain does not compress, so that the size is that of a small real picture. */
function housePNG(seed: string): Buffer {
  const look = createHash('sha256').update(seed).digest();
  const rowLength = 1 + WIDTH * 3; // a filter byte, then red, green, blue
  const pixels = Buffer.alloc(rowLength * HEIGHT);
  let grain = look;
  for (let y = 0; y < HEIGHT; y += 1) {
    grain = createHash('sha256').update(grain).digest();
    for (let x = 0; x < WIDTH; x += 1) {
      const shade = (grain[x % grain.length] ?? 0) % 12;
      pixels.set(
        colourAt(x, y, look).map((part) => Math.max(0, part - shade)),
        y * rowLength + 1 + x * 3,
      );
    }
  }

  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB, deflate, standard filters, not interlaced
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function colourAt(x: number, y: number, look: Buffer): Colour {
  const pick = (index: number, from: number, range: number): number => from + ((look[index] ?? 0) % range);
  const middle = pick(0, 40, 16);
  const eaves = pick(1, 30, 8);
  const halfWidth = pick(2, 20, 10);
  const fromMiddle = Math.abs(x - middle);
  const wall: Colour = [pick(3, 170, 80), pick(4, 150, 80), pick(5, 130, 80)];
  if (fromMiddle < 4 && y > 48 && y < 60) return [96, 64, 48]; // door
  if (fromMiddle > 8 && fromMiddle < 15 && y > 40 && y < 48) return [90, 130, 170]; // windows
  if (fromMiddle < halfWidth && y >= eaves && y < 60) return wall;
  if (y < eaves && y > eaves - 16 && fromMiddle < (halfWidth + 4) * (1 - (eaves - y) / 16))
    return [pick(6, 110, 70), 60, 50]; // roof
  if (y >= 58) return [90, pick(7, 130, 50), 80]; // lawn
  return [150 + y, 190 + Math.floor(y / 2), 235]; // sky
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, checksum]);
}
