import type { RgbImage } from '@blip2/interfaces';

/**
 * The middle of an image; what it lacks is black. Source: `center_crop` of `image_transforms.py`, transformers 5.18,
 * which rounds to the top left, and down where it has to fill up.
 */
export function centerCrop(
  { dims: [height, width], data }: RgbImage,
  crop: { readonly height: number; readonly width: number },
): RgbImage {
  const result = new Uint8Array(crop.height * crop.width * 3);
  const [top, left] = [cropStart(height, crop.height), cropStart(width, crop.width)];
  const [first, last] = [Math.max(0, left), Math.min(width, left + crop.width)];
  for (let row = Math.max(0, top); row < Math.min(height, top + crop.height); row++) {
    result.set(
      data.subarray((row * width + first) * 3, (row * width + last) * 3),
      ((row - top) * crop.width + first - left) * 3,
    );
  }
  return { type: 'uint8', dims: [crop.height, crop.width, 3], data: result };
}

/** Where a crop begins along one side; below zero where it is longer than the side. */
function cropStart(side: number, crop: number): number {
  return Math.floor((side - crop) / 2);
}
