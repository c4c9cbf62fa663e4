import { Blip2VisionConfig } from '@blip2/config';
import { defined } from '@blip2/interfaces';
import type { LoadPartOptions } from '@blip2/part';
import {
  definePart,
  openPartWeights,
  overlayPartWeights,
  type Part,
  type PartContext,
  type PartWeights,
  transformerInitializer,
} from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import { encoderLifecycle, type VisionArchitecture, withPoolerOutput } from '../create-vision-encoder.ts';
import { type FeatureLayerOptions, layersOf } from '../feature-layer.ts';
import { SENSITIVE_VISION_LAYERS } from '../sensitive-vision-layers.ts';
import type { PooledVisionEncoder, VisionFamily } from '../vision-family.ts';
import { FINAL_STATES } from '../vision-request.ts';
import { type Blip2VisionRequest, blip2VisionSizes, buildVisionModel, visionTensors } from './blip2-vision-graph.ts';

/**
 * BLIP-2's image encoder: the seam, and the full forward of HF `Blip2VisionModel`. `lastHiddenState` is after the final
 * norm; `poolerOutput` is its class position after the same norm once more, as in HF.
 *
 * `forward` throws `SHAPE_MISMATCH` for images of another size unless position embeddings are interpolated.
 */
export type Blip2VisionModel = PooledVisionEncoder<Blip2VisionConfig>;

export interface VisionOptions extends FeatureLayerOptions {
  /**
   * Folder of a checkpoint whose final norm replaces that of the encoder: LAVIS trains this norm, and nothing else of
   * the encoder, together with the Q-Former.
   */
  readonly finalNorm?: string;
}

export interface LoadVisionOptions extends LoadPartOptions, VisionOptions {}

const PATH = 'vision_model';
const FINAL_NORM = 'post_layernorm.';

export const Blip2VisionModel: Part<Blip2VisionConfig, Blip2VisionModel, PartWeights, VisionOptions> = definePart({
  label: 'vision encoder',
  path: PATH,
  ownOptions: ['finalNorm', 'featureLayer'],
  architectures: { blip_2_vision_model: 'Blip2VisionModel', instructblip_vision_model: 'InstructBlipVisionModel' },
  config: Blip2VisionConfig,
  tensors: visionTensors,
  initializer: ({ initializerRange }) => transformerInitializer(initializerRange),
  plan: {
    graphs: (config, weights, prefix) => void buildVisionModel(config, weights, prefix, FINAL_STATES),
    sensitive: SENSITIVE_VISION_LAYERS,
  },
  extend: async (weights, _, { finalNorm }: VisionOptions) =>
    finalNorm === undefined
      ? weights
      : overlayPartWeights(weights, await openPartWeights(finalNorm, PATH), (name) => name.startsWith(FINAL_NORM)),
  ...encoderLifecycle(architecture),
});

function architecture({
  config,
  weights: { prefix },
  options,
}: PartContext<Blip2VisionConfig, PartWeights, VisionOptions>): VisionArchitecture<Blip2VisionRequest> {
  const featured = defined({ layers: layersOf(options, config) });
  return {
    sizes: blip2VisionSizes(config),
    layers: config.numHiddenLayers,
    outputDefaults: config,
    encodeRequest: (request) => ({ ...request, ...featured }),
    forwardRequest: (request) => request,
    build: (request, store) => buildVisionModel(config, store, prefix, request),
    readOutputs: withPoolerOutput,
  };
}

export const blip2VisionFamily: VisionFamily<Blip2VisionConfig> = { part: Blip2VisionModel };

/** Creates an encoder from its configuration and weights. Nothing is loaded before its first use. */
export function createBlip2VisionModel(
  config: Blip2VisionConfig,
  weights: PartWeights,
  options?: PartOptions,
): Blip2VisionModel {
  return Blip2VisionModel.create(config, weights, options);
}
