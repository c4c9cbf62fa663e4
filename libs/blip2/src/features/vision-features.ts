import { expectFinite, type ImageSource, type PixelValues, type Tensor } from '@blip2/interfaces';
import { type BlipImageProcessor, expectFloatPixels, expectFloatSettings } from '@blip2/processor';
import type { CheckpointVisionEncoder } from '@blip2/vision';

import { encodePatches } from '../pipeline/encode-patches.ts';
import { batches } from '../retrieval/encode-retrieval-inputs.ts';
import { atLayer } from './feature-parts.ts';
import { type Extract, rowsOf, type Wanted } from './feature-tools.ts';

/** Images that are decoded at a time. */
const IMAGE_BATCH = 4;

export interface VisionTools {
  readonly imageProcessor: BlipImageProcessor;
  vision(): Promise<Pick<CheckpointVisionEncoder, 'encode' | 'forward'>>;
}

/** The hidden states of a vision encoder. */
export function visionFeatures(tools: VisionTools): Extract {
  return async ({ images = [] }, wanted) =>
    ofImages(images, tools, wanted, (pixelValues) => visionStates(tools, pixelValues, wanted));
}

/** Computes the features of images, a few at a time. */
export async function ofImages(
  images: readonly ImageSource[],
  { imageProcessor }: Pick<VisionTools, 'imageProcessor'>,
  { autoOrient = true, allowUrls = false, signal }: Wanted,
  compute: (pixelValues: PixelValues) => Promise<Tensor<'float32'>>,
): Promise<Tensor<'float32'>[]> {
  expectFloatSettings(imageProcessor.settings);
  const results: Tensor<'float32'>[] = [];
  for (const batch of batches(images, IMAGE_BATCH)) {
    signal?.throwIfAborted();
    const options = { autoOrient, allowUrls, ...(signal && { signal }) };
    const { pixelValues } = await imageProcessor.process(batch, options);
    signal?.throwIfAborted();
    results.push(...rowsOf(await compute(expectFloatPixels(pixelValues))));
  }
  return results;
}

async function visionStates(
  tools: VisionTools,
  pixelValues: PixelValues,
  { layer, signal }: Wanted,
): Promise<Tensor<'float32'>> {
  const vision = await tools.vision();
  if (layer === undefined)
    return expectFinite('vision encoder', await encodePatches(vision, pixelValues, { ...(signal && { signal }) }));
  const outputs = await vision.forward({ pixelValues }, { outputHiddenStates: true, outputAttentions: false });
  return expectFinite('vision encoder', atLayer(outputs.hiddenStates, layer));
}
