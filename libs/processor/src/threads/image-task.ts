import type { RawImage, RgbImage } from '@blip2/interfaces';

import { centerCrop } from '../center-crop.ts';
import type { ImageProcessorSettings } from '../image-processor-settings.ts';
import { decodeBytes, type DecodeRules } from '../images/decode-bytes.ts';
import { isRawImage, rawToRgb } from '../images/raw-image.ts';
import { resize } from '../resampling/resize.ts';
import { targetSize } from '../target-size.ts';

/** Settings of resizing and cropping. */
export type ResizeSettings = Pick<
  ImageProcessorSettings,
  'doResize' | 'size' | 'resample' | 'doCenterCrop' | 'cropSize' | 'cropRounding'
>;

/** One image and the work to be done on it. Plain data, so that it can be sent to a thread. */
export interface ImageTask {
  readonly input: Uint8Array | RawImage | RgbImage;
  /** The input's name in messages. */
  readonly where: string;
  readonly rules: DecodeRules;
  /** Undefined: decode only. */
  readonly resizing: ResizeSettings | undefined;
}

/** An image, decoded, resized and cropped; and its size in pixels after decoding. */
export interface ImageResult {
  readonly image: RgbImage;
  readonly height: number;
  readonly width: number;
}

/**
 * Performs a task on the calling thread. `throwIfAborted` is called between its stages.
 * @throws Blip2Error the codes of `decodeImage`; `UNSUPPORTED_IMAGE` or `IMAGE_TOO_LARGE` if the image cannot have the
 * requested size.
 * @throws whatever `throwIfAborted` throws.
 */
export async function performTask(
  { input, where, rules, resizing }: ImageTask,
  throwIfAborted: () => void,
): Promise<ImageResult> {
  const decoded = await decode(input, where, rules);
  throwIfAborted();
  const [height, width] = decoded.dims;
  return { image: resizing ? resizeAndCrop(decoded, resizing) : decoded, height, width };
}

async function decode(input: ImageTask['input'], where: string, rules: DecodeRules): Promise<RgbImage> {
  if (input instanceof Uint8Array) return decodeBytes(input, where, rules);
  return isRawImage(input) ? rawToRgb(input, where) : input;
}

function resizeAndCrop(
  image: RgbImage,
  { doResize, size, resample, doCenterCrop, cropSize, cropRounding }: ResizeSettings,
): RgbImage {
  const target = doResize ? targetSize(image.dims[0], image.dims[1], size) : undefined;
  const resized = target ? resize(image, target.height, target.width, resample) : image;
  return doCenterCrop && cropSize ? centerCrop(resized, cropSize, cropRounding) : resized;
}
