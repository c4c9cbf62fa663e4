import type { RgbImage } from '@blip2/interfaces';

import type { CropRounding } from './image-processor-settings.ts';
import { roundHalfToEven } from './target-size.ts';

/**
 * Crops the center of an image; smaller images are padded with black. Source: HF Transformers 5.18, `center_crop` of
 * `image_transforms.py`, which rounds the start of the crop down; torchvision's `center_crop` rounds half to even.
 */
export function centerCrop(
  { dims: [height, width], data }: RgbImage,
  crop: { readonly height: number; readonly width: number },
  rounding: CropRounding = 'down',
): RgbImage {
  const result = new Uint8Array(crop.height * crop.width * 3);
  const [top, left] = [cropStart(height, crop.height, rounding), cropStart(width, crop.width, rounding)];
  const [first, last] = [Math.max(0, left), Math.min(width, left + crop.width)];
  for (let row = Math.max(0, top); row < Math.min(height, top + crop.height); row++) {
    result.set(
      data.subarray((row * width + first) * 3, (row * width + last) * 3),
      ((row - top) * crop.width + first - left) * 3,
    );
  }
  return { type: 'uint8', dims: [crop.height, crop.width, 3], data: result };
}

/** Start of the crop along one side; negative if the crop is longer than the side. */
function cropStart(side: number, crop: number, rounding: CropRounding): number {
  const start = (side - crop) / 2;
  return rounding === 'down' ? Math.floor(start) : roundHalfToEven(start);
}
