import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { saveCheckpoint, type SaveOptions, storedTensorSource } from '@blip2/checkpoint';
import { writeConfig } from '@blip2/config';
import { torchDtype } from '@blip2/part';

import { configJson, type ModelConfig } from './model-config.ts';
import { type ModelFolders, sameFolder } from './model-sources.ts';
import { openWholeWeights } from './whole-weights.ts';

/**
 * How weights are written: `dtype`, the stored type of each (default: as it is), and `maxShardBytes`, the size of one
 * file in bytes (default: 5 GB).
 */
export type SaveModelOptions = SaveOptions;

/** What belongs to a model beside configuration and weights. */
const COMPANIONS: readonly string[] = [
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'spiece.model',
  'generation_config.json',
  'qformer_tokenizer/tokenizer.json',
  'qformer_tokenizer/tokenizer_config.json',
  'qformer_tokenizer/special_tokens_map.json',
  'qformer_tokenizer/added_tokens.json',
  'qformer_tokenizer/vocab.txt',
];

/** What of a folder belongs to the model. */
export interface ModelContent {
  /** The reference's class. Default: the one that `config.json` names, or the whole model with a language model. */
  readonly architecture?: string;
  /** Paths of its parts in the checkpoint. Default: everything. */
  readonly parts?: readonly string[];
}

/**
 * Copies a model in the Hugging Face layout, whatever names its files have and wherever its parts lie, with its weights
 * in another precision or in other shards if asked. Streams.
 */
export async function saveModel(
  source: string | ModelFolders,
  config: ModelConfig,
  target: string,
  options: SaveModelOptions = {},
  { architecture, parts }: ModelContent = {},
): Promise<void> {
  const folders = typeof source === 'string' ? sameFolder(source) : source;
  const folder = folders.processor;
  await using weights = await openWholeWeights(folders);
  const own = [...weights.tensors.values()].filter(({ name }) => isPart(name, parts));
  await saveCheckpoint(
    target,
    own.map((tensor) => storedTensorSource(tensor)),
    options,
  );
  await writeConfig(target, configJson(config, options.dtype ?? torchDtype(own), architecture));
  for (const name of COMPANIONS) {
    if (!existsSync(join(folder, name)) || join(folder, name) === join(target, name)) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await copyFile(join(folder, name), join(target, name));
  }
}

function isPart(name: string, parts: readonly string[] | undefined): boolean {
  return !parts || parts.some((part) => name === part || name.startsWith(`${part}.`));
}
