import type { ModelConfig } from '../checkpoint/model-config.ts';
import { buildFrom } from '../lifetime/disposal-stack.ts';
import { buildUnchanged } from '../parts/build-unchanged.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { openRandomParts, type RandomOptions } from '../parts/random-parts.ts';

/** Loads a model from a checkpoint. */
export interface PretrainedLoader<Source, Model> {
  /**
   * Loads a checkpoint from a folder or by its Hugging Face Hub id. Whole BLIP-2 models also accept LAVIS parameter
   * names, and a source per part. Weights are loaded when a part is first used.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options.
   * @throws Blip2Error `MISSING_WEIGHT`, `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `INVALID_TOKENIZER`,
   * `UNSUPPORTED_ARCHITECTURE` for the contents of the source.
   * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED` for a Hub id.
   */
  readonly fromPretrained: (source: Source, options?: LoadOptions) => Promise<Model>;
}

/** Loads a model from a checkpoint, or creates one with random weights. */
export interface ModelLoader<Source, Config, Model> extends PretrainedLoader<Source, Model> {
  /**
   * Creates a model with random weights, in a temporary file that is removed with the model.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
   * `WRITE_FAILED`.
   */
  readonly fromConfig: (config: Config, options?: RandomOptions & LoadOptions) => Promise<Model>;
}

/** The loader of a model that `assemble` builds from the parts of a checkpoint. */
export function createModelLoader<Source, C extends ModelConfig, Model>(
  open: (source: Source, options: LoadOptions) => Promise<CheckpointParts<C>>,
  assemble: (parts: CheckpointParts<C>) => Promise<Model>,
): ModelLoader<Source, C, Model> {
  return {
    fromPretrained: async (source, options = {}) => buildUnchanged(await open(source, options), assemble),
    fromConfig: async (config, options = {}) => buildFrom(await openRandomParts(config, options), assemble),
  };
}
