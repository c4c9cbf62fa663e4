import { Blip2Error } from '@blip2/interfaces';

import { tiffDirectory } from './tiff-header.ts';

const BITS_PER_SAMPLE = 258;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const ORIENTATION = 274;
const COLOUR_MAP = 320;

/** Value of the photometric tag for palettes. */
const PALETTE = 3;
/** Values of the photometric tag for CIE, ICC and ITU L*a*b*. */
const LAB: ReadonlySet<number | undefined> = new Set([8, 9, 10]);

/** Compressions that the decoder lacks, and old-style JPEG, which it decodes to black in tiles. */
const UNSUPPORTED_COMPRESSIONS: ReadonlyMap<number | undefined, string> = new Map([
  [6, 'old-style JPEG'],
  [34676, 'SGI LogLuv'],
  [34677, 'SGI LogLuv'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [50000, 'Zstandard'],
  [50002, 'JPEG XL'],
]);

/** Sizes in bytes of the field types; other types are ignored. */
const TYPE_SIZES: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [3, 2],
  [4, 4],
  [16, 8],
]);

/** Values of a directory entry: the first one, and the range of bytes that all of them occupy. */
interface TiffEntry {
  readonly first: number | undefined;
  readonly start: number;
  readonly end: number;
}

/**
 * Checks the first directory of a TIFF for what libvips would decode to wrong pixels or report as damage. Returns the
 * bytes to decode: a copy without the orientation if that has no valid value, which libtiff counts as an error.
 * @throws Blip2Error `UNSUPPORTED_IMAGE` for compressions, bit depths and colours that cannot be decoded.
 * @throws Blip2Error `INVALID_IMAGE` for a palette image without its palette.
 */
export function checkTiff(bytes: Uint8Array, where: string): Uint8Array {
  const entries = parseEntries(bytes);
  const compression = UNSUPPORTED_COMPRESSIONS.get(entries.get(COMPRESSION)?.first);
  if (compression !== undefined) throw unsupported(`${compression} compression`, where);
  const photometric = entries.get(PHOTOMETRIC)?.first;
  if (LAB.has(photometric)) throw unsupported('L*a*b* colours', where);
  const bits = entries.get(BITS_PER_SAMPLE)?.first ?? 1;
  if (bits === 12) throw unsupported('12 bits per sample', where);
  const colourMap = entries.get(COLOUR_MAP);
  if (photometric === PALETTE && (!colourMap || colourMap.end > bytes.length))
    throw new Blip2Error('INVALID_IMAGE', 'The TIFF image has no complete palette', { where });
  const orientation = entries.get(ORIENTATION);
  return orientation && !isOrientation(orientation.first) ? withoutOrientation(bytes, orientation) : bytes;
}

function parseEntries(bytes: Uint8Array): ReadonlyMap<number, TiffEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<number, TiffEntry>();
  const { start = 0, count = 0, isBig = false, isLittle = false, size = 0 } = tiffDirectory(bytes) ?? {};
  for (let at = start; at < start + count * size; at += size) {
    const typeSize = TYPE_SIZES.get(view.getUint16(at + 2, isLittle)) ?? 0;
    const length = typeSize * readNumber(view, at + 4, isBig ? 8 : 4, isLittle);
    const inline = at + (isBig ? 12 : 8);
    const isInline = length <= (isBig ? 8 : 4);
    const offset = isInline ? inline : readNumber(view, inline, isBig ? 8 : 4, isLittle);
    const end = offset + length;
    const first = length > 0 && end <= bytes.length ? readNumber(view, offset, typeSize, isLittle) : undefined;
    // libtiff uses the first of several entries of a tag.
    const tag = view.getUint16(at, isLittle);
    if (!entries.has(tag)) entries.set(tag, { first, start: offset, end });
  }
  return entries;
}

function readNumber(view: DataView, at: number, size: number, isLittle: boolean): number {
  if (size === 8) return Number(view.getBigUint64(at, isLittle));
  if (size === 4) return view.getUint32(at, isLittle);
  return size === 2 ? view.getUint16(at, isLittle) : view.getUint8(at);
}

function isOrientation(value: number | undefined): boolean {
  return value === undefined || (value >= 1 && value <= 8);
}

function withoutOrientation(bytes: Uint8Array, { start, end }: TiffEntry): Uint8Array {
  const copy = bytes.slice();
  copy.fill(0, start, end);
  copy[bytes[0] === 0x49 ? start : end - 1] = 1;
  return copy;
}

function unsupported(got: string, where: string): Blip2Error {
  const details = { where, fix: 'Convert it to PNG' };
  return new Blip2Error('UNSUPPORTED_IMAGE', `The TIFF image cannot be decoded, got ${got}`, details);
}
