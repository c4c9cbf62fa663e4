import type { RgbImage } from '@blip2/interfaces';

const SCREEN_SIZE = 13;
const DESCRIPTOR_SIZE = 10;
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const DESCRIPTOR = 0x2c;
/** Flag of the screen or of a frame that a colour table follows. The lowest three bits are its size. */
const HAS_TABLE = 0x80;

/** First frame of a GIF: its rectangle on the screen in pixels, and the colour of the pixels it does not show. */
export interface GifFrame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** RGB, 8 bits per channel; undefined if the file has no colour table. */
  readonly background: Uint8Array | undefined;
}

/**
 * Parses the first frame of a GIF; undefined if the file has none. Pillow shows transparent pixels in the colour of the
 * transparent index and fills the rest of the screen with it; without a transparent index, with the colour of index 0.
 */
export function parseGifFrame(bytes: Uint8Array): GifFrame | undefined {
  const screenFlags = bytes[10] ?? 0;
  let at = SCREEN_SIZE + tableSize(screenFlags);
  let transparent = 0;
  for (; bytes[at] === EXTENSION; at = endOfBlocks(bytes, at + 2)) {
    const hasIndex = bytes[at + 1] === GRAPHIC_CONTROL && ((bytes[at + 3] ?? 0) & 1) === 1;
    if (hasIndex) transparent = bytes[at + 6] ?? 0;
  }
  if (bytes[at] !== DESCRIPTOR || at + DESCRIPTOR_SIZE > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, DESCRIPTOR_SIZE);
  const [left, top] = [view.getUint16(1, true), view.getUint16(3, true)];
  const flags = view.getUint8(9);
  const isLocal = (flags & HAS_TABLE) !== 0;
  const table = isLocal ? at + DESCRIPTOR_SIZE : SCREEN_SIZE;
  const background = colourOf(bytes.subarray(table, table + tableSize(isLocal ? flags : screenFlags)), transparent);
  return { left, top, right: left + view.getUint16(5, true), bottom: top + view.getUint16(7, true), background };
}

/**
 * Converts RGB or RGBA values to RGB, with the background in place of transparent pixels and of pixels outside the
 * frame. libvips decodes both to zeros, whatever their colour is.
 */
export function fillBackground(
  data: Uint8Array,
  { width, height, channels }: { readonly width: number; readonly height: number; readonly channels: number },
  { left, top, right, bottom, background = Uint8Array.of(0, 0, 0) }: GifFrame,
): RgbImage {
  const rgb = new Uint8Array(width * height * 3);
  let from = 0;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, from += channels, to += 3) {
      const isOutside = x < left || x >= right || y < top || y >= bottom;
      const isHidden = isOutside || (channels === 4 && data[from + 3] === 0);
      const source = isHidden ? background : data;
      const at = isHidden ? 0 : from;
      rgb[to] = source[at] ?? 0;
      rgb[to + 1] = source[at + 1] ?? 0;
      rgb[to + 2] = source[at + 2] ?? 0;
    }
  }
  return { type: 'uint8', dims: [height, width, 3], data: rgb };
}

function tableSize(flags: number): number {
  return (flags & HAS_TABLE) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
}

/** Offset after a sequence of data blocks: the first byte of each is its length, and an empty block ends it. */
function endOfBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let size = bytes[at]; size !== undefined && size > 0; size = bytes[at]) at += size + 1;
  return at + 1;
}

/** The colour of an index, black after the end of the table. */
function colourOf(table: Uint8Array, index: number): Uint8Array | undefined {
  if (table.length === 0) return undefined;
  return index * 3 < table.length ? table.slice(index * 3, index * 3 + 3) : Uint8Array.of(0, 0, 0);
}
