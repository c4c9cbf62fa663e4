import { Blip2Error } from '@blip2/interfaces';

import { type ImageSize, MAX_TARGET_PIXELS } from './image-processor-settings.ts';

/**
 * Computes the size to which an image is resized, in pixels. `shortestEdge` keeps the aspect ratio; if the longer side
 * would exceed `longestEdge`, that is used instead. Source: HF Transformers 5.18, `get_resize_output_image_size` and
 * `get_size_with_aspect_ratio` of `image_transforms.py`.
 * @throws Blip2Error `IMAGE_TOO_LARGE` if the result exceeds the maximum target size; `UNSUPPORTED_IMAGE` if a side
 * would have no pixels.
 */
export function targetSize(
  height: number,
  width: number,
  size: ImageSize,
): { readonly height: number; readonly width: number } {
  if ('height' in size) return size;
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  const [newShort, newLong] = edges(short, long, size);
  const target = height < width ? { height: newShort, width: newLong } : { height: newLong, width: newShort };
  const got = `${target.height} x ${target.width} of ${height} x ${width}`;
  if (newShort < 1)
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'The image is too narrow to be resized', {
      expected: 'sides of at least 1 pixel',
      got,
    });
  if (newShort * newLong > MAX_TARGET_PIXELS)
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The resized image would be too large', {
      expected: `at most ${MAX_TARGET_PIXELS} pixels`,
      got,
      fix: 'Crop the image, or set height and width',
    });
  return target;
}

function edges(
  short: number,
  long: number,
  { shortestEdge, longestEdge }: Exclude<ImageSize, { readonly height: number }>,
): [short: number, long: number] {
  if (longestEdge === undefined || (long / short) * shortestEdge <= longestEdge)
    return [shortestEdge, Math.trunc((shortestEdge * long) / short)];
  const exact = (longestEdge * short) / long;
  const rounded = roundHalfToEven(exact);
  return short === rounded ? [short, long] : [rounded, Math.trunc((exact * long) / short)];
}

/** Rounds like Python's `round`. */
export function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
