/**
 * The image encoder DINOv2 (arXiv 2304.07193): layer scales, and a gated feed-forward in its largest size.
 * HF class `Dinov2Model`; checkpoint path `dinov2` in models with a head.
 */
import { Dinov2Config } from '@blip2/config';
import { firstPosition } from '@blip2/onnx';
import { type InitializeTensor, type Part, type PartWeights, transformerInitializer } from '@blip2/part';

import { withPoolerOutput } from '../create-vision-encoder.ts';
import type { FeatureLayerOptions } from '../feature-layer.ts';
import { bertProjections, classTokenEmbeddings } from '../transformer/block-names.ts';
import { defineVisionTransformer } from '../transformer/define-vision-transformer.ts';
import type { VisionTransformerLayout } from '../transformer/vision-transformer-layout.ts';
import type { PooledVisionEncoder, VisionFamily } from '../vision-family.ts';

/**
 * DINOv2's image encoder: the seam, and the full forward of HF `Dinov2Model`. `lastHiddenState` is after the final
 * norm; `poolerOutput` is its class position.
 *
 * As in HF, images of any size are accepted: position embeddings are interpolated. The stock checkpoints have an
 * `imageSize` of 518, and image processors that crop to 224.
 */
export type Dinov2VisionEncoder = PooledVisionEncoder<Dinov2Config>;

export const LAYOUT: VisionTransformerLayout<Dinov2Config> = {
  name: 'dinov2',
  hasClassPosition: true,
  acceptsAnySize: true,
  layers: 'encoder.layer',
  finalNorm: 'layernorm',
  embeddings: classTokenEmbeddings,
  block: ({ qkvBias, useSwigluFfn }) => ({
    attention: bertProjections(qkvBias),
    norms: ['norm1', 'norm2'],
    layerScales: ['layer_scale1.lambda1', 'layer_scale2.lambda1'],
    ...(useSwigluFfn && { feedForward: { gated: ['mlp.weights_in', 'mlp.weights_out'] } }),
  }),
  pooler: {
    width: ({ hiddenSize }) => hiddenSize,
    exists: () => true,
    pool: firstPosition,
  },
};

export const Dinov2VisionEncoder: Part<Dinov2Config, Dinov2VisionEncoder, PartWeights, FeatureLayerOptions> =
  defineVisionTransformer({
    layout: LAYOUT,
    config: Dinov2Config,
    path: 'dinov2',
    architectures: { dinov2: 'Dinov2Model' },
    initializer: dinov2Initializer,
    readOutputs: withPoolerOutput,
  });

export const dinov2VisionFamily: VisionFamily<Dinov2Config> = { part: Dinov2VisionEncoder, acceptsAnySize: true };

/** `_init_weights` of HF `Dinov2Model`: the usual one, and a constant for the layer scales. */
function dinov2Initializer({ initializerRange, layerscaleValue }: Dinov2Config): InitializeTensor {
  const usual = transformerInitializer(initializerRange);
  return (name, shape) =>
    name.endsWith('.lambda1') ? { kind: 'normal', std: 0, mean: layerscaleValue } : usual(name, shape);
}
