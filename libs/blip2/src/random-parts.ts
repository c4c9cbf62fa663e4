import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandomCheckpoint, type Initializer, type RandomCheckpointOptions } from '@blip2/checkpoint';
import { Blip2Config } from '@blip2/config';
import { t5Initializer } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { openCheckpointParts, type CheckpointParts } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';
import { modelTensors } from './model-tensors.ts';
import { configJson } from './save-model.ts';

/** How a tensor of a model without training begins, by its checkpoint name and shape. */
export type InitializeTensor = (name: string, shape: readonly number[]) => Initializer;

export interface RandomOptions extends RandomCheckpointOptions {
  /** Default: the reference's, from the standard deviations of the configuration. */
  readonly initializer?: InitializeTensor;
}

/** The tensors of a model and the reference's class for it. */
export interface RandomContent {
  readonly tensors: readonly RecordedWeight[];
  readonly architecture?: string;
}

/** The parts of a model with random weights; its temporary folder is removed when they are disposed. */
export async function openRandomParts(config: Blip2Config, { initializer = referenceInitializer(config), seed, folder, signal, onProgress, ...load }: RandomOptions & LoadOptions, content: RandomContent = { tensors: modelTensors(config) }): Promise<CheckpointParts> {
  const tensors = content.tensors.map(({ name, shape }) => ({ name, shape, init: initializer(name, shape) }));
  const random = await createRandomCheckpoint(tensors, { ...(seed !== undefined && { seed }), ...(folder !== undefined && { folder }), signal, onProgress });
  try {
    await writeFile(join(random.folder, 'config.json'), configJson(config, undefined, content.architecture));
    const parts = await openCheckpointParts(random.folder, load);
    return {
      ...parts,
      async [Symbol.asyncDispose]() {
        await parts[Symbol.asyncDispose]();
        await random.dispose();
      },
    };
  } catch (error) {
    await random.dispose();
    throw error;
  }
}

/** The reference's `_init_weights`: norms one, biases and query tokens zero, the rest normal. */
export function referenceInitializer({ visionConfig, qformerConfig, textConfig, initializerRange }: Blip2Config): InitializeTensor {
  const ranges: readonly (readonly [string, number])[] = [
    ['vision_model.', visionConfig.initializerRange],
    ['qformer.', qformerConfig.initializerRange],
    ['embeddings.', qformerConfig.initializerRange],
    ['language_model.', textConfig.modelType === 'opt' ? textConfig.initStd : initializerRange],
  ];
  const t5 = textConfig.modelType === 't5' ? t5Initializer(textConfig) : undefined;
  return (name, shape) => {
    if (t5 && name.startsWith('language_model.')) return t5(name, shape);
    if (/norm[^.]*\.weight$/i.test(name)) return { kind: 'ones' };
    if (name.endsWith('.bias') || name === 'query_tokens') return { kind: 'zeros' };
    return { kind: 'normal', std: ranges.find(([prefix]) => name.startsWith(prefix))?.[1] ?? initializerRange };
  };
}
