import type { PixelValues, RgbImage } from '@blip2/interfaces';
import { type BlipImageProcessor, expectFloatPixels } from '@blip2/processor';

/**
 * Preprocesses images: `[batch, channels, height, width]`, float32.
 * @throws Blip2Error `INVALID_CONFIG` if the processor leaves 8-bit values.
 */
export async function pixelValuesOf(
  processor: BlipImageProcessor,
  images: readonly RgbImage[],
  signal: AbortSignal,
): Promise<PixelValues> {
  const { pixelValues } = await processor.process(images, { signal });
  return expectFloatPixels(pixelValues);
}
