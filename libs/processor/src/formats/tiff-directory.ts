import { Blip2Error } from '@blip2/interfaces';

import { tiffDirectory } from './tiff-header.ts';

const WIDTH = 256;
const HEIGHT = 257;
const BITS_PER_SAMPLE = 258;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const ORIENTATION = 274;
const SAMPLES_PER_PIXEL = 277;
const COLOUR_MAP = 320;
const EXTRA_SAMPLES = 338;
const SAMPLE_FORMAT = 339;

/** Values of the photometric tag. */
const RGB = 2;
const PALETTE = 3;
const YCBCR = 6;
/** CIE, ICC and ITU L*a*b*. */
const LAB: ReadonlySet<number | undefined> = new Set([8, 9, 10]);

/** Values of `EXTRA_SAMPLES` for alpha with and without premultiplied colours. */
const PREMULTIPLIED = 1;
const NOT_PREMULTIPLIED = 2;
/** Values of `SAMPLE_FORMAT`. */
const UNSIGNED = 1;
const SIGNED = 2;
const FLOATS = 3;

const JPEG = 7;
/**
 * Compressions that the decoder has: none, CCITT, LZW, JPEG, deflate, PackBits and WebP. It decodes tiles with any
 * other
 * to black without an error.
 */
const COMPRESSIONS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, JPEG, 8, 32771, 32773, 32946, 50001]);
const UNSUPPORTED_COMPRESSIONS: ReadonlyMap<number, string> = new Map([
  [6, 'old-style JPEG'],
  [32809, 'ThunderScan'],
  [33003, 'JPEG 2000'],
  [33005, 'JPEG 2000'],
  [34676, 'SGI LogLuv'],
  [34677, 'SGI LogLuv'],
  [34712, 'JPEG 2000'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [34933, 'PNG'],
  [50000, 'Zstandard'],
  [50002, 'JPEG XL'],
  [52546, 'JPEG XL'],
]);

/** Sizes in bytes of the field types; other types are ignored. */
const TYPE_SIZES: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [3, 2],
  [4, 4],
  [16, 8],
]);

/** Values of a directory entry: the first one, the range of bytes that all of them occupy, and the size of each. */
interface TiffEntry {
  readonly first: number | undefined;
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

/** A TIFF to be decoded. */
export interface CheckedTiff {
  /** The file, or a copy with other values of tags. */
  readonly bytes: Uint8Array;
  /** Whether the decoded colours have to be divided by alpha. */
  readonly isPremultiplied: boolean;
}

/**
 * Checks the first directory of a TIFF for what libvips would decode to wrong pixels or report as damage. The bytes to
 * decode have no invalid orientation, which libtiff counts as an error; 8-bit values are unsigned, as Pillow reads
 * them;
 * and the alpha of RGB is not declared as premultiplied, because libvips and Pillow divide by it differently.
 * @throws Blip2Error `UNSUPPORTED_IMAGE` for compressions, bit depths and colours that cannot be decoded.
 * @throws Blip2Error `INVALID_IMAGE` for a palette image without its palette.
 */
export function checkTiff(bytes: Uint8Array, where: string): CheckedTiff {
  const entries = parseEntries(bytes);
  const valueOf = (tag: number): number | undefined => entries.get(tag)?.first;
  const compression = valueOf(COMPRESSION) ?? 1;
  if (compression === 0) throw new Blip2Error('INVALID_IMAGE', 'The TIFF image has an invalid compression', { where });
  if (!COMPRESSIONS.has(compression))
    throw unsupported(`${UNSUPPORTED_COMPRESSIONS.get(compression) ?? `unknown (${compression})`} compression`, where);
  const photometric = valueOf(PHOTOMETRIC);
  if (LAB.has(photometric)) throw unsupported('L*a*b* colours', where);
  if (photometric === YCBCR && compression !== JPEG) throw unsupported('YCbCr colours without JPEG compression', where);
  const bits = valueOf(BITS_PER_SAMPLE) ?? 1;
  if (bits === 12) throw unsupported('12 bits per sample', where);
  // Grey ones are clipped to 0 - 255, as in Pillow, which refuses colours; libvips takes those for linear light.
  if (valueOf(SAMPLE_FORMAT) === FLOATS && (photometric === RGB || (valueOf(SAMPLES_PER_PIXEL) ?? 1) > 1))
    throw unsupported('floating-point colours', where);
  const colourMap = entries.get(COLOUR_MAP);
  if (photometric === PALETTE && (!colourMap || colourMap.end > bytes.length))
    throw new Blip2Error('INVALID_IMAGE', 'The TIFF image has no complete palette', { where });
  const isPremultiplied =
    photometric === RGB && valueOf(SAMPLES_PER_PIXEL) === 4 && valueOf(EXTRA_SAMPLES) === PREMULTIPLIED;
  const changes: [tag: number, value: number][] = [];
  if (!isOrientation(valueOf(ORIENTATION))) changes.push([ORIENTATION, 1]);
  if (bits === 8 && valueOf(SAMPLE_FORMAT) === SIGNED) changes.push([SAMPLE_FORMAT, UNSIGNED]);
  if (isPremultiplied) changes.push([EXTRA_SAMPLES, NOT_PREMULTIPLIED]);
  return { bytes: withValues(bytes, entries, changes), isPremultiplied };
}

/** Width and height in pixels that the first directory of a TIFF declares; undefined if it does not. */
export function tiffSize(bytes: Uint8Array): readonly [width: number, height: number] | undefined {
  const entries = parseEntries(bytes);
  const [width, height] = [entries.get(WIDTH)?.first, entries.get(HEIGHT)?.first];
  return width === undefined || height === undefined ? undefined : [width, height];
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
    if (!entries.has(tag)) entries.set(tag, { first, start: offset, end, size: typeSize });
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

/** A copy with all values of some tags set to a small number; the same bytes without changes. */
function withValues(
  bytes: Uint8Array,
  entries: ReadonlyMap<number, TiffEntry>,
  changes: readonly (readonly [tag: number, value: number])[],
): Uint8Array {
  if (changes.length === 0) return bytes;
  const copy = new Uint8Array(bytes);
  const isLittle = bytes[0] === 0x49;
  for (const [tag, value] of changes) {
    const { start = 0, end = 0, size = 1 } = entries.get(tag) ?? {};
    copy.fill(0, start, end);
    for (let at = start; at < end; at += size) copy[isLittle ? at : at + size - 1] = value;
  }
  return copy;
}

function unsupported(got: string, where: string): Blip2Error {
  const details = { where, fix: 'Convert it to PNG' };
  return new Blip2Error('UNSUPPORTED_IMAGE', `The TIFF image cannot be decoded, got ${got}`, details);
}
