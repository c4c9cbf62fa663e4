import type { PixelValues, VisionEncoder } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

/** The vision encoder under test. */
export interface VisionEncoderSubject {
  /** Creates a new encoder for each check, which disposes of it. */
  create(): VisionEncoder | Promise<VisionEncoder>;
  /** Number of channels of its input. Default 3. */
  readonly channels?: number;
  /** Tolerance of float comparisons. Default: 1e-4 absolute and relative. */
  readonly tolerance?: Tolerance;
}

/** Conformance suite of the `VisionEncoder` interface. */
export function visionEncoderConformance({ create, channels = 3, tolerance }: VisionEncoderSubject): Check[] {
  return tensorPartConformance<VisionEncoder, PixelValues>({
    create,
    call: (encoder, pixelValues) => encoder.encode(pixelValues),
    input: ({ imageSize }, seeds) => randomBatch(seeds, channels, imageSize, imageSize),
    wrongInput: ({ imageSize, acceptsAnySize = false }) =>
      acceptsAnySize
        ? randomBatch([1], channels + 1, imageSize, imageSize)
        : randomBatch([1], channels, imageSize + 1, imageSize),
    outputDims: ({ hiddenSize }) => [-1, hiddenSize],
    ...(tolerance && { tolerance }),
  });
}
