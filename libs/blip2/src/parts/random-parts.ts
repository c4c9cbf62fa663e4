import { writeConfig } from '@blip2/config';
import { languageInitializer } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import {
  createRandomPartWeights,
  type InitializeTensor,
  type RandomWeightsOptions,
  transformerInitializer,
} from '@blip2/part';

import { configJson, type ModelConfig } from '../checkpoint/model-config.ts';
import { modelTensors } from '../checkpoint/model-tensors.ts';
import { type CheckpointParts, openModelParts } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';

export type { InitializeTensor } from '@blip2/part';
/** How random weights are made: `seed` and `initializer`, and the `folder` of the temporary file. */
export type RandomOptions = RandomWeightsOptions;

/** The tensors of a model and the reference's class for it. */
export interface RandomContent {
  readonly tensors: readonly RecordedWeight[];
  readonly architecture?: string;
}

/** The parts of a model with random weights; its temporary folder is removed when they are disposed. */
export async function openRandomParts<C extends ModelConfig>(
  config: C,
  {
    initializer = referenceInitializer(config),
    seed,
    folder,
    signal,
    onProgress,
    ...load
  }: RandomOptions & LoadOptions,
  content: RandomContent = { tensors: modelTensors(config) },
): Promise<CheckpointParts<C>> {
  const random = await createRandomPartWeights(content.tensors, initializer, {
    ...(seed !== undefined && { seed }),
    ...(folder !== undefined && { folder }),
    signal,
    onProgress,
  });
  try {
    await writeConfig(random.store.folder, configJson(config, 'float32', content.architecture));
    // Weights that go away with the model are not for the cache.
    const parts = await openModelParts(() => config, random.store.folder, {
      convertedDir: random.store.folder,
      ...load,
    });
    return {
      ...parts,
      async [Symbol.asyncDispose]() {
        await parts[Symbol.asyncDispose]();
        await random[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await random[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * The reference's `_init_weights` (transformers 5.18), with the standard deviations of the configuration: norms one,
 * biases and query tokens zero, the rest normal.
 */
export function referenceInitializer({
  visionConfig,
  qformerConfig,
  textConfig,
  initializerRange,
}: ModelConfig): InitializeTensor {
  const parts: readonly (readonly [prefix: string, initialize: InitializeTensor])[] = [
    ['query_tokens', () => ({ kind: 'zeros' })],
    ['vision_model.', transformerInitializer(visionConfig.initializerRange)],
    ['qformer.', transformerInitializer(qformerConfig.initializerRange)],
    ['embeddings.', transformerInitializer(qformerConfig.initializerRange)],
    ['language_model.', languageInitializer(textConfig)],
  ];
  return (name, shape) => {
    const [, initialize = transformerInitializer(initializerRange)] =
      parts.find(([prefix]) => name.startsWith(prefix)) ?? [];
    return initialize(name, shape);
  };
}
