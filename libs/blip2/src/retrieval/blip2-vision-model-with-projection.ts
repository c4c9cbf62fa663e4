import type { Blip2Config } from '@blip2/config';
import type { PatchFeatures } from '@blip2/interfaces';
import type { Blip2QFormerModel, RetrievalEmbeds, RetrievalProjection } from '@blip2/qformer';
import type { CheckpointVisionEncoder, VisionForwardInputs, VisionForwardOptions } from '@blip2/vision';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import type { ModelLoader } from '../models/model-loader.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { expectImageInputs } from '../pipeline/image-inputs.ts';
import { type EncodedStates, encodeStates } from './encoded-states.ts';
import { VISION_MODEL_CONTENT } from './retrieval-content.ts';
import { createRetrievalLoader } from './retrieval-loader.ts';
import { createSavableModel, type SavableModel } from './savable-model.ts';

/**
 * Images in the embedding space shared with texts, and the states of the **vision encoder**, as in Hugging Face
 * Transformers: `[images, 1 + patches, visionHidden]`.
 */
export interface VisionProjectionOutput extends EncodedStates<PatchFeatures> {
  /** Unit vectors of all queries, `[images, queries, size]`. */
  readonly imageEmbeds: RetrievalEmbeds;
}

/** The image half of a retrieval model. Source: `Blip2VisionModelWithProjection` of Hugging Face Transformers. */
export interface Blip2VisionModelWithProjection extends SavableModel {
  /** Pixels `[images, 3, height, width]` → `[images, 1 + patches, visionHidden]`. */
  readonly visionModel: CheckpointVisionEncoder;
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
    forward: parts.queue.wrap(
      async (inputs: VisionForwardInputs, options: VisionForwardOptions = {}) => {
        const states = await encodeStates(config, options, (requested) =>
          visionModel.forward(inputs, { ...options, ...requested }),
        );
        const imageEmbeds = await visionProjection.project(await qformer.query(states.lastHiddenState));
        return { imageEmbeds, ...states };
      },
      (inputs) => expectImageInputs('forward', inputs, ['pixelValues']),
    ),
  };
}

export const Blip2VisionModelWithProjection: ModelLoader<
  string | ModelSources,
  Blip2Config,
  Blip2VisionModelWithProjection
> = createRetrievalLoader(VISION_MODEL_CONTENT, assemble);
