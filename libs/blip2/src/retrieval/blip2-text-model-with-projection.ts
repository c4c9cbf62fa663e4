import type { Blip2Config } from '@blip2/config';
import { expectInputs, type QueryFeatures } from '@blip2/interfaces';
import { expectForwardOptions } from '@blip2/part';
import type { QFormerTextInputs, RetrievalEmbeds, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import type { ModelLoader } from '../models/model-loader.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { type EncodedStates, encodeStates } from './encoded-states.ts';
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

/** Texts in the embedding space shared with images, and the hidden states of the Q-Former. */
export interface TextProjectionOutput extends EncodedStates<QueryFeatures> {
  /** Unit vectors of all positions, `[texts, sequence, size]`; position 0 represents the text. */
  readonly textEmbeds: RetrievalEmbeds;
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
    forward: parts.queue.wrap(
      async (inputs: QFormerTextInputs, options: TextProjectionOptions = {}) => {
        const states = await encodeStates(config, options, (requested) => qformer.read(inputs, requested));
        return { textEmbeds: await textProjection.project(states.lastHiddenState), ...states };
      },
      (inputs, options = {}) => {
        expectInputs('forward', inputs, ['inputIds', 'attentionMask', 'positionIds']);
        expectForwardOptions('forward', options, ['outputHiddenStates', 'outputAttentions']);
      },
    ),
  };
}

export const Blip2TextModelWithProjection: ModelLoader<
  string | ModelSources,
  Blip2Config,
  Blip2TextModelWithProjection
> = createRetrievalLoader(TEXT_MODEL_CONTENT, assemble);
