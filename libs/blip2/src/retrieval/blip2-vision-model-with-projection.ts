import type { Blip2Config } from '@blip2/config';
import type { Attentions, HiddenStates, PatchFeatures } from '@blip2/interfaces';
import type { Blip2QFormerModel, RetrievalEmbeds, RetrievalProjection } from '@blip2/qformer';
import type { Blip2VisionModel, VisionForwardInputs, VisionForwardOptions } from '@blip2/vision';

import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { RandomOptions } from '../parts/random-parts.ts';
import { openRandomRetrieval, openRetrieval } from './open-retrieval.ts';
import { VISION_MODEL_CONTENT } from './retrieval-content.ts';

/** Images in the space of comparison. */
export interface VisionProjectionOutput {
  /** Every query projected and of length 1, `[images, queries, size]`. */
  readonly imageEmbeds: RetrievalEmbeds;
  /** States of the **vision encoder**, as in the reference, `[images, patches, visionHidden]`. */
  readonly lastHiddenState: PatchFeatures;
  /** Of the vision encoder: embeddings, then the result of each layer, `[images, 1 + patches, visionHidden]`. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Of each of its layers, `[images, heads, 1 + patches, 1 + patches]`. */
  readonly attentions?: readonly Attentions[];
}

/** The image half of a retrieval model (`Blip2VisionModelWithProjection` of the reference). */
export interface Blip2VisionModelWithProjection extends AsyncDisposable {
  /** As it was read, defaults filled in. */
  readonly config: Blip2Config;
  /** Pixels `[images, 3, height, width]` → `[images, 1 + patches, visionHidden]`. */
  readonly visionModel: Blip2VisionModel;
  /** Patches → queries `[images, queries, hidden]`. */
  readonly qformer: Blip2QFormerModel;
  /** Queries → vectors of length 1, `[images, queries, size]`. */
  readonly visionProjection: RetrievalProjection;
  /**
   * Images `[images, 3, height, width]` to projected queries. @throws Blip2Error `SHAPE_MISMATCH` for images of another
   * size; `DISPOSED`.
   */
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<VisionProjectionOutput>;
  /**
   * Writes the parts of this model, its configuration and its image processor in the hub layout. @throws Blip2Error
   * `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2VisionModelWithProjection> {
  const { config, folder } = parts;
  const visionModel = await parts.vision();
  const qformer = await parts.qformer();
  const visionProjection = await parts.visionProjection();
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config,
    visionModel,
    qformer,
    visionProjection,
    async forward(
      inputs,
      { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions, ...options } = {},
    ) {
      const { lastHiddenState, hiddenStates, attentions } = await visionModel.forward(inputs, {
        ...options,
        outputHiddenStates,
        outputAttentions,
      });
      const imageEmbeds = await visionProjection.project(await qformer.query(lastHiddenState));
      return { imageEmbeds, lastHiddenState, ...(hiddenStates && { hiddenStates }), ...(attentions && { attentions }) };
    },
    savePretrained: (target, options) => saveModel(folder, config, target, options, VISION_MODEL_CONTENT),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2VisionModelWithProjection> {
  return openRetrieval(source, options, VISION_MODEL_CONTENT, assemble);
}

async function fromConfig(
  config: Blip2Config,
  options: RandomOptions & LoadOptions = {},
): Promise<Blip2VisionModelWithProjection> {
  return openRandomRetrieval(config, options, VISION_MODEL_CONTENT, assemble);
}

export const Blip2VisionModelWithProjection: {
  /**
   * Loads the image half from the folder or hub id of a whole retrieval model, or of itself. Weights are read when a
   * part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds; of a
   * hub id also `NOT_FOUND`,
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
