import { readFile } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';

import { Blip2Error, type RawImage } from '@blip2/interfaces';

const SIGNATURE_BYTES = 8;
/** Bytes of a chunk before its data (length, type) and after it (checksum). */
const CHUNK_FRAME = { before: 8, after: 4 } as const;
const CHANNELS = 4;
const WHITE = 255;

/** Decodes an RGBA PNG (8 bits, not interlaced) and blends it over white, which a decoder must not do. */
export async function blendOverWhite(file: string): Promise<RawImage> {
  const png = await readFile(file);
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const [depth, colourType, , , interlaced] = png.subarray(24, 29);
  if (depth !== 8 || colourType !== 6 || interlaced !== 0)
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'Only 8-bit RGBA images without interlacing can be blended', {
      where: file,
    });
  const rgba = unfilter(inflateSync(imageData(png)), width, height);
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const alpha = (rgba[pixel * CHANNELS + 3] ?? 0) / WHITE;
    for (let channel = 0; channel < 3; channel++)
      data[pixel * 3 + channel] = Math.round((rgba[pixel * CHANNELS + channel] ?? 0) * alpha + WHITE * (1 - alpha));
  }
  return { data, width, height, channels: 3 };
}

function imageData(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = SIGNATURE_BYTES;
  while (at < png.length) {
    const length = png.readUInt32BE(at);
    const start = at + CHUNK_FRAME.before;
    if (png.toString('latin1', at + 4, start) === 'IDAT') parts.push(png.subarray(start, start + length));
    at = start + length + CHUNK_FRAME.after;
  }
  return Buffer.concat(parts);
}

/** Undoes the row filters (PNG specification, section 9). */
function unfilter(filtered: Uint8Array, width: number, height: number): Uint8Array {
  const stride = width * CHANNELS;
  const pixels = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    const filter = filtered[row * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x++) {
      const at = row * stride + x;
      const left = x < CHANNELS ? 0 : (pixels[at - CHANNELS] ?? 0);
      const above = row === 0 ? 0 : (pixels[at - stride] ?? 0);
      const corner = x < CHANNELS || row === 0 ? 0 : (pixels[at - stride - CHANNELS] ?? 0);
      pixels[at] = (filtered[row * (stride + 1) + 1 + x] ?? 0) + predict(filter, left, above, corner);
    }
  }
  return pixels;
}

function predict(filter: number, left: number, above: number, corner: number): number {
  if (filter === 4) {
    const estimate = left + above - corner;
    const [toLeft, toAbove, toCorner] = [
      Math.abs(estimate - left),
      Math.abs(estimate - above),
      Math.abs(estimate - corner),
    ];
    return toLeft <= toAbove && toLeft <= toCorner ? left : toAbove <= toCorner ? above : corner;
  }
  return [0, left, above, (left + above) >> 1][filter] ?? 0;
}
