import { Blip2Error, expectTensor, type PixelValues } from '@blip2/interfaces';

import type { EncoderSizes } from './vision-signature.ts';

/** The sizes that images are compared with. */
export type ImageSizes = Pick<EncoderSizes, 'imageSize' | 'patchSize' | 'numChannels'>;

/**
 * @throws Blip2Error `SHAPE_MISMATCH` unless these are images of a size that the encoder accepts; `INVALID_ARGUMENT`,
 * `NOT_FINITE`.
 */
export function expectPixelValues(pixelValues: PixelValues, sizes: ImageSizes, interpolatePosEncoding: boolean): void {
  expectTensor('pixelValues', pixelValues, ['batch', String(sizes.numChannels), 'height', 'width']);
  expectPixelDims(pixelValues.dims, sizes, interpolatePosEncoding);
}

/** @throws Blip2Error `SHAPE_MISMATCH` unless these are the dimensions of images that the encoder accepts. */
export function expectPixelDims(
  dims: PixelValues['dims'],
  { imageSize, patchSize, numChannels }: ImageSizes,
  interpolatePosEncoding: boolean,
): void {
  const [, channels, height, width] = dims;
  if (dims.length !== 4 || channels !== numChannels) throw wrongShape(dims, `[batch, ${numChannels}, height, width]`);
  if (interpolatePosEncoding) {
    if (height < patchSize || width < patchSize)
      throw wrongShape(dims, `at least ${patchSize} pixels a side`, 'Pass a larger image');
  } else if (height !== imageSize || width !== imageSize) {
    const expected = `[batch, ${numChannels}, ${imageSize}, ${imageSize}]`;
    throw wrongShape(dims, expected, 'Resize the image, or pass interpolatePosEncoding: true');
  }
}

function wrongShape(dims: readonly number[], expected: string, fix?: string): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', 'pixelValues has the wrong shape', {
    argument: 'pixelValues',
    expected,
    got: `[${dims.join(', ')}]`,
    ...(fix !== undefined && { fix }),
  });
}
