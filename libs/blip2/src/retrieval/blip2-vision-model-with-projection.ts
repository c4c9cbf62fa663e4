import type { Blip2Config } from '@blip2/config';
import type { Attentions, HiddenStates, PatchFeatures } from '@blip2/interfaces';
import type { Blip2QFormerModel, RetrievalEmbeds, RetrievalProjection } from '@blip2/qformer';
import type { Blip2VisionModel, VisionForwardInputs, VisionForwardOptions } from '@blip2/vision';
import type { CheckpointParts } from '../checkpoint-parts.ts';
import type { LoadOptions } from '../load-options.ts';
import type { RandomOptions } from '../random-parts.ts';
import { saveModel, type SaveModelOptions } from '../save-model.ts';
import { openRandomRetrieval, openRetrieval } from './open-retrieval.ts';
import { visionModelContent } from './retrieval-content.ts';

export interface VisionProjectionOutput {
  /** Every query projected and of length 1, `[images, queries, size]`. */
  readonly imageEmbeds: RetrievalEmbeds;
  /** States of the **vision encoder**, as in the reference, `[images, patches, visionHidden]`. */
  readonly lastHiddenState: PatchFeatures;
  readonly hiddenStates?: readonly HiddenStates[];
  readonly attentions?: readonly Attentions[];
}

/** The picture half of a retrieval model (`Blip2VisionModelWithProjection` of the reference). */
export interface Blip2VisionModelWithProjection extends AsyncDisposable {
  readonly config: Blip2Config;
  readonly visionModel: Blip2VisionModel;
  readonly qformer: Blip2QFormerModel;
  readonly visionProjection: RetrievalProjection;
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<VisionProjectionOutput>;
  /** Writes the parts of this model, its configuration and its image processor in the hub layout. */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  dispose(): Promise<void>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2VisionModelWithProjection> {
  const { config, folder } = parts;
  const visionModel = await parts.vision();
  const qformer = await parts.qformer();
  const visionProjection = await parts.visionProjection();
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config, visionModel, qformer, visionProjection,
    async forward(inputs, { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions, ...options } = {}) {
      const { lastHiddenState, hiddenStates, attentions } = await visionModel.forward(inputs, { ...options, outputHiddenStates, outputAttentions });
      const imageEmbeds = await visionProjection.project(await qformer.query(lastHiddenState));
      return { imageEmbeds, lastHiddenState, ...(hiddenStates && { hiddenStates }), ...(attentions && { attentions }) };
    },
    savePretrained: (target, options) => saveModel(folder, config, target, options, visionModelContent),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2VisionModelWithProjection> {
  return openRetrieval(source, options, visionModelContent, assemble);
}

async function fromConfig(config: Blip2Config, options: RandomOptions & LoadOptions = {}): Promise<Blip2VisionModelWithProjection> {
  return openRandomRetrieval(config, options, visionModelContent, assemble);
}

export const Blip2VisionModelWithProjection: {
  /** Loads the picture half from the folder of a whole retrieval model, or of itself. */
  readonly fromPretrained: typeof fromPretrained;
  /** Random weights, in a temporary file that goes away with the model. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
