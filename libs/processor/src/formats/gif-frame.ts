/** Bytes of the header: signature, screen size, flags, background and aspect ratio. */
const SCREEN_SIZE = 13;
const SCREEN_FLAGS = 10;
/** Bytes of an image descriptor after its separator. */
const DESCRIPTOR_SIZE = 9;
const EXTENSION = 0x21;
const DESCRIPTOR = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const COMMENT = 0xfe;
const APPLICATION = 0xff;
/** Flag of the screen or of a frame that a colour table follows. The lowest three bits are its size. */
const HAS_TABLE = 0x80;
const IS_INTERLACED = 0x40;

/** First frame of a GIF. */
export interface GifFrame {
  /** Size of the screen in pixels, which a larger frame enlarges. */
  readonly width: number;
  readonly height: number;
  /** Rectangle of the frame on the screen in pixels. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly isInterlaced: boolean;
  /** Index of the pixels that the frame does not cover: the transparent one, else 0. */
  readonly background: number;
  /** Colours as RGB, 8 bits per channel; undefined if indices are grey values. Colours after its end are black. */
  readonly colours: Uint8Array | undefined;
  /** Bits of a pixel in the compressed data. */
  readonly bits: number;
  /** Offset of the first block of compressed data in bytes. */
  readonly start: number;
}

/**
 * Parses the first frame of a GIF as Pillow does; undefined if the file has none, or ends in it. Bytes between blocks
 * are skipped, and a colour table that holds its own indices as grey values does not count.
 */
export function parseGifFrame(bytes: Uint8Array): GifFrame | undefined {
  if (bytes.length < SCREEN_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SCREEN_SIZE;
  const readTable = (flags: number): Uint8Array | undefined => {
    const size = tableSize(flags);
    const table = bytes.subarray(at, at + size);
    at += size;
    return isGreyRamp(table) ? undefined : table;
  };
  /** The next block of data; undefined for an empty one, which ends a sequence. */
  const readBlock = (): Uint8Array | undefined => {
    const size = bytes[at++] ?? 0;
    const block = bytes.subarray(at, at + size);
    at += size;
    return size > 0 ? block : undefined;
  };
  const screenTable = readTable(view.getUint8(SCREEN_FLAGS));
  let background = 0;
  for (;;) {
    const kind = bytes[at++];
    if (kind === undefined || kind === TRAILER) return undefined;
    if (kind === DESCRIPTOR) break;
    if (kind !== EXTENSION) continue;
    const label = bytes[at++];
    let block = readBlock();
    if (label === COMMENT) {
      while (block) block = readBlock();
      continue;
    }
    if (label === GRAPHIC_CONTROL && block) {
      if (block.length < 4) return undefined;
      if (((block[0] ?? 0) & 1) === 1) background = block[3] ?? 0;
    }
    if (label === APPLICATION && block && startsWith(block, 'NETSCAPE2.0')) readBlock();
    while (readBlock());
  }
  if (at + DESCRIPTOR_SIZE > bytes.length) return undefined;
  const [left, top] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
  const [right, bottom] = [left + view.getUint16(at + 4, true), top + view.getUint16(at + 6, true)];
  const flags = view.getUint8(at + 8);
  at += DESCRIPTOR_SIZE;
  const ownTable = readTable(flags);
  const bits = bytes[at++];
  if (bits === undefined) return undefined;
  return {
    width: Math.max(view.getUint16(6, true), right),
    height: Math.max(view.getUint16(8, true), bottom),
    left,
    top,
    right,
    bottom,
    isInterlaced: (flags & IS_INTERLACED) !== 0,
    background,
    colours: ownTable ?? screenTable,
    bits,
    start: at,
  };
}

function tableSize(flags: number): number {
  return (flags & HAS_TABLE) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
}

/** Whether every colour is its index as a grey value; true for no table. */
function isGreyRamp(table: Uint8Array): boolean {
  return table.every((value, index) => value === Math.floor(index / 3));
}

function startsWith(block: Uint8Array, text: string): boolean {
  return Buffer.from(block).toString('latin1').startsWith(text);
}
