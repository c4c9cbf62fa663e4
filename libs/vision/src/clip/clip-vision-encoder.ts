import { ClipVisionConfig } from '@blip2/config';
import { definePart, type InitializeTensor, type Part, type PartContext, type PartWeights } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import { encoderLifecycle, type VisionArchitecture, withPoolerOutput } from '../create-vision-encoder.ts';
import { type FeatureLayerOptions, layersOf } from '../feature-layer.ts';
import { SENSITIVE_VISION_LAYERS } from '../sensitive-vision-layers.ts';
import type { PooledVisionEncoder, VisionFamily } from '../vision-family.ts';
import {
  buildClipVisionModel,
  type ClipVisionRequest,
  clipVisionSizes,
  clipVisionTensors,
  wholeClipRequest,
} from './clip-vision-graph.ts';

export interface ClipVisionOptions extends PartOptions, FeatureLayerOptions {}

/**
 * CLIP's image encoder without its projection: the seam, and the full forward of HF `CLIPVisionModel`.
 * `lastHiddenState` and the last of `hiddenStates` are before the final norm; `poolerOutput` is the class position
 * after
 * it; the first of `hiddenStates` is after the norm of the embeddings.
 *
 * `forward` throws `SHAPE_MISMATCH` for images of another size unless position embeddings are interpolated.
 */
export type ClipVisionEncoder = PooledVisionEncoder<ClipVisionConfig>;

/** Path of the tensors in the checkpoint of a full CLIP model, and in that of the encoder alone. */
const PATH = 'vision_model';

export const ClipVisionEncoder: Part<ClipVisionConfig, ClipVisionEncoder, PartWeights, FeatureLayerOptions> =
  definePart({
    label: 'vision encoder',
    path: PATH,
    savedPath: PATH,
    ownOptions: ['featureLayer'],
    architectures: { clip_vision_model: 'CLIPVisionModel' },
    config: ClipVisionConfig,
    tensors: clipVisionTensors,
    initializer: clipInitializer,
    plan: {
      graphs: (config, weights, prefix) => void buildClipVisionModel(config, weights, prefix, wholeClipRequest(config)),
      sensitive: SENSITIVE_VISION_LAYERS,
    },
    ...encoderLifecycle(architecture),
  });

function architecture({
  config,
  weights: { prefix },
  options,
}: PartContext<ClipVisionConfig, PartWeights, FeatureLayerOptions>): VisionArchitecture<ClipVisionRequest> {
  const layers = layersOf(options, config) ?? config.numHiddenLayers;
  return {
    sizes: clipVisionSizes(config),
    layers: config.numHiddenLayers,
    outputDefaults: config,
    encodeRequest: (request) => ({ ...request, layers, pooled: false }),
    forwardRequest: (request) => ({ ...wholeClipRequest(config), ...request }),
    build: (request, store) => buildClipVisionModel(config, store, prefix, request),
    readOutputs: withPoolerOutput,
  };
}

export const clipVisionFamily: VisionFamily<ClipVisionConfig> = { part: ClipVisionEncoder };

/** Creates an encoder from its configuration and weights. Nothing is loaded before its first use. */
export function createClipVisionEncoder(
  config: ClipVisionConfig,
  weights: PartWeights,
  options?: ClipVisionOptions,
): ClipVisionEncoder {
  return ClipVisionEncoder.create(config, weights, options);
}

/** `_init_weights` of HF `CLIPVisionModel`: attention and feed-forward by width and depth, norms one, biases zero. */
function clipInitializer({
  hiddenSize,
  numHiddenLayers,
  initializerRange,
  initializerFactor: factor,
}: ClipVisionConfig): InitializeTensor {
  const width = hiddenSize ** -0.5;
  const deep = width * (2 * numHiddenLayers) ** -0.5;
  const deviations: readonly (readonly [ending: RegExp, std: number])[] = [
    [/class_embedding$/, width],
    [/out_proj\.weight$/, width],
    [/_proj\.weight$/, deep],
    [/fc1\.weight$/, (2 * hiddenSize) ** -0.5],
    [/fc2\.weight$/, deep],
  ];
  return (name) => {
    if (/norm[^.]*\.weight$/.test(name)) return { kind: 'ones' };
    if (name.endsWith('.bias')) return { kind: 'zeros' };
    const deviation = deviations.find(([ending]) => ending.test(name))?.[1] ?? initializerRange;
    return { kind: 'normal', std: factor * deviation };
  };
}
