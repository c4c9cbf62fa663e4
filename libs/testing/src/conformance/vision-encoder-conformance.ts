import type { PixelValues, VisionEncoder } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

export interface VisionEncoderSubject {
  /** A new encoder for each check, which disposes of it. */
  create(): VisionEncoder | Promise<VisionEncoder>;
  /** Default 3. */
  readonly channels?: number;
  readonly tolerance?: Tolerance;
}

/**
 * Checks of the `VisionEncoder` seam: `for (const check of visionEncoderConformance({ create })) test(check.name,
 * check.run)`.
 */
export function visionEncoderConformance({ create, channels = 3, tolerance }: VisionEncoderSubject): Check[] {
  return tensorPartConformance<VisionEncoder, PixelValues>({
    create,
    call: (encoder, pixelValues) => encoder.encode(pixelValues),
    input: ({ imageSize }, seeds) => randomBatch(seeds, channels, imageSize, imageSize),
    wrongInput: ({ imageSize }) => randomBatch([1], channels, imageSize + 1, imageSize),
    outputDims: ({ hiddenSize }) => [-1, hiddenSize],
    ...(tolerance && { tolerance }),
  });
}
