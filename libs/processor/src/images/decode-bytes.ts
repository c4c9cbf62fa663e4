import { Blip2Error, defined, type RawImage, type RgbImage, type SharpLike } from '@blip2/interfaces';
import type { Sharp } from 'sharp';

import { parseGifFrame } from '../formats/gif-frame.ts';
import { decodeGif } from '../formats/gif-pixels.ts';
import { checkLoader, imageFormat } from '../formats/image-format.ts';
import { pngSize } from '../formats/png-header.ts';
import { checkTiff, tiffSize } from '../formats/tiff-directory.ts';
import { cmykToRgb, highBytes } from './cmyk.ts';
import { loadSharp } from './load-sharp.ts';
import { rawToRgb } from './raw-image.ts';
import { unpremultiply } from './unpremultiply.ts';

/** Default maximum number of pixels, checked before decoding. Pillow raises `DecompressionBombError` above it. */
export const MAX_IMAGE_PIXELS = 178_956_970;

/** libvips has no larger sides, and writes warnings to stderr about files that declare them. */
const MAX_SIDE = 10_000_000;

/**
 * Messages of the decoders about valid files that they do not support. sharp's own "unsupported image format" is about
 * files that no decoder recognises, which are damaged if they have a valid signature; so are JPEGs with odd markers.
 */
const UNSUPPORTED = /unsupported (?!image format|marker)|not (?:supported|implemented|configured)/i;

/** How encoded images are decoded. */
export interface DecodeRules {
  /** Apply the EXIF orientation. */
  readonly autoOrient: boolean;
  /** Maximum number of pixels. */
  readonly maxPixels: number;
}

/**
 * Decodes an encoded image, see `decodeImage`; `where` names it in messages.
 * @throws Blip2Error `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`.
 */
export async function decodeBytes(
  bytes: Uint8Array,
  where: string,
  { autoOrient, maxPixels }: DecodeRules,
): Promise<RgbImage> {
  const format = imageFormat(bytes, where);
  const declared = format === 'PNG' ? pngSize(bytes) : format === 'TIFF' ? tiffSize(bytes) : undefined;
  if (declared) checkPixels(...declared, maxPixels, where);
  if (format === 'GIF') return decodeFrame(bytes, maxPixels, where);
  const sharp = await loadSharp();
  // `limitInputPixels` enforces the limit in the decoder too, for files whose later parts contradict the header.
  const tiff = format === 'TIFF' ? checkTiff(bytes, where) : undefined;
  const image = sharp(tiff?.bytes ?? bytes, {
    // Read errors of libtiff leave black pixels unless every error counts.
    failOn: tiff ? 'error' : 'truncated',
    limitInputPixels: maxPixels,
    ignoreIcc: true,
    pages: 1,
    // Pillow applies the orientation of a TIFF when it loads the image.
    autoOrient: autoOrient || tiff !== undefined,
  });
  try {
    const { width, height, space, depth, format: loader } = await image.metadata();
    checkLoader(loader, format, where);
    checkPixels(width, height, maxPixels, where);
    if (tiff?.isPremultiplied) return await premultipliedPixelsOf(image, where);
    return space === 'cmyk'
      ? await cmykPixelsOf(image, depth === 'ushort' ? depth : 'uchar')
      : await pixelsOf(image, where);
  } catch (cause) {
    throw decodeError(cause, format, maxPixels, where);
  }
}

function decodeError(cause: unknown, format: string, maxPixels: number, where: string): Blip2Error {
  if (cause instanceof Blip2Error) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (reason.includes('exceeds pixel limit')) return tooLarge(`more than ${maxPixels} pixels`, maxPixels, where, cause);
  // The first lines may be warnings; the last one is the error.
  const lines = reason.split('\n').filter((line) => line.trim() !== '');
  const details = { where, got: lines.at(-1)?.trim() ?? 'an error without a message', cause };
  const isUnsupported = lines.some((line) => UNSUPPORTED.test(line));
  return new Blip2Error(
    isUnsupported ? 'UNSUPPORTED_IMAGE' : 'INVALID_IMAGE',
    `The ${format} image cannot be decoded`,
    isUnsupported ? { ...details, fix: 'Convert it to PNG' } : details,
  );
}

/**
 * Decodes a sharp instance, which has limits of its own, to raw pixel values.
 * @throws Blip2Error `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`.
 */
export async function decodeSharp(image: SharpLike, where: string, maxPixels: number): Promise<RawImage> {
  try {
    return await rawPixelsOf(image, where);
  } catch (cause) {
    throw decodeError(cause, 'sharp', maxPixels, where);
  }
}

async function pixelsOf(image: SharpLike, where: string): Promise<RgbImage> {
  return rawToRgb(await rawPixelsOf(image, where), where);
}

async function rawPixelsOf(image: SharpLike, where: string): Promise<RawImage> {
  const { data, info } = await image
    .clone()
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 1 && channels !== 3)
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'The image cannot be converted to RGB', {
      where,
      expected: '1 or 3 channels',
      got: String(channels),
    });
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels };
}

function decodeFrame(bytes: Uint8Array, maxPixels: number, where: string): RgbImage {
  const frame = parseGifFrame(bytes);
  if (!frame) throw new Blip2Error('INVALID_IMAGE', 'The GIF image has no complete frame', { where });
  checkPixels(frame.width, frame.height, maxPixels, where);
  return decodeGif(bytes, frame, where);
}

/** Divides colours by alpha like Pillow: rounded down, and black where alpha is 0. */
async function premultipliedPixelsOf(image: Sharp, where: string): Promise<RgbImage> {
  const pixels = image.clone().toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) return pixelsOf(image, where);
  return unpremultiply(data, info);
}

/** Decodes CMYK unconverted and converts it like Pillow; libvips would apply a printing profile instead. */
async function cmykPixelsOf(image: Sharp, depth: 'uchar' | 'ushort'): Promise<RgbImage> {
  const inks = image.clone().pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth });
  const { data, info } = await inks.toBuffer({ resolveWithObject: true });
  return cmykToRgb(depth === 'ushort' ? highBytes(data) : data, info);
}

/**
 * Checks the number of pixels.
 * @throws Blip2Error `IMAGE_TOO_LARGE` beyond `maxPixels`.
 */
export function checkPixels(width: number, height: number, maxPixels: number, where: string): void {
  if (width * height > maxPixels) throw tooLarge(`${width} x ${height} = ${width * height}`, maxPixels, where);
  if (Math.max(width, height) > MAX_SIDE)
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The image is too long', {
      where,
      expected: `sides of at most ${MAX_SIDE}`,
      got: `${width} x ${height}`,
      fix: 'Scale the image down',
    });
}

function tooLarge(got: string, maxPixels: number, where: string, cause?: unknown): Blip2Error {
  // Nobody has set the default, and the command has no option for it.
  const fix = maxPixels === MAX_IMAGE_PIXELS ? 'Scale the image down' : 'Scale the image down or raise maxPixels';
  const details = { where, expected: `at most ${maxPixels}`, got, fix };
  return new Blip2Error('IMAGE_TOO_LARGE', 'The image has too many pixels', defined({ ...details, cause }));
}
