import type { ConfigFormat } from '@blip2/config';
import { defined } from '@blip2/interfaces';
import { storeFinder, type WeightFinder } from '@blip2/onnx';
import {
  definePart,
  type InitializeTensor,
  type Part,
  type PartContext,
  type PartWeights,
  type StandalonePart,
} from '@blip2/part';

import {
  encoderLifecycle,
  type EncoderMembers,
  type VisionArchitecture,
  type VisionStates,
} from '../create-vision-encoder.ts';
import { type FeatureLayerOptions, layersOf } from '../feature-layer.ts';
import { SENSITIVE_VISION_LAYERS } from '../sensitive-vision-layers.ts';
import { PATH_IN_BLIP2 } from '../vision-path.ts';
import { FINAL_STATES } from '../vision-request.ts';
import {
  buildVisionTransformer,
  type VisionTransformerRequest,
  visionTransformerSizes,
  visionTransformerTensors,
} from './vision-transformer-graph.ts';
import type { VisionTransformerConfig, VisionTransformerLayout } from './vision-transformer-layout.ts';

/** What a family of pre-norm vision transformers declares. */
export interface VisionTransformerDefinition<C extends VisionTransformerConfig, Output extends VisionStates> {
  readonly layout: VisionTransformerLayout<C>;
  readonly config: ConfigFormat<C>;
  /** Path of the tensors in the checkpoint of a full model. */
  readonly path: string;
  /** Path of the tensors in a checkpoint of the encoder alone. Default: its root. */
  readonly savedPath?: string;
  /** HF class of the encoder, by `model_type`. */
  readonly architectures: Readonly<Record<C['modelType'], string>>;
  readonly initializer: (config: C) => InitializeTensor;
  /** The outputs of `forward`: `withPoolerOutput`, or `withOptionalPooler` if a checkpoint may lack the pooler. */
  readonly readOutputs: VisionArchitecture<VisionTransformerRequest, Output>['readOutputs'];
}

/** Defines the part of a family of pre-norm vision transformers. */
export function defineVisionTransformer<C extends VisionTransformerConfig, Output extends VisionStates>({
  layout,
  config: format,
  readOutputs,
  ...definition
}: VisionTransformerDefinition<C, Output>): Part<
  C,
  EncoderMembers<Output> & StandalonePart<C>,
  PartWeights,
  FeatureLayerOptions
> {
  const isPooled = (config: C, { has }: Pick<WeightFinder, 'has'>, prefix: string): boolean =>
    layout.pooler.exists(config, (name) => has(prefix === '' ? name : `${prefix}.${name}`));
  const architecture = ({
    config,
    weights: { store, prefix },
    options,
  }: PartContext<C, PartWeights, FeatureLayerOptions>): VisionArchitecture<VisionTransformerRequest, Output> => {
    const featured = defined({ layers: layersOf(options, config) });
    const pooled = isPooled(config, storeFinder(store), prefix);
    return {
      sizes: visionTransformerSizes(config, layout),
      layers: config.numHiddenLayers,
      acceptsAnySize: layout.acceptsAnySize,
      outputDefaults: config,
      encodeRequest: (request) => ({ ...request, ...featured, pooled: false }),
      forwardRequest: (request) => ({ ...request, pooled }),
      build: (request, source) => buildVisionTransformer(config, layout, source, prefix, request),
      readOutputs,
    };
  };
  return definePart<C, EncoderMembers<Output>, PartWeights, FeatureLayerOptions>({
    ...definition,
    label: 'vision encoder',
    ownOptions: ['featureLayer'],
    pathInBlip2: PATH_IN_BLIP2,
    config: format,
    tensors: (config, prefix) => visionTransformerTensors(config, layout, prefix),
    plan: {
      graphs(config, weights, prefix) {
        const request = { ...FINAL_STATES, pooled: isPooled(config, weights, prefix) };
        buildVisionTransformer(config, layout, weights, prefix, request);
      },
      sensitive: SENSITIVE_VISION_LAYERS,
    },
    ...encoderLifecycle(architecture),
  });
}
