import { Blip2Error, type PixelValues } from '@blip2/interfaces';

import type { ImageProcessorSettings } from './image-processor-settings.ts';
import type { PixelTensor } from './pixel-values.ts';

/**
 * Checks that an image processor returns float32, as vision encoders require.
 * @throws Blip2Error `INVALID_CONFIG` if it neither rescales nor normalises.
 */
export function expectFloatSettings({
  doRescale,
  doNormalize,
}: Pick<ImageProcessorSettings, 'doRescale' | 'doNormalize'>): void {
  if (!doRescale && !doNormalize) throw notFloat();
}

/**
 * Checks that pixel values are float32, as vision encoders require.
 * @throws Blip2Error `INVALID_CONFIG` if the image processor neither rescales nor normalises.
 */
export function expectFloatPixels(pixelValues: PixelTensor | undefined): PixelValues {
  if (pixelValues && isFloat(pixelValues)) return pixelValues;
  throw notFloat();
}

function isFloat(pixelValues: PixelTensor): pixelValues is PixelValues {
  return pixelValues.type === 'float32';
}

function notFloat(): Blip2Error {
  return new Blip2Error('INVALID_CONFIG', 'The image processor must rescale or normalise', {
    where: 'preprocessor_config.json',
    expected: 'do_rescale or do_normalize',
    fix: 'Enable one of them',
  });
}
