/**
 * The vision transformer of arXiv 2010.11929, with a dense pooler of its class position.
 * HF class `ViTModel`; checkpoint path `vit` in models with a head, which have no pooler.
 */
import { VitConfig } from '@blip2/config';
import { activation, firstPosition, linear } from '@blip2/onnx';
import { type Part, type PartWeights, transformerInitializer } from '@blip2/part';

import { withOptionalPooler } from '../create-vision-encoder.ts';
import type { FeatureLayerOptions } from '../feature-layer.ts';
import { bertProjections, classTokenEmbeddings } from '../transformer/block-names.ts';
import { defineVisionTransformer } from '../transformer/define-vision-transformer.ts';
import type { VisionTransformerLayout } from '../transformer/vision-transformer-layout.ts';
import type { OptionallyPooledVisionEncoder, VisionFamily } from '../vision-family.ts';

/**
 * A ViT: the seam, and the full forward of HF `ViTModel`. `lastHiddenState` is after the final norm; `poolerOutput`
 * exists if the checkpoint has the pooler, which classifiers do not have.
 *
 * `forward` throws `SHAPE_MISMATCH` for images of another size unless position embeddings are interpolated.
 */
export type VitEncoder = OptionallyPooledVisionEncoder<VitConfig>;

const POOLER = 'pooler.dense';

export const LAYOUT: VisionTransformerLayout<VitConfig> = {
  name: 'vit',
  hasClassPosition: true,
  layers: 'encoder.layer',
  finalNorm: 'layernorm',
  embeddings: classTokenEmbeddings,
  block: ({ qkvBias }) => ({
    attention: bertProjections(qkvBias),
    norms: ['layernorm_before', 'layernorm_after'],
    feedForward: { plain: ['intermediate.dense', 'output.dense'] },
  }),
  pooler: {
    width: ({ poolerOutputSize }) => poolerOutputSize,
    exists: (_, has) => has(`${POOLER}.weight`),
    pool(g, states, root, { hiddenSize: inFeatures, poolerOutputSize: outFeatures, poolerAct }) {
      const dense = linear(g, firstPosition(g, states), root.at(POOLER), { inFeatures, outFeatures, bias: true });
      return activation(g, dense, poolerAct);
    },
  },
};

export const VitEncoder: Part<VitConfig, VitEncoder, PartWeights, FeatureLayerOptions> = defineVisionTransformer({
  layout: LAYOUT,
  config: VitConfig,
  path: 'vit',
  architectures: { vit: 'ViTModel' },
  initializer: ({ initializerRange }) => transformerInitializer(initializerRange),
  readOutputs: withOptionalPooler,
});

export const vitFamily: VisionFamily<VitConfig> = { part: VitEncoder, optionalTensors: [`${POOLER}.`] };
