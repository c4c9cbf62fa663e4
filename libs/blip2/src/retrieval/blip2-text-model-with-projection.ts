import type { Blip2Config } from '@blip2/config';
import { type Attentions, defined, type HiddenStates, type QueryFeatures } from '@blip2/interfaces';
import type { QFormerTextInputs, RetrievalEmbeds, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';

import type { ModelLoader } from '../models/model-loader.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { TEXT_MODEL_CONTENT } from './retrieval-content.ts';
import { createRetrievalLoader } from './retrieval-loader.ts';
import { createSavableModel, type SavableModel } from './savable-model.ts';

/** Requested outputs besides the projection. They default to the configuration. */
export interface TextProjectionOptions {
  /** Hidden states of every layer. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer. */
  readonly outputAttentions?: boolean;
}

/** Texts in the embedding space shared with images. */
export interface TextProjectionOutput {
  /** Unit vectors of all positions, `[texts, sequence, size]`; position 0 represents the text. */
  readonly textEmbeds: RetrievalEmbeds;
  /** Hidden states of the Q-Former, `[texts, sequence, hidden]`. */
  readonly lastHiddenState: QueryFeatures;
  /** Embeddings, then the output of each layer, `[texts, sequence, hidden]`. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Of each layer, `[texts, heads, sequence, sequence]`. */
  readonly attentions?: readonly Attentions[];
}

/** The text half of a retrieval model. Source: `Blip2TextModelWithProjection` of Hugging Face Transformers. */
export interface Blip2TextModelWithProjection extends SavableModel {
  /** Text → hidden states `[texts, sequence, hidden]`. */
  readonly qformer: TextConditionedQFormer;
  /** Hidden states → unit vectors `[texts, sequence, size]`. */
  readonly textProjection: RetrievalProjection;
  /**
   * Projects texts, as ids `[texts, sequence]` padded on the right.
   * @throws Blip2Error `INVALID_ARGUMENT` for ids beyond the vocabulary; `SEQUENCE_TOO_LONG`; `SHAPE_MISMATCH`;
   * `DISPOSED`.
   */
  forward(inputs: QFormerTextInputs, options?: TextProjectionOptions): Promise<TextProjectionOutput>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2TextModelWithProjection> {
  const { config } = parts;
  const qformer = await parts.textQFormer();
  const textProjection = await parts.textProjection();
  return {
    ...createSavableModel(parts, TEXT_MODEL_CONTENT),
    qformer,
    textProjection,
    async forward(inputs, options = {}) {
      const { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = options;
      const outputs = await qformer.read(inputs, { outputHiddenStates, outputAttentions });
      const { lastHiddenState, hiddenStates, attentions } = outputs;
      const textEmbeds = await textProjection.project(lastHiddenState);
      return { textEmbeds, lastHiddenState, ...defined({ hiddenStates, attentions }) };
    },
  };
}

export const Blip2TextModelWithProjection: ModelLoader<string, Blip2Config, Blip2TextModelWithProjection> =
  createRetrievalLoader(TEXT_MODEL_CONTENT, assemble);
