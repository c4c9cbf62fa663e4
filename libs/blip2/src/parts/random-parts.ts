import { writeConfig } from '@blip2/config';
import { defined, expectKnownOptions, mustBe } from '@blip2/interfaces';
import { languageInitializer } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import {
  createRandomPartWeights,
  type InitializeTensor,
  LOAD_REPLACEMENTS,
  RANDOM_OPTIONS,
  type RandomWeightsOptions,
  transformerInitializer,
} from '@blip2/part';
import { visionInitializer } from '@blip2/vision';

import { configJson, type ModelConfig } from '../checkpoint/model-config.ts';
import { modelTensors } from '../checkpoint/model-tensors.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import { type CheckpointParts, openModelParts } from './checkpoint-parts.ts';
import { LOAD_OPTIONS, type LoadOptions } from './load-options.ts';

export type { InitializeTensor } from '@blip2/part';
/** How random weights are created: `seed`, `initializer`, and the `folder` of the temporary file. */
export type RandomOptions = RandomWeightsOptions;

/** The tensors of a model, and its class in Hugging Face Transformers. */
export interface RandomContent {
  readonly tensors: readonly RecordedWeight[];
  readonly architecture?: string;
}

/** The parts of a model with random weights. Their temporary folder is removed when they are disposed of. */
export async function openRandomParts<C extends ModelConfig>(
  config: C,
  given: RandomOptions & LoadOptions,
  content?: RandomContent,
): Promise<CheckpointParts<C>> {
  expectKnownOptions('fromConfig', given, [...RANDOM_OPTIONS, ...LOAD_OPTIONS], LOAD_REPLACEMENTS);
  expectConfig(config);
  const { initializer = referenceInitializer(config), seed, folder, signal, onProgress, ...loadOptions } = given;
  await using resources = new DisposalStack();
  const random = resources.use(
    await createRandomPartWeights(content?.tensors ?? modelTensors(config), initializer, {
      ...defined({ seed, folder }),
      signal,
      onProgress,
    }),
  );
  await writeConfig(random.store.folder, configJson(config, 'float32', content?.architecture));
  // Weights that are removed with the model do not belong in the cache of converted weights.
  const options = { convertedDir: random.store.folder, ...loadOptions };
  const format = { fromJson: () => config, create: () => config };
  const parts = resources.use(await openModelParts(format, random.store.folder, options));
  const opened = resources.move();
  return { ...parts, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

/** @throws Blip2Error `INVALID_ARGUMENT` for anything but a configuration, such as its JSON. */
export function expectConfig(config: ModelConfig): void {
  if (typeof config === 'object' && (config as object | null) !== null && 'visionConfig' in config) return;
  throw mustBe('config', 'a configuration', config, { fix: 'Pass the result of Blip2Config.create or fromJson' });
}

/**
 * The initializer of Hugging Face Transformers (`_init_weights`, version 5.18) with the standard deviations of the
 * configuration: ones for norms, zeros for biases and query tokens, normal for all others.
 */
export function referenceInitializer({
  visionConfig,
  qformerConfig,
  textConfig,
  initializerRange,
}: ModelConfig): InitializeTensor {
  const parts: readonly (readonly [prefix: string, initialize: InitializeTensor])[] = [
    ['query_tokens', () => ({ kind: 'zeros' })],
    ['vision_model.', visionInitializer(visionConfig)],
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
