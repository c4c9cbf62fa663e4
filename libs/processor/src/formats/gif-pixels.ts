import { Blip2Error, type RgbImage } from '@blip2/interfaces';

import type { GifFrame } from './gif-frame.ts';

/** Codes have at most 12 bits (GIF89a, appendix F). */
const MAX_CODE_BITS = 12;
const MAX_CODES = 2 ** MAX_CODE_BITS;

/**
 * Decodes the first frame of a GIF to its screen. Not libvips': that decodes damaged files to other pixels than Pillow,
 * and does not keep the colours of transparent pixels.
 * @throws Blip2Error `INVALID_IMAGE` for damaged or incomplete data, as in Pillow.
 */
export function decodeGif(bytes: Uint8Array, frame: GifFrame, where: string): RgbImage {
  const { width, height, left, top, background, colours } = frame;
  const [columns, rows] = [frame.right - left, frame.bottom - top];
  if (columns === 0 || rows === 0 || frame.bits > MAX_CODE_BITS) throw damaged('a frame without pixels', where);
  const indices = decodeIndices(bytes, frame, columns * rows, where);
  const screen = new Uint8Array(width * height).fill(background);
  let from = 0;
  for (const row of rowOrder(rows, frame.isInterlaced)) {
    screen.set(indices.subarray(from, from + columns), (top + row) * width + left);
    from += columns;
  }
  return { type: 'uint8', dims: [height, width, 3], data: toRgb(screen, colours) };
}

function toRgb(screen: Uint8Array, colours: Uint8Array | undefined): Uint8Array {
  const data = new Uint8Array(screen.length * 3);
  for (let pixel = 0, to = 0; pixel < screen.length; pixel++, to += 3) {
    const index = screen[pixel] ?? 0;
    for (let channel = 0; channel < 3; channel++)
      data[to + channel] = colours ? (colours[index * 3 + channel] ?? 0) : index;
  }
  return data;
}

/** The rows in the order of the data: interlaced ones in four passes (GIF89a, appendix E). */
function* rowOrder(rows: number, isInterlaced: boolean): Generator<number> {
  const passes = isInterlaced ? INTERLACED : ([[0, 1]] as const);
  for (const [first, step] of passes) for (let row = first; row < rows; row += step) yield row;
}

const INTERLACED = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/** Decompresses the indices of `count` pixels: LZW with codes of growing length. */
function decodeIndices(bytes: Uint8Array, { bits, start }: GifFrame, count: number, where: string): Uint8Array {
  // No code stands for more pixels, and none is shorter.
  if (count > (((bytes.length - start) * 8) / (bits + 1)) * MAX_CODES) throw damaged('less data than pixels', where);
  const indices = new Uint8Array(count);
  const clear = 2 ** bits;
  const end = clear + 1;
  /** The string of a code is that of its link, and one more index. */
  const [links, lasts, lengths] = [new Uint16Array(MAX_CODES), new Uint8Array(MAX_CODES), new Uint16Array(MAX_CODES)];
  const nextCode = codeReader(bytes, start, where);
  let [free, width, previous, to] = [clear + 2, bits + 1, -1, 0];
  /** Writes the string of a code, and returns its first index. */
  const write = (code: number, at: number): number => {
    let position = at + (code < clear ? 1 : (lengths[code] ?? 1)) - 1;
    let rest = code;
    for (; rest >= clear; rest = links[rest] ?? 0, position--)
      if (position < count) indices[position] = lasts[rest] ?? 0;
    if (position < count) indices[position] = rest;
    return rest & 0xff;
  };
  const lengthOf = (code: number): number => (code < clear ? 1 : (lengths[code] ?? 1));
  while (to < count) {
    const code = nextCode(width);
    if (code === clear) [free, width, previous] = [clear + 2, bits + 1, -1];
    else if (code === end) throw damaged('less data than pixels', where);
    else if (previous < 0) {
      if (code > clear) throw damaged('an invalid code', where);
      write(code, to++);
      previous = code;
    } else {
      // A code that is about to be defined stands for the previous string and its own first index.
      if (code > free) throw damaged('an invalid code', where);
      const known = code === free ? previous : code;
      const first = write(known, to);
      to += lengthOf(known);
      if (code === free && to < count) indices[to] = first;
      if (code === free) to++;
      if (free < MAX_CODES) {
        [links[free], lasts[free], lengths[free]] = [previous, first, lengthOf(previous) + 1];
        if (free === 2 ** width - 1 && width < MAX_CODE_BITS) width++;
        free++;
      }
      previous = code;
    }
  }
  return indices;
}

/** Reads codes from blocks of data: the first byte of each is its length. A block is read if it is complete. */
function codeReader(bytes: Uint8Array, start: number, where: string): (width: number) => number {
  let [at, left, buffer, available] = [start, 0, 0, 0];
  return (width) => {
    while (available < width) {
      if (left > 0) {
        buffer |= (bytes[at++] ?? 0) << available;
        available += 8;
        left--;
      } else {
        left = bytes[at++] ?? 0;
        if (at + left > bytes.length || at > bytes.length) throw damaged('less data than pixels', where);
      }
    }
    const code = buffer & (2 ** width - 1);
    buffer >>>= width;
    available -= width;
    return code;
  };
}

function damaged(got: string, where: string): Blip2Error {
  return new Blip2Error('INVALID_IMAGE', 'The GIF image cannot be decoded', { where, got });
}
