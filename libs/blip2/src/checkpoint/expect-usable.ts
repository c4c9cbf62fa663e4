import { textFamily } from '@blip2/config';
import { Blip2Error, type RgbImage, type WeightStore } from '@blip2/interfaces';
import { expectUsableWeight, type RecordedWeight } from '@blip2/onnx';
import type { BlipImageProcessor } from '@blip2/processor';
import { expectPixelDims, visionFamily } from '@blip2/vision';

import type { ModelConfig } from './model-config.ts';

/**
 * Checks shapes and types of tensors, without reading weights, by the rules of the graphs that use them: what would
 * fail on first use fails here.
 * @throws Blip2Error `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE` for the first tensor that cannot be used.
 */
export function expectUsableWeights(expected: readonly RecordedWeight[], { tensors }: WeightStore): void {
  for (const { name, shape } of expected) {
    const stored = tensors.get(name);
    if (stored) expectUsableWeight(stored, shape);
  }
}

/** An image of no particular content, wider than high. */
const SAMPLE: RgbImage = { type: 'uint8', dims: [48, 64, 3], data: new Uint8Array(48 * 64 * 3) };

/**
 * Checks that an image processor yields images of the size that the encoder of a model accepts.
 * @throws Blip2Error `SHAPE_MISMATCH`; as `process` of the processor.
 */
export async function expectUsableImages(
  { process }: Pick<BlipImageProcessor, 'process'>,
  { visionConfig }: Pick<ModelConfig, 'visionConfig'>,
): Promise<void> {
  const { pixelValues } = await process([SAMPLE]);
  const { acceptsAnySize = false } = visionFamily(visionConfig.modelType);
  expectPixelDims(pixelValues.dims, { ...visionConfig, numChannels: 3 }, acceptsAnySize);
}

/**
 * Checks that the projection of a model yields embeddings of the width that its language model takes. Checkpoints with
 * a separate embedding width, such as opt-350m, have parts that work, but no prompt can be built.
 * @throws Blip2Error `SHAPE_MISMATCH`
 */
export function expectUsablePrompts({ textConfig }: Pick<ModelConfig, 'textConfig'>): void {
  const { embeddingSize: width = textConfig.hiddenSize } = textFamily(textConfig.modelType).sizes(textConfig);
  if (width === textConfig.hiddenSize) return;
  throw new Blip2Error(
    'SHAPE_MISMATCH',
    `projection.outFeatures is ${textConfig.hiddenSize} but language.embeddingSize is ${width}`,
    { fix: 'Use the parts one by one: only prompts with images cannot be built' },
  );
}
