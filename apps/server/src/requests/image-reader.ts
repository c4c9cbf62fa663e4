import { Blip2Error, mustBe, type RgbImage } from '@blip2/interfaces';
import { decodeImage } from '@blip2/processor';

/** Limits of the images of a request. */
export interface ImageLimits {
  /** Largest number of pixels of an image. */
  readonly maxPixels: number;
  /** Most images of one request. */
  readonly maxImages: number;
  /** Fetch images from http(s) URLs with a public address. */
  readonly allowUrls: boolean;
}

/** An image of a request: encoded bytes, or a `data:` or http(s) URL. Never a path. */
export type RequestImage = Uint8Array | string;

/** The characters of base64, also of its URL alphabet. */
const BASE64 = /^[\w+/-]+={0,2}$/;

/**
 * An image as a URL.
 * @throws Blip2Error `INVALID_ARGUMENT` for any other URL than `data:`, or http(s) where these are allowed.
 */
export function urlImage(url: string, field: string, { allowUrls }: Pick<ImageLimits, 'allowUrls'>): RequestImage {
  if (/^data:/i.test(url)) return url;
  if (!/^https?:\/\//i.test(url)) throw mustBe(field, 'a data: URL', url);
  if (allowUrls) return url;
  throw new Blip2Error('INVALID_ARGUMENT', `${field} must be a data: URL; image URLs are not fetched`, {
    argument: field,
    fix: 'Send the image itself, or start the server with --allow-image-urls',
  });
}

/**
 * An image as base64, or as a `data:` URL.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function base64Image(text: string, field: string): RequestImage {
  if (/^data:/i.test(text)) return text;
  const content = text.replaceAll(/[\t\n\f\r ]/g, '');
  if (!BASE64.test(content)) throw mustBe(field, 'an image in base64', text);
  return new Uint8Array(Buffer.from(content, 'base64'));
}

/**
 * Checks the number of images.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectImageCount(count: number, { maxImages }: Pick<ImageLimits, 'maxImages'>): void {
  if (count > maxImages)
    throw new Blip2Error('INVALID_ARGUMENT', 'The request has too many images', {
      argument: 'images',
      expected: `at most ${maxImages}`,
      got: String(count),
    });
}

/**
 * Decodes an image, upright.
 * @throws Blip2Error the codes of `decodeImage`.
 */
export function readImage(
  image: RequestImage,
  { maxPixels, allowUrls }: ImageLimits,
  signal: AbortSignal,
): Promise<RgbImage> {
  return decodeImage(image, { autoOrient: true, maxPixels, allowUrls, signal });
}
