import { Blip2Error } from '@blip2/interfaces';

/** The formats that are decoded; everything else that libvips could read (SVG, PDF, its own `.v`, …) is refused. */
export const IMAGE_FORMATS = ['JPEG', 'PNG', 'WebP', 'GIF', 'TIFF', 'AVIF'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Signatures, at the start of the file, of what people try and we refuse by name. */
const REFUSED: readonly (readonly [name: string, signature: string])[] = [
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
/** How far into a text an `<svg` is looked for; libvips itself looks at the first 1000 bytes. */
const SVG_WINDOW = 1000;
/** Brands of an ISO base media file whose images are AV1 (AVIF 1.1, section 6.3). */
const AVIF_BRANDS: ReadonlySet<string> = new Set(['avif', 'avis']);

/**
 * Tells an encoded image's format from its first bytes, so that no decoder outside the list is ever reached.
 * `INVALID_IMAGE` for bytes that are no image, `UNSUPPORTED_IMAGE` for a known format that is not decoded.
 */
export function imageFormat(bytes: Uint8Array, where: string): ImageFormat {
  if (bytes.length === 0) throw new Blip2Error('INVALID_IMAGE', 'The image is empty (0 bytes)', { where });
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SVG_WINDOW)).toString('latin1');
  const format = decodedFormat(head);
  if (format) return format;
  const refused = refusedFormat(head);
  if (refused)
    throw new Blip2Error('UNSUPPORTED_IMAGE', `${refused} images are not decoded`, {
      where,
      fix: `Convert it to one of ${IMAGE_FORMATS.join(', ')}`,
    });
  throw new Blip2Error('INVALID_IMAGE', 'Not an image', {
    where,
    expected: IMAGE_FORMATS.join(', '),
    got: `bytes that begin with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`,
  });
}

function decodedFormat(head: string): ImageFormat | undefined {
  if (head.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'GIF';
  if (head.startsWith('RIFF') && head.startsWith('WEBP', 8)) return 'WebP';
  if (/^(?:II[*+]\0|MM\0[*+])/.test(head)) return 'TIFF';
  return brands(head).some((brand) => AVIF_BRANDS.has(brand)) ? 'AVIF' : undefined;
}

function refusedFormat(head: string): string | undefined {
  if (brands(head).length > 0) return 'HEIC and other ISO media';
  if (/<svg[\s>:]/i.test(head) || /<!DOCTYPE\s+svg/i.test(head)) return 'SVG';
  return REFUSED.find(([, signature]) => head.startsWith(signature))?.[0];
}

/** The major and compatible brands of an ISO base media file; none for other files. */
function brands(head: string): readonly string[] {
  if (!head.startsWith('ftyp', 4)) return [];
  const size = (head.charCodeAt(0) << 24) | (head.charCodeAt(1) << 16) | (head.charCodeAt(2) << 8) | head.charCodeAt(3);
  const compatible = head.slice(16, Math.max(16, Math.min(size, head.length)));
  return [head.slice(8, 12), ...(compatible.match(/[\s\S]{4}/g) ?? [])];
}
