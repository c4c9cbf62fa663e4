import { mergedTensorSource, saveCheckpoint, type SaveOptions, type TensorSource } from '@blip2/checkpoint';
import { writeConfig } from '@blip2/config';
import { expectKnownOptions } from '@blip2/interfaces';
import { expectSavable, readAdapter, SAVE_OPTIONS, torchDtype } from '@blip2/part';

import { adaptWhole } from '../adapters/whole-adapters.ts';
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
  /** Tensors that are written instead of those of the same name, or in addition. Default: none. */
  readonly replaced?: readonly TensorSource[];
}

/**
 * Copies a model into the Hugging Face layout, from any parameter names and any number of folders, optionally with
 * another stored type or other shards. The weights are streamed, merged with the adapters in the folders `adapters`.
 * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`.
 */
export async function saveModel(
  source: string | ModelFolders,
  config: ModelConfig,
  target: string,
  options: SaveModelOptions = {},
  { architecture, parts, replaced = [], adapters = [] }: ModelContent & { readonly adapters?: readonly string[] } = {},
): Promise<void> {
  expectKnownOptions('savePretrained', options, SAVE_OPTIONS);
  const folders = typeof source === 'string' ? sameFolder(source) : source;
  await using weights = await openWholeWeights(folders);
  const merged = adaptWhole(weights.tensors, folders.qformer, config, await Promise.all(adapters.map(readAdapter)));
  expectSavable(merged);
  const replacedNames = new Set(replaced.map(({ name }) => name));
  const own = [...merged.tensors.values()]
    .filter(({ name }) => isPart(name, parts) && !replacedNames.has(name))
    .map((tensor) =>
      mergedTensorSource(tensor, {
        name: tensor.name,
        dtype: merged.base.get(tensor.name)?.dtype ?? tensor.dtype,
        changes: merged.changes.get(tensor.name) ?? [],
      }),
    );
  await saveCheckpoint(target, [...own, ...replaced], options);
  await writeConfig(target, configJson(config, options.dtype ?? torchDtype(own), architecture));
  await copyCompanions(folders, target);
}

function isPart(name: string, parts: readonly string[] | undefined): boolean {
  return !parts || parts.some((part) => name === part || name.startsWith(`${part}.`));
}
