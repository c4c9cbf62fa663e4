import { Blip2Error, type PixelValues } from '@blip2/interfaces';

export interface ImageSize {
  /** Height and width, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly numChannels: number;
  readonly interpolatePosEncoding: boolean;
}

/** Refuses what is no batch of images, or images of another size than the encoder's. */
export function expectPixels(
  pixelValues: PixelValues,
  { imageSize, patchSize, numChannels, interpolatePosEncoding }: ImageSize,
): void {
  const [, channels, height, width] = pixelValues.dims;
  const got = `[${pixelValues.dims.join(', ')}]`;
  if (pixelValues.dims.length !== 4 || channels !== numChannels) {
    throw new Blip2Error('SHAPE_MISMATCH', 'These are no images', {
      where: 'pixelValues',
      expected: `[batch, ${numChannels}, height, width]`,
      got,
    });
  }
  if (interpolatePosEncoding ? height >= patchSize && width >= patchSize : height === imageSize && width === imageSize)
    return;
  throw new Blip2Error('SHAPE_MISMATCH', 'The image does not have the size of the encoder', {
    where: 'pixelValues',
    got,
    expected: interpolatePosEncoding
      ? `at least ${patchSize} pixels a side`
      : `[batch, ${numChannels}, ${imageSize}, ${imageSize}]`,
    fix: interpolatePosEncoding ? 'Give a larger image' : 'Resize it, or pass interpolatePosEncoding: true',
  });
}
