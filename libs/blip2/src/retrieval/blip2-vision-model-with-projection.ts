import type { Blip2Config } from '@blip2/config';
import { type Attentions, defined, type HiddenStates, type PatchFeatures } from '@blip2/interfaces';
import type { Blip2QFormerModel, RetrievalEmbeds, RetrievalProjection } from '@blip2/qformer';
import type { Blip2VisionModel, VisionForwardInputs, VisionForwardOptions } from '@blip2/vision';

import type { ModelLoader } from '../models/model-loader.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { VISION_MODEL_CONTENT } from './retrieval-content.ts';
import { createRetrievalLoader } from './retrieval-loader.ts';
import { createSavableModel, type SavableModel } from './savable-model.ts';

/** Images in the embedding space shared with texts. */
export interface VisionProjectionOutput {
  /** Unit vectors of all queries, `[images, queries, size]`. */
  readonly imageEmbeds: RetrievalEmbeds;
  /** Hidden states of the **vision encoder**, as in Hugging Face Transformers, `[images, patches, visionHidden]`. */
  readonly lastHiddenState: PatchFeatures;
  /** Of the vision encoder: embeddings, then the output of each layer, `[images, 1 + patches, visionHidden]`. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Of each of its layers, `[images, heads, 1 + patches, 1 + patches]`. */
  readonly attentions?: readonly Attentions[];
}

/** The image half of a retrieval model. Source: `Blip2VisionModelWithProjection` of Hugging Face Transformers. */
export interface Blip2VisionModelWithProjection extends SavableModel {
  /** Pixels `[images, 3, height, width]` → `[images, 1 + patches, visionHidden]`. */
  readonly visionModel: Blip2VisionModel;
  /** Patches → query outputs `[images, queries, hidden]`. */
  readonly qformer: Blip2QFormerModel;
  /** Query outputs → unit vectors `[images, queries, size]`. */
  readonly visionProjection: RetrievalProjection;
  /**
   * Projects images `[images, 3, height, width]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `DISPOSED`.
   */
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<VisionProjectionOutput>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2VisionModelWithProjection> {
  const { config } = parts;
  const visionModel = await parts.vision();
  const qformer = await parts.qformer();
  const visionProjection = await parts.visionProjection();
  return {
    ...createSavableModel(parts, VISION_MODEL_CONTENT),
    visionModel,
    qformer,
    visionProjection,
    async forward(inputs, requested = {}) {
      const { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = requested;
      const outputs = await visionModel.forward(inputs, { ...requested, outputHiddenStates, outputAttentions });
      const { lastHiddenState, hiddenStates, attentions } = outputs;
      const imageEmbeds = await visionProjection.project(await qformer.query(lastHiddenState));
      return { imageEmbeds, lastHiddenState, ...defined({ hiddenStates, attentions }) };
    },
  };
}

export const Blip2VisionModelWithProjection: ModelLoader<string, Blip2Config, Blip2VisionModelWithProjection> =
  createRetrievalLoader(VISION_MODEL_CONTENT, assemble);
