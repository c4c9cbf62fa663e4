import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { saveCheckpoint, type SaveOptions, storedTensorSource } from '@blip2/checkpoint';
import { writeConfig } from '@blip2/config';
import { expectKnownOptions } from '@blip2/interfaces';
import { SAVE_OPTIONS, torchDtype } from '@blip2/part';
import { saveImageSettings } from '@blip2/processor';

import { configJson, type ModelConfig } from './model-config.ts';
import { type ModelFolders, sameFolder } from './model-sources.ts';
import { openWholeWeights } from './whole-weights.ts';

/**
 * How weights are written: `dtype`, their stored type (default: unchanged), and `maxShardBytes`, the maximum size of a
 * file in bytes (default: 5 GB).
 */
export type SaveModelOptions = SaveOptions;

/** Files of a model other than configuration and weights. */
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

/** The part of a checkpoint that belongs to a model. */
export interface ModelContent {
  /** Class in Hugging Face Transformers. Default: that of `config.json`, else that of the whole model. */
  readonly architecture?: string;
  /** Paths of its parts in the checkpoint. Default: all. */
  readonly parts?: readonly string[];
}

/**
 * Copies a model into the Hugging Face layout, from any parameter names and any number of folders, optionally with
 * another stored type or other shards. The weights are streamed.
 * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`.
 */
export async function saveModel(
  source: string | ModelFolders,
  config: ModelConfig,
  target: string,
  options: SaveModelOptions = {},
  { architecture, parts }: ModelContent = {},
): Promise<void> {
  expectKnownOptions('savePretrained', options, SAVE_OPTIONS);
  const folders = typeof source === 'string' ? sameFolder(source) : source;
  await using weights = await openWholeWeights(folders);
  const own = [...weights.tensors.values()].filter(({ name }) => isPart(name, parts));
  await saveCheckpoint(
    target,
    own.map((tensor) => storedTensorSource(tensor)),
    options,
  );
  await writeConfig(target, configJson(config, options.dtype ?? torchDtype(own), architecture));
  await saveCompanions(folders, target);
}

const IMAGE_SETTINGS = 'preprocessor_config.json';

/** Copies the files of the processor, with the image settings of the vision encoder's source. */
export async function saveCompanions(
  { processor, images }: Pick<ModelFolders, 'processor' | 'images'>,
  target: string,
): Promise<void> {
  const isSplit = images !== processor;
  for (const name of COMPANIONS) {
    if (isSplit && name === IMAGE_SETTINGS) continue;
    if (!existsSync(join(processor, name)) || join(processor, name) === join(target, name)) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await copyFile(join(processor, name), join(target, name));
  }
  if (isSplit) await saveImageSettings(images, target);
}

function isPart(name: string, parts: readonly string[] | undefined): boolean {
  return !parts || parts.some((part) => name === part || name.startsWith(`${part}.`));
}
