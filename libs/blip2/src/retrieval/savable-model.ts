import type { Blip2Config } from '@blip2/config';

import type { AdapterSelection } from '../adapters/named-adapters.ts';
import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { RetrievalContent } from './retrieval-content.ts';

/** What the retrieval models have in common. */
export interface SavableModel extends AsyncDisposable {
  /** The configuration of the checkpoint, with defaults filled in. */
  readonly config: Blip2Config;
  /**
   * Writes the weights of this model, its configuration, tokenizer and image processor in the Hugging Face layout, for
   * HF to load.
   * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Applies other adapters; see `CheckpointParts.setAdapters`. */
  setAdapters(names: AdapterSelection): Promise<void>;
  /** Disposes of all parts; later calls fail with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** The common members of a model with some of the parts of a checkpoint. */
export function createSavableModel(parts: CheckpointParts, content: RetrievalContent): SavableModel {
  const { config, folders } = parts;
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config,
    setAdapters: parts.setAdapters,
    savePretrained: (target, options) =>
      saveModel(folders, config, target, options, { ...content, adapters: parts.adapters?.allFolders() ?? [] }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
