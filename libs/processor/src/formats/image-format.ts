import { Blip2Error } from '@blip2/interfaces';

import { type FtypBox, hasFtyp, MAX_FTYP_SIZE, parseFtypBox } from './ftyp-box.ts';
import { containsSvg, isMarkup } from './markup.ts';
import { otherFormat } from './other-formats.ts';
import { checkPngHeader } from './png-header.ts';
import { hasTiffSignature, tiffDirectory } from './tiff-header.ts';

/** Supported formats. All others that libvips could read (SVG, PDF, its own `.v`, …) are rejected. */
export const IMAGE_FORMATS = ['JPEG', 'PNG', 'WebP', 'GIF', 'TIFF', 'AVIF'] as const;
/** Name of a supported format. */
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Beginning of the messages about other formats. */
const EXPECTED = `image must be ${IMAGE_FORMATS.slice(0, -1).join(', ')} or ${IMAGE_FORMATS.at(-1)}`;

/** Loader of each format, as reported by sharp's `metadata().format`. */
const LOADERS: Readonly<Record<ImageFormat, string>> = {
  JPEG: 'jpeg',
  PNG: 'png',
  WebP: 'webp',
  GIF: 'gif',
  TIFF: 'tiff',
  AVIF: 'heif',
};

/** Brands of ISO base media files with AV1 images (AVIF 1.1, section 6.3). */
const AVIF_BRANDS: ReadonlySet<string> = new Set(['avif', 'avis']);
/** Major brands by which libvips detects HEIF (`heif_magic` in heifload.c). It ignores compatible brands. */
const HEIF_MAJOR_BRANDS: ReadonlySet<string> = new Set([
  'avif',
  'mif1',
  'msf1',
  'heic',
  'heix',
  'hevc',
  'heim',
  'heis',
  'hevm',
  'hevs',
]);

/**
 * Detects the format of an encoded image by its first bytes, before a decoder is called. No check may accept bytes that
 * libvips' own check for the format rejects, because libvips would then try its other loaders.
 * @throws Blip2Error `INVALID_IMAGE` for unknown formats; `UNSUPPORTED_IMAGE` for known ones that are not supported.
 */
export function imageFormat(bytes: Uint8Array, where: string): ImageFormat {
  const format = checkSignature(bytes, where);
  if (format === 'TIFF' && !tiffDirectory(bytes))
    throw new Blip2Error('INVALID_IMAGE', `${EXPECTED}, got TIFF without its first directory`, { where });
  if (format === 'PNG') checkPngHeader(bytes, where);
  return format;
}

/**
 * Detects the format by the signature alone; the first 2048 bytes of a file are enough.
 * @throws Blip2Error as `imageFormat`.
 */
export function checkSignature(bytes: Uint8Array, where: string): ImageFormat {
  if (bytes.length === 0) throw new Blip2Error('INVALID_IMAGE', 'image must not be empty, got 0 bytes', { where });
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_FTYP_SIZE)).toString('latin1');
  // Checked first: markup must not pass as any format, whatever its comments contain.
  if (isMarkup(head)) throw unsupported(containsSvg(head) ? 'SVG' : 'XML or HTML', where);
  // JPEG-LS has the signature of JPEG, and is named with the other formats.
  if (/^\xff\xd8\xff[^\xf7]/.test(head)) return 'JPEG';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'GIF';
  if (head.startsWith('RIFF') && head.startsWith('WEBP', 8)) return 'WebP';
  if (hasTiffSignature(head)) return 'TIFF';
  // Before the other signatures: the size of a box of 256 bytes is the signature of ICO.
  const box = parseFtypBox(head);
  if (box) return isoMediaFormat(box, where);
  const other = otherFormat(head);
  if (other !== undefined) throw unsupported(other, where);
  if (hasFtyp(head))
    throw new Blip2Error('INVALID_IMAGE', `${EXPECTED}, got ISO media with an invalid ftyp box`, { where });
  if (containsSvg(head)) throw unsupported('SVG', where);
  throw new Blip2Error('INVALID_IMAGE', `${EXPECTED}, got bytes of no known image format`, { where });
}

/**
 * Checks that libvips selected the loader of the format that the signature indicates.
 * @throws Blip2Error `UNSUPPORTED_IMAGE` for any other loader.
 */
export function checkLoader(loader: string, format: ImageFormat, where: string): void {
  if (loader === LOADERS[format]) return;
  throw unsupported(`a file with the signature of ${format} that the decoder detects as ${loader}`, where);
}

function isoMediaFormat({ majorBrand, compatibleBrands }: FtypBox, where: string): 'AVIF' {
  const isAvif = [majorBrand, ...compatibleBrands].some((brand) => AVIF_BRANDS.has(brand));
  if (isAvif && HEIF_MAJOR_BRANDS.has(majorBrand)) return 'AVIF';
  if (majorBrand === 'avis') throw unsupported('an AVIF image sequence', where);
  throw unsupported(isAvif ? 'AVIF with another major brand' : 'HEIC or other ISO media', where);
}

function unsupported(got: string, where: string): Blip2Error {
  const details = { where, fix: 'Convert it to one of these formats' };
  return new Blip2Error('UNSUPPORTED_IMAGE', `${EXPECTED}, got ${got}`, details);
}
