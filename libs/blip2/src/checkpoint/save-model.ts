import { saveCheckpoint, type SaveOptions, storedTensorSource } from '@blip2/checkpoint';
import { writeConfig } from '@blip2/config';
import { expectKnownOptions } from '@blip2/interfaces';
import { SAVE_OPTIONS, torchDtype } from '@blip2/part';

import { copyCompanions } from './companion-files.ts';
import { configJson, type ModelConfig } from './model-config.ts';
import { type ModelFolders, sameFolder } from './model-sources.ts';
import { openWholeWeights } from './whole-weights.ts';

/**
 * How weights are written: `dtype`, their stored type (default: unchanged), and `maxShardBytes`, the maximum size of a
 * file in bytes (default: 5 GB).
 */
export type SaveModelOptions = SaveOptions;

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
  await copyCompanions(folders, target);
}

function isPart(name: string, parts: readonly string[] | undefined): boolean {
  return !parts || parts.some((part) => name === part || name.startsWith(`${part}.`));
}
