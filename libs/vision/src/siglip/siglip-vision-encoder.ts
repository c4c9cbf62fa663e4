/**
 * The image encoder of SigLIP (arXiv 2303.15343), and of SigLIP 2 at a fixed resolution (arXiv 2502.14786): no class
 * position, and a pooler that attends to all positions.
 * HF class `SiglipVisionModel`; checkpoint path `vision_model`.
 */
import { SiglipVisionConfig } from '@blip2/config';
import { reshape } from '@blip2/onnx';
import type { InitializeTensor, Part, PartWeights } from '@blip2/part';

import { withOptionalPooler } from '../create-vision-encoder.ts';
import type { FeatureLayerOptions } from '../feature-layer.ts';
import { SEPARATE_PROJECTIONS } from '../transformer/block-names.ts';
import { defineVisionTransformer } from '../transformer/define-vision-transformer.ts';
import type { VisionTransformerLayout } from '../transformer/vision-transformer-layout.ts';
import type { OptionallyPooledVisionEncoder, VisionFamily } from '../vision-family.ts';
import { attentionPooler } from './attention-pooler.ts';

/**
 * SigLIP's image encoder: the seam, and the full forward of HF `SiglipVisionModel`. `lastHiddenState` is after the
 * final norm; `poolerOutput` exists unless `visionUseHead` is false.
 *
 * `forward` throws `SHAPE_MISMATCH` for images of another size unless position embeddings are interpolated.
 */
export type SiglipVisionEncoder = OptionallyPooledVisionEncoder<SiglipVisionConfig>;

export const LAYOUT: VisionTransformerLayout<SiglipVisionConfig> = {
  name: 'siglip_vision_model',
  hasClassPosition: false,
  layers: 'encoder.layers',
  finalNorm: 'post_layernorm',
  block: () => ({ attention: SEPARATE_PROJECTIONS }),
  embeddings(g, weights, rows, { hiddenSize, numChannels, patchSize }) {
    const patch = weights.at('patch_embedding');
    return {
      kernel: patch.get('weight', [hiddenSize, numChannels, patchSize, patchSize]),
      bias: patch.get('bias', [hiddenSize]),
      positions: reshape(g, weights.get('position_embedding.weight', [rows, hiddenSize]), [1, rows, hiddenSize]),
    };
  },
  pooler: {
    width: ({ hiddenSize }) => hiddenSize,
    exists: ({ visionUseHead }) => visionUseHead,
    pool: (g, states, root, config) => attentionPooler(g, states, root.at('head'), config),
  },
};

/** Path of the tensors in the checkpoint of a full SigLIP model, and in that of the encoder alone. */
const PATH = 'vision_model';

export const SiglipVisionEncoder: Part<SiglipVisionConfig, SiglipVisionEncoder, PartWeights, FeatureLayerOptions> =
  defineVisionTransformer({
    layout: LAYOUT,
    config: SiglipVisionConfig,
    path: PATH,
    savedPath: PATH,
    architectures: { siglip_vision_model: 'SiglipVisionModel' },
    initializer: siglipInitializer,
    readOutputs: withOptionalPooler,
  });

export const siglipVisionFamily: VisionFamily<SiglipVisionConfig> = { part: SiglipVisionEncoder };

/**
 * HF divides LeCun deviations by that of a normal distribution truncated at two deviations, but truncates at ±2, which
 * has no effect.
 */
const LECUN_DIVISOR = 0.8796256610342398;

/**
 * `_init_weights` of HF `SiglipVisionModel`, with normal distributions of the same deviation in place of the uniform
 * ones.
 */
function siglipInitializer({ hiddenSize }: SiglipVisionConfig): InitializeTensor {
  return (name, shape) => {
    if (/norm[^.]*\.weight$/.test(name)) return { kind: 'ones' };
    if (/mlp\.fc[12]\.bias$/.test(name)) return { kind: 'normal', std: 1e-6 };
    if (name.endsWith('bias')) return { kind: 'zeros' };
    if (/position_embedding\.weight$|probe$/.test(name)) return { kind: 'normal', std: hiddenSize ** -0.5 };
    const [out = 1, ...rest] = shape;
    const inputs = rest.reduce((product, length) => product * length, 1);
    // LeCun for the patches and the output of the pooler, Xavier for all others.
    const isLecun = /patch_embedding\.weight$|attention\.out_proj\.weight$/.test(name);
    return { kind: 'normal', std: isLecun ? inputs ** -0.5 / LECUN_DIVISOR : (2 / (inputs + out)) ** 0.5 };
  };
}
