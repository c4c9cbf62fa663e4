import { bypassAll, setAttribute } from './graph-edit.ts';
import type { MutableConfig, Mutation } from './mutation.ts';
import { rollRows, scaleTensors, swapTensors, tensorsNamed } from './tensor-edit.ts';

/** Heads of 8 in the cases `siglip`, `dinov2`, `vit` and `eva`. */
const HEAD_SIZE = 8;
/** Positions of 4 x 4 patches, and of a class position before them. */
const PATCHES = 16;
const RESIZE = /embed(?:dings)?\/Resize$/;

/** Mistakes in the vision encoders SigLIP, DINOv2, ViT and EVA. A case is named like its family. */
export const encoderMutations: readonly Mutation[] = [
  configured('siglip', 'gelu without the approximation', { hidden_act: 'gelu' }),
  configured('siglip', 'epsilon 1e-3 instead of 1e-6', { layer_norm_eps: 1e-3 }),
  scaled('siglip', 'no bias of the patches', /patch_embedding\.bias$/, 0),
  scaled('siglip', 'scores not scaled', /vision_model\..*q_proj\.(weight|bias)$/, Math.sqrt(HEAD_SIZE)),
  scaled('siglip', 'another query in the pooler', /head\.probe$/, 2),
  // Queries are the first third of the rows.
  scaled('siglip', 'scores of the pooler not scaled', /in_proj_(weight|bias)$/, Math.sqrt(HEAD_SIZE), 1 / 3),
  scaled('siglip', 'no biases of the projections in the pooler', /in_proj_bias$/, 0),
  bypassed('siglip', 'no final norm', /post_layernorm\/LayerNormalization$/),
  bypassed('siglip', 'no norm in the pooler', /head\.layernorm\/LayerNormalization$/),
  swapped('siglip', 'norms swapped', 'layer_norm1', 'layer_norm2'),
  shifted('siglip', /vision_model\.embeddings\.position_embedding\.weight$/, PATCHES),
  interpolated('siglip', 'positions interpolated bilinearly', 'mode', 'linear'),
  interpolated('siglip', 'corners of the positions aligned', 'coordinate_transformation_mode', 'align_corners'),
  configured('siglip2-no-head', 'gelu with the approximation', { hidden_act: 'gelu_pytorch_tanh' }),
  scaled('dinov2', 'no scale of the attention', /layer_scale1\.lambda1$/, 0, 1, 1),
  scaled('dinov2', 'no scale of the feed-forward', /layer_scale2\.lambda1$/, 0, 1, 1),
  swapped('dinov2', 'layer scales swapped', 'layer_scale1', 'layer_scale2'),
  swapped('dinov2', 'norms swapped', 'norm1', 'norm2'),
  configured('dinov2', 'another activation', { hidden_act: 'gelu_pytorch_tanh' }),
  configured('dinov2', 'epsilon 1e-3 instead of 1e-6', { layer_norm_eps: 1e-3 }),
  scaled('dinov2', 'no class token', /cls_token$/, 0),
  bypassed('dinov2', 'no final norm', /^(?!.*norm\d).*layernorm\/LayerNormalization$/),
  shifted('dinov2', /position_embeddings$/, PATCHES + 1),
  interpolated('dinov2', 'positions interpolated bilinearly', 'mode', 'linear'),
  {
    ...of('dinov2-giant', 'gate and values swapped'),
    tensors(tensors) {
      for (const [name, tensor] of tensorsNamed(tensors, /weights_in\.(weight|bias)$/))
        tensors.set(name, rollRows(tensor, 2, 1));
    },
  },
  scaled('dinov2-giant', 'no biases of the feed-forward', /weights_(in|out)\.bias$/, 0),
  scaled('vit', 'no bias of the output of attention', /attention\.output\.dense\.bias$/, 0),
  scaled('vit', 'no bias of the values', /value\.bias$/, 0),
  scaled('vit', 'no bias of the pooler', /pooler\.dense\.bias$/, 0),
  configured('vit', 'pooler without its activation', { pooler_act: 'linear' }),
  configured('vit', 'another activation', { hidden_act: 'gelu_pytorch_tanh' }),
  configured('vit', 'epsilon 1e-3 instead of 1e-12', { layer_norm_eps: 1e-3 }),
  swapped('vit', 'norms swapped', 'layernorm_before', 'layernorm_after'),
  shifted('vit', /position_embeddings$/, PATCHES + 1),
  interpolated('vit', 'positions interpolated bilinearly', 'mode', 'linear'),
  scaled('eva', 'no biases of the queries', /q_bias$/, 0),
  scaled('eva', 'no biases of the values', /v_bias$/, 0),
  swapped('eva', 'biases of queries and values swapped', 'q_bias', 'v_bias'),
  swapped('eva', 'norms swapped', 'norm1', 'norm2'),
  scaled('eva', 'no class token', /cls_token$/, 0),
  bypassed('eva', 'no final norm', /^(?!.*norm\d).*norm\/LayerNormalization$/),
  argued('eva', 'mean of the patches instead of the class position', { global_pool: 'avg', use_fc_norm: false }),
  shifted('eva', /pos_embed$/, PATCHES + 1),
  interpolated('eva', 'positions interpolated bilinearly', 'mode', 'linear'),
  interpolated(
    'eva',
    'positions interpolated with the coefficient of torch without antialiasing',
    'cubic_coeff_a',
    -0.75,
  ),
  scaled('eva-mean', 'no scale of the attention', /gamma_1$/, 0, 1, 1),
  swapped('eva-mean', 'layer scales swapped', 'gamma_1', 'gamma_2'),
  argued('eva-mean', 'class position instead of the mean', { global_pool: 'token', use_fc_norm: true }),
  scaled('eva-mean', 'no bias of the norm of the mean', /fc_norm\.bias$/, 0),
  configured('vit-classifier', 'epsilon 1e-3 instead of 1e-6', { layer_norm_eps: 1e-3 }),
];

function of(family: string, mistake: string): Pick<Mutation, 'name' | 'case' | 'reaches'> {
  return { name: `${family}: ${mistake}`, case: family, reaches: ['vision_forward'] };
}

/** The configuration of the encoder is that of the case, or its `vision_config`. */
function configured(family: string, mistake: string, changes: Readonly<Record<string, unknown>>): Mutation {
  return {
    ...of(family, mistake),
    config: (config: MutableConfig) => void Object.assign(config['vision_config'] ?? config, changes),
  };
}

/** Changes arguments of timm. */
function argued(family: string, mistake: string, changes: Readonly<Record<string, unknown>>): Mutation {
  return {
    ...of(family, mistake),
    config: (config: MutableConfig) => void Object.assign(config['model_args'] ?? config, changes),
  };
}

/** Multiplies tensors by `factor`, and adds `offset`. */
function scaled(family: string, mistake: string, names: RegExp, factor: number, share = 1, offset = 0): Mutation {
  return {
    ...of(family, mistake),
    tensors(all) {
      scaleTensors(all, names, factor, share);
      for (const [, { data }] of tensorsNamed(all, names)) data.forEach((value, at) => (data[at] = value + offset));
    },
  };
}

function swapped(family: string, mistake: string, a: string, b: string): Mutation {
  return { ...of(family, mistake), tensors: (all) => swapTensors(all, a, b) };
}

function bypassed(family: string, mistake: string, nodes: RegExp): Mutation {
  return { ...of(family, mistake), graph: (model) => bypassAll(model, nodes) };
}

function shifted(family: string, table: RegExp, positions: number): Mutation {
  return {
    ...of(family, 'positions shifted by one'),
    tensors(all) {
      for (const [name, tensor] of tensorsNamed(all, table)) all.set(name, rollRows(tensor, positions, 1));
    },
  };
}

function interpolated(family: string, mistake: string, attribute: string, value: string | number): Mutation {
  return { ...of(family, mistake), graph: (model) => setAttribute(model, RESIZE, attribute, value) };
}
