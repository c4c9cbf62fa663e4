import type { Blip2Config } from '@blip2/config';
import type { Attentions, HiddenStates, QueryFeatures } from '@blip2/interfaces';
import type { QFormerTextInputs, RetrievalEmbeds, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';

import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { RandomOptions } from '../parts/random-parts.ts';
import { openRandomRetrieval, openRetrieval } from './open-retrieval.ts';
import { TEXT_MODEL_CONTENT } from './retrieval-content.ts';

/** What is given beside the projection. Defaults: the configuration. */
export interface TextProjectionOptions {
  /** States of every layer. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer. */
  readonly outputAttentions?: boolean;
}

/** Texts in the space of comparison. */
export interface TextProjectionOutput {
  /** Every position projected and of length 1, `[texts, sequence, size]`; position 0 stands for the text. */
  readonly textEmbeds: RetrievalEmbeds;
  /** States of the Q-Former, `[texts, sequence, hidden]`. */
  readonly lastHiddenState: QueryFeatures;
  /** Embeddings, then the result of each layer, `[texts, sequence, hidden]`. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Of each layer, `[texts, heads, sequence, sequence]`. */
  readonly attentions?: readonly Attentions[];
}

/** The text half of a retrieval model (`Blip2TextModelWithProjection` of the reference). */
export interface Blip2TextModelWithProjection extends AsyncDisposable {
  /** As it was read, defaults filled in. */
  readonly config: Blip2Config;
  /** Text → states `[texts, sequence, hidden]`. */
  readonly qformer: TextConditionedQFormer;
  /** States → vectors of length 1, `[texts, sequence, size]`. */
  readonly textProjection: RetrievalProjection;
  /**
   * Ids `[texts, sequence]`, padded on the right, to projected states. @throws Blip2Error `SEQUENCE_TOO_LONG`,
   * `INVALID_ARGUMENT` for impossible ids; `SHAPE_MISMATCH`; `DISPOSED`.
   */
  forward(inputs: QFormerTextInputs, options?: TextProjectionOptions): Promise<TextProjectionOutput>;
  /**
   * Writes the parts of this model, its configuration and its tokenizer in the hub layout. @throws Blip2Error
   * `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2TextModelWithProjection> {
  const { config, folder } = parts;
  const qformer = await parts.textQFormer();
  const textProjection = await parts.textProjection();
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config,
    qformer,
    textProjection,
    async forward(
      inputs,
      { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = {},
    ) {
      const { lastHiddenState, hiddenStates, attentions } = await qformer.read(inputs, {
        outputHiddenStates,
        outputAttentions,
      });
      return {
        textEmbeds: await textProjection.project(lastHiddenState),
        lastHiddenState,
        ...(hiddenStates && { hiddenStates }),
        ...(attentions && { attentions }),
      };
    },
    savePretrained: (target, options) => saveModel(folder, config, target, options, TEXT_MODEL_CONTENT),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2TextModelWithProjection> {
  return openRetrieval(source, options, TEXT_MODEL_CONTENT, assemble);
}

async function fromConfig(
  config: Blip2Config,
  options: RandomOptions & LoadOptions = {},
): Promise<Blip2TextModelWithProjection> {
  return openRandomRetrieval(config, options, TEXT_MODEL_CONTENT, assemble);
}

export const Blip2TextModelWithProjection: {
  /**
   * Loads the text half from the folder or hub id of a whole retrieval model, or of itself. Weights are read when a
   * part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds (also
   * if its Q-Former reads no text); of a hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /**
   * A model with random weights, in a temporary file that goes away with it.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
   * `WRITE_FAILED`.
   */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
