import { Blip2Error, mustBe, type RgbImage } from '@blip2/interfaces';
import type { ImageThreads, Resizing } from '@blip2/processor';

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

/** How the images of a request are decoded. */
export interface ImageReading {
  readonly limits: ImageLimits;
  readonly threads: ImageThreads;
  readonly signal: AbortSignal;
}

/**
 * Decodes an image upright, and resizes it for the model, on other threads: a photograph of 100 MB becomes 150 KB
 * before it arrives here.
 * @throws Blip2Error the codes of `decodeImage`.
 */
export async function readImage(
  image: RequestImage,
  resizing: Resizing | undefined,
  { limits: { maxPixels, allowUrls }, threads, signal }: ImageReading,
): Promise<RgbImage> {
  return (await threads.open(image, { autoOrient: true, maxPixels, allowUrls, signal, resizing })).image;
}
