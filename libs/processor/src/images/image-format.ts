import { Blip2Error } from '@blip2/interfaces';

import { type FtypBox, hasFtyp, MAX_FTYP_SIZE, parseFtypBox } from './ftyp-box.ts';
import { containsSvg, isMarkup } from './markup.ts';
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

/** Signatures of common unsupported formats, which errors name. */
const UNSUPPORTED: readonly (readonly [name: string, signature: string])[] = [
  ['BMP', 'BM'],
  ['PDF', '%PDF'],
  ['ICO', '\0\0\x01\0'],
  ['PSD', '8BPS'],
  ['JPEG XL', '\xff\x0a'],
  ['JPEG XL', '\0\0\0\x0cJXL '],
  ['JPEG 2000', '\0\0\0\x0cjP  '],
  ['OpenEXR', '\x76\x2f\x31\x01'],
  ['Radiance HDR', '#?RADIANCE'],
  ['gzip (SVGZ)', '\x1f\x8b'],
  ['libvips', '\x08\xf2\xa6\xb6'],
  ['libvips', '\xb6\xa6\xf2\x08'],
  ['PNM', 'P1'],
  ['PNM', 'P2'],
  ['PNM', 'P3'],
  ['PNM', 'P4'],
  ['PNM', 'P5'],
  ['PNM', 'P6'],
];

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
  if (bytes.length === 0) throw new Blip2Error('INVALID_IMAGE', 'image must not be empty, got 0 bytes', { where });
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_FTYP_SIZE)).toString('latin1');
  // Checked first: markup must not pass as any format, whatever its comments contain.
  if (isMarkup(head)) throw unsupported(containsSvg(head) ? 'SVG' : 'XML or HTML', where);
  if (head.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'GIF';
  if (head.startsWith('RIFF') && head.startsWith('WEBP', 8)) return 'WebP';
  if (hasTiffSignature(head)) {
    if (tiffDirectory(bytes)) return 'TIFF';
    throw new Blip2Error('INVALID_IMAGE', `${EXPECTED}, got TIFF without its first directory`, { where });
  }
  const known = UNSUPPORTED.find(([, signature]) => head.startsWith(signature));
  if (known) throw unsupported(known[0], where);
  if (hasFtyp(head)) return isoMediaFormat(parseFtypBox(head), where);
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

function isoMediaFormat(box: FtypBox | undefined, where: string): 'AVIF' {
  if (!box) throw new Blip2Error('INVALID_IMAGE', `${EXPECTED}, got ISO media with an invalid ftyp box`, { where });
  const { majorBrand, compatibleBrands } = box;
  const isAvif = [majorBrand, ...compatibleBrands].some((brand) => AVIF_BRANDS.has(brand));
  if (isAvif && HEIF_MAJOR_BRANDS.has(majorBrand)) return 'AVIF';
  if (majorBrand === 'avis') throw unsupported('an AVIF image sequence', where);
  throw unsupported(isAvif ? 'AVIF with another major brand' : 'HEIC or other ISO media', where);
}

function unsupported(got: string, where: string): Blip2Error {
  const details = { where, fix: 'Convert it to one of these formats' };
  return new Blip2Error('UNSUPPORTED_IMAGE', `${EXPECTED}, got ${got}`, details);
}
