import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import type { Router } from 'express';
import { resource } from './call.js';
import { ApiRefusal } from './envelope.js';

const SIDE = 40;

/** `/v1/photos/<id>.png`: a binary answer, the same for the same id, about five kilobytes. */
export function addPhotos(router: Router): void {
  resource(router, '/v1/photos/:file', {
    GET: ({ req, res }) => {
      const [, id] = /^(\d{26}(?:-\d)?)\.png$/.exec(String(req.params.file)) ?? [];
      if (id === undefined) throw new ApiRefusal(404, 'There is no such photo');
      res.status(200).type('image/png').set('Cache-Control', 'private, max-age=3600').send(noisePNG(id));
    },
  });
}

/** A square of coloured noise. Noise does not compress, so that the size is that of a small real picture. */
function noisePNG(seed: string): Buffer {
  const rowLength = 1 + SIDE * 3; // a filter byte, then red, green, blue
  const pixels = Buffer.alloc(rowLength * SIDE);
  let digest = createHash('sha256').update(seed).digest();
  for (let at = 0; at < pixels.length; at += digest.length) {
    digest.copy(pixels, at);
    digest = createHash('sha256').update(digest).digest();
  }
  for (let row = 0; row < SIDE; row += 1) pixels[row * rowLength] = 0; // filter "none"

  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB, deflate, standard filters, not interlaced
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, checksum]);
}
