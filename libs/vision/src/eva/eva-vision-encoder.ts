/**
 * The vision encoder of EVA-CLIP under timm's names (arXiv 2211.07636, 2303.15389): the ViT-g that BLIP-2's encoder is
 * a copy of, with biases of queries and values as tensors of their own. Class `Eva` of timm; checkpoint path
 * `visual.trunk` in models of open_clip.
 */
import { EvaVisionConfig } from '@blip2/config';
import { firstPosition, layerNorm, meanOf, slice } from '@blip2/onnx';
import { type Part, type PartWeights, transformerInitializer } from '@blip2/part';

import { withPoolerOutput } from '../create-vision-encoder.ts';
import type { FeatureLayerOptions } from '../feature-layer.ts';
import { defineVisionTransformer } from '../transformer/define-vision-transformer.ts';
import type { VisionTransformerLayout } from '../transformer/vision-transformer-layout.ts';
import type { PooledVisionEncoder, VisionFamily } from '../vision-family.ts';

/**
 * An EVA-CLIP encoder: the seam, and the full forward of timm's `Eva`. `lastHiddenState` is the result of
 * `forward_features`, and `poolerOutput` that of `forward_head(…, pre_logits=True)`: the class position, or the mean
 * over the patches. The head, which is a classifier or CLIP's projection, is not part of the encoder.
 *
 * `forward` throws `SHAPE_MISMATCH` for images of another size unless position embeddings are interpolated, with
 * antialiasing as in timm.
 */
export type EvaVisionEncoder = PooledVisionEncoder<EvaVisionConfig>;

/** timm's `_init_weights`, without its smaller weights in later blocks. */
const INITIALIZER_RANGE = 0.02;

export const LAYOUT: VisionTransformerLayout<EvaVisionConfig> = {
  name: 'eva',
  hasClassPosition: true,
  embeddingsPath: 'patch_embed',
  antialias: true,
  layers: 'blocks',
  finalNorm: 'norm',
  hasFinalNorm: ({ hasFinalNorm }) => hasFinalNorm,
  embeddings: (_, weights, positions, { hiddenSize, numChannels, patchSize }, root) => ({
    kernel: weights.get('proj.weight', [hiddenSize, numChannels, patchSize, patchSize]),
    bias: weights.get('proj.bias', [hiddenSize]),
    classEmbedding: root.get('cls_token', [1, 1, hiddenSize]),
    positions: root.get('pos_embed', [1, positions, hiddenSize]),
  }),
  block: ({ qkvBias, initValues }) => ({
    attention: {
      inputs: { fused: 'attn.qkv', biases: ['attn.q_bias', 'attn.v_bias'] },
      inputBias: qkvBias,
      output: 'attn.proj',
    },
    norms: ['norm1', 'norm2'],
    ...(initValues !== undefined && { layerScales: ['gamma_1', 'gamma_2'] as const }),
  }),
  pooler: {
    width: ({ hiddenSize }) => hiddenSize,
    exists: () => true,
    pool(g, states, root, { globalPool, hasPoolNorm, layerNormEps: epsilon }) {
      const pooled = globalPool === 'token' ? firstPosition(g, states) : meanOf(g, slice(g, states, 1, 1, Infinity), 1);
      return hasPoolNorm ? layerNorm(g, pooled, root.at('fc_norm'), { epsilon }) : pooled;
    },
  },
};

export const EvaVisionEncoder: Part<EvaVisionConfig, EvaVisionEncoder, PartWeights, FeatureLayerOptions> =
  defineVisionTransformer({
    layout: LAYOUT,
    config: EvaVisionConfig,
    path: 'visual.trunk',
    architectures: { eva: 'Eva' },
    initializer: ({ initValues }) => {
      const others = transformerInitializer(INITIALIZER_RANGE);
      return (name, shape) => {
        if (/\.gamma_\d$/.test(name)) return { kind: 'normal', std: 0, mean: initValues ?? 0 };
        return /_bias$/.test(name) ? { kind: 'zeros' } : others(name, shape);
      };
    },
    readOutputs: withPoolerOutput,
  });

export const evaVisionFamily: VisionFamily<EvaVisionConfig> = { part: EvaVisionEncoder };
