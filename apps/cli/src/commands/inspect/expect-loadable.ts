import {
  Blip2Retrieval,
  expectUsableImages,
  expectUsableWeights,
  loadImageTasks,
  type LoadOptions,
  type ModelConfig,
  modelTensors,
  openCheckpointParts,
  RETRIEVAL_CONTENT,
  retrievalTensors,
} from '@blip2/blip2';
import type { WeightStore } from '@blip2/interfaces';
import { BlipImageProcessor } from '@blip2/processor';

import type { ModelSource } from '../../model/model-source.ts';

/** A tensor that the model reads. */
export type ExpectedTensor = ReturnType<typeof modelTensors>[number];

/** The tensors of a model, as its loader expects them. */
export function expectedTensors(config: ModelConfig, hasLanguageModel: boolean): readonly ExpectedTensor[] {
  return config.modelType === 'instructblip' || hasLanguageModel
    ? modelTensors(config)
    : retrievalTensors(config, RETRIEVAL_CONTENT);
}

/** Which commands a checkpoint is for. */
export type CheckpointUse = 'generation' | 'features' | 'retrieval';

const LOAD_OPTIONS = { threads: 1 } as const;

/**
 * Loads a checkpoint as `caption`, `embed`, or `match` with a retrieval checkpoint, does, which reads no weights yet.
 * Then checks what these commands check on first use: types and shapes of tensors, and the size of processed images.
 * @throws Blip2Error as these commands.
 */
export async function expectLoadable(
  source: ModelSource,
  config: ModelConfig,
  store: WeightStore,
  { use, adapters }: { readonly use: CheckpointUse; readonly adapters: readonly string[] },
): Promise<void> {
  const imageProcessor = await loadImageProcessor(source, use, { ...LOAD_OPTIONS, adapters });
  expectUsableWeights(expectedTensors(config, use !== 'retrieval'), store);
  await expectUsableImages(imageProcessor, config);
}

async function loadImageProcessor(
  source: ModelSource,
  use: CheckpointUse,
  options: LoadOptions,
): Promise<BlipImageProcessor> {
  if (use === 'features') {
    await using parts = await openCheckpointParts(source, options);
    for (const part of [parts.vision, parts.qformer, parts.projection]) await part();
    return BlipImageProcessor.fromPretrained(parts.folders.images);
  }
  await using model =
    use === 'generation' ? await loadImageTasks(source, options) : await Blip2Retrieval.fromPretrained(source, options);
  return model.processor.imageProcessor;
}
