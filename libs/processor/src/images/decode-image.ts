import { Blip2Error, defined, type ImageSource, mustBe, type RgbImage, type SharpLike } from '@blip2/interfaces';
import type { Sharp } from 'sharp';

import { cmykToRgb, highBytes } from './cmyk.ts';
import { fillBackground, parseGifFrame } from './gif-frame.ts';
import { checkEncodedSize, fileUrlToPath, readImageBlob, readImageFile, shownUrl } from './image-bytes.ts';
import { checkLoader, imageFormat } from './image-format.ts';
import { loadSharp } from './load-sharp.ts';
import { checkRgbImage, isRawImage, isRgbImage, rawToRgb } from './raw-image.ts';
import { checkTiff } from './tiff-directory.ts';

/** Default maximum number of pixels, checked before decoding. Pillow raises `DecompressionBombError` above it. */
export const MAX_IMAGE_PIXELS = 178_956_970;

/** Options of `decodeImage`. */
export interface DecodeImageOptions {
  /** Apply the EXIF orientation. Default false, as in HF; that of TIFF is always applied. */
  readonly autoOrient?: boolean;
  /** Fetch http(s) URLs. Default false. */
  readonly allowUrls?: boolean;
  /**
   * Also fetch from addresses that are not public, such as this machine and its local network. Only safe for trusted
   * URLs. Default false.
   */
  readonly allowPrivateUrls?: boolean;
  /** Maximum number of pixels (width x height). Default {@link MAX_IMAGE_PIXELS}. */
  readonly maxPixels?: number;
  /** Aborts reading and fetching. */
  readonly signal?: AbortSignal;
}

/**
 * Decodes an image to 8-bit RGB values `[height, width, 3]`.
 *
 * 1. Detect the format by the first bytes; only JPEG, PNG, WebP, GIF, TIFF and AVIF are accepted.
 * 2. Check that the decoder detects the same format, and the number of pixels.
 * 3. Decode the first frame. Alpha is dropped, not blended; colour profiles are ignored; grey, palettes and CMYK are
 *    converted to RGB. Transparent pixels keep their colour, in GIF that of the transparent index.
 *
 * The result equals Pillow's `Image.open(…).convert("RGB")` for 8-bit JPEG, PNG, WebP, GIF and TIFF. It differs for
 * 16-bit grey (scaled instead of clipped) and AVIF (chroma upsampling). The first call blocks sharp's SVG loader for
 * the whole process, see the README. A sharp instance keeps its own limits, and its format is not checked.
 * @throws Blip2Error `MISSING_FILE` if the file cannot be read or fetched; `INVALID_IMAGE` for damaged files;
 * `UNSUPPORTED_IMAGE` for other formats, and for variants that the decoder lacks; `IMAGE_TOO_LARGE` beyond the limits;
 * `INVALID_ARGUMENT` for anything that is not an image and for URLs that are not allowed.
 */
export async function decodeImage(source: ImageSource, options: DecodeImageOptions = {}): Promise<RgbImage> {
  options.signal?.throwIfAborted();
  const maxPixels = options.maxPixels ?? MAX_IMAGE_PIXELS;
  const image = await decode(source, maxPixels, options);
  options.signal?.throwIfAborted();
  checkPixels(image.dims[1], image.dims[0], maxPixels, describe(source));
  return image;
}

async function decode(source: ImageSource, maxPixels: number, options: DecodeImageOptions): Promise<RgbImage> {
  const where = describe(source);
  if (isRgbImage(source)) return checkRgbImage(source, where);
  if (isRawImage(source)) return rawToRgb(source, where);
  if (isSharp(source)) {
    return pixelsOf(source, where).catch((cause: unknown) => {
      throw decodeError(cause, 'sharp', maxPixels, where);
    });
  }
  if (!isEncoded(source)) {
    throw mustBe('image', 'a path, URL, bytes, Blob, raw pixels or a sharp instance', source);
  }
  const bytes = await encodedBytes(source, options);
  return decodeBytes(bytes, where, maxPixels, options);
}

function isEncoded(source: unknown): source is string | URL | Uint8Array | Blob {
  return typeof source === 'string' || source instanceof URL || source instanceof Uint8Array || source instanceof Blob;
}

async function encodedBytes(
  source: string | URL | Uint8Array | Blob,
  { allowUrls = false, allowPrivateUrls = false, signal }: DecodeImageOptions,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) {
    checkEncodedSize(source.byteLength, describe(source));
    return source;
  }
  if (source instanceof Blob) return readImageBlob(source);
  const url = source instanceof URL ? source : urlOf(source);
  if (!url) return readImageFile(String(source), signal);
  if (url.protocol === 'file:') return readImageFile(fileUrlToPath(url), signal);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Blip2Error('INVALID_ARGUMENT', 'The protocol of the image URL is not supported', {
      expected: 'file:, http: or https:',
      got: url.protocol,
    });
  }
  if (!allowUrls)
    throw new Blip2Error('INVALID_ARGUMENT', 'Image URLs are only fetched with allowUrls', {
      argument: 'allowUrls',
      where: shownUrl(url),
      fix: 'Pass allowUrls: true, or fetch the image and pass its bytes',
    });
  const { fetchImage } = await import('./fetch-image.ts');
  return fetchImage(url, defined({ signal, isForbidden: allowPrivateUrls ? () => false : undefined }));
}

async function decodeBytes(
  bytes: Uint8Array,
  where: string,
  maxPixels: number,
  { autoOrient = false }: DecodeImageOptions,
): Promise<RgbImage> {
  const format = imageFormat(bytes, where);
  const sharp = await loadSharp();
  // `limitInputPixels` enforces the limit in the decoder too, for files whose later parts contradict the header.
  const image = sharp(format === 'TIFF' ? checkTiff(bytes, where) : bytes, {
    // Read errors of libtiff leave black pixels unless every error counts.
    failOn: format === 'TIFF' ? 'error' : 'truncated',
    limitInputPixels: maxPixels,
    ignoreIcc: true,
    pages: 1,
    // Pillow applies the orientation of a TIFF when it loads the image.
    autoOrient: autoOrient || format === 'TIFF',
  });
  try {
    const { width, height, space, depth, format: loader } = await image.metadata();
    checkLoader(loader, format, where);
    checkPixels(width, height, maxPixels, where);
    if (format === 'GIF') return await gifPixelsOf(image, bytes, where);
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
  const details = { where, got: reason.split('\n')[0] ?? reason, cause };
  return new Blip2Error('INVALID_IMAGE', `The ${format} image cannot be decoded`, details);
}

async function pixelsOf(image: SharpLike, where: string): Promise<RgbImage> {
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
  return rawToRgb({ data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels }, where);
}

/** Decodes a GIF with its alpha, because libvips does not keep the colours of transparent pixels. */
async function gifPixelsOf(image: Sharp, bytes: Uint8Array, where: string): Promise<RgbImage> {
  const frame = parseGifFrame(bytes);
  if (!frame) return pixelsOf(image, where);
  if (!frame.background)
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'The GIF image has no colour table', {
      where,
      fix: 'Convert it to PNG',
    });
  const pixels = image.clone().toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  return fillBackground(data, info, frame);
}

/** Decodes CMYK unconverted and converts it like Pillow; libvips would apply a printing profile instead. */
async function cmykPixelsOf(image: Sharp, depth: 'uchar' | 'ushort'): Promise<RgbImage> {
  const inks = image.clone().pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth });
  const { data, info } = await inks.toBuffer({ resolveWithObject: true });
  return cmykToRgb(depth === 'ushort' ? highBytes(data) : data, info);
}

function checkPixels(width: number, height: number, maxPixels: number, where: string): void {
  if (width * height > maxPixels) throw tooLarge(`${width} x ${height} = ${width * height}`, maxPixels, where);
}

function tooLarge(got: string, maxPixels: number, where: string, cause?: unknown): Blip2Error {
  const details = { where, expected: `at most ${maxPixels}`, got, fix: 'Scale the image down or raise maxPixels' };
  return new Blip2Error('IMAGE_TOO_LARGE', 'The image has too many pixels', defined({ ...details, cause }));
}

function isSharp(source: unknown): source is SharpLike {
  return typeof source === 'object' && source !== null && 'clone' in source && 'toColourspace' in source;
}

/** Parses a string as a URL if its scheme has at least two letters; a single letter is a Windows drive. */
function urlOf(text: string): URL | undefined {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(text) || /^data:/i.test(text) ? parseUrl(text) : undefined;
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw mustBe('image', 'a valid URL', text, { cause });
  }
}

function describe(source: ImageSource): string {
  const url =
    source instanceof URL
      ? source
      : typeof source === 'string' && /^https?:/i.test(source) && URL.canParse(source)
        ? new URL(source)
        : undefined;
  if (url) return shownUrl(url);
  if (typeof source === 'string') return source.slice(0, 500);
  return source instanceof Uint8Array ? 'image bytes' : 'image';
}
