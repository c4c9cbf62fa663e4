import { bypassAll, setAttribute } from './graph-edit.ts';
import { type Mutation, VISION_KINDS } from './mutation.ts';
import { rollRows, scaleTensors, swapTensors, tensorsNamed } from './tensor-edit.ts';

/** The vision encoder of the case `opt`: 40 wide, 4 heads of 10, positions of a class vector and 4 x 4 patches. */
const HEADS = 4;
const HEAD_SIZE = 10;
const POSITIONS = 17;
const vision = { case: 'opt', reaches: VISION_KINDS } as const;
const RESIZE = /embeddings\/Resize$/;

export const visionMutations: readonly Mutation[] = [
  {
    ...vision,
    name: 'vision: tanh gelu instead of erf gelu',
    config: ({ vision_config: c = {} }) => void (c['hidden_act'] = 'gelu_pytorch_tanh'),
  },
  {
    ...vision,
    name: 'vision: quick_gelu',
    config: ({ vision_config: c = {} }) => void (c['hidden_act'] = 'quick_gelu'),
  },
  {
    ...vision,
    name: 'vision: scores not scaled',
    // Queries are the first third of the rows.
    tensors: (tensors) => scaleTensors(tensors, /^vision_model\..*\.qkv\.(weight|bias)$/, Math.sqrt(HEAD_SIZE), 1 / 3),
  },
  {
    ...vision,
    name: 'vision: qkv read as [heads, 3, head_dim]',
    tensors: (tensors) => {
      for (const [, { data }] of tensorsNamed(tensors, /^vision_model\..*\.qkv\.(weight|bias)$/)) readHeadsFirst(data);
    },
  },
  {
    ...vision,
    name: 'vision: no post_layernorm',
    graph: (model) => bypassAll(model, /post_layernorm\/LayerNormalization(_1)?$/),
  },
  {
    ...vision,
    name: 'vision: pooler normed once instead of twice',
    graph: (model) => bypassAll(model, /post_layernorm\/LayerNormalization_1$/),
  },
  {
    ...vision,
    name: 'vision: layer_norm1 and 2 swapped',
    tensors: (tensors) => swapTensors(tensors, 'layer_norm1', 'layer_norm2'),
  },
  {
    ...vision,
    name: 'vision: positions shifted by one',
    tensors: (tensors) => {
      for (const [name, tensor] of tensorsNamed(tensors, /\.position_embedding$/))
        tensors.set(name, rollRows(tensor, POSITIONS, 1));
    },
  },
  {
    ...vision,
    name: 'vision: epsilon 1e-5 instead of 1e-6',
    config: ({ vision_config: c = {} }) => void (c['layer_norm_eps'] = 1e-5),
  },
  {
    ...vision,
    name: 'interpolation: align_corners',
    graph: (model) => setAttribute(model, RESIZE, 'coordinate_transformation_mode', 'align_corners'),
  },
  {
    ...vision,
    name: 'interpolation: antialias',
    // As in PyTorch: another cubic coefficient, and no weight outside the image.
    graph: (model) => {
      setAttribute(model, RESIZE, 'antialias', 1n);
      setAttribute(model, RESIZE, 'cubic_coeff_a', -0.5);
    },
  },
  { ...vision, name: 'interpolation: bilinear', graph: (model) => setAttribute(model, RESIZE, 'mode', 'linear') },
];

/** Reorders rows `[heads, 3, head_dim]` as `[3, heads, head_dim]`. */
function readHeadsFirst(data: Float32Array): void {
  const rowSize = data.length / (3 * HEADS * HEAD_SIZE);
  const block = HEAD_SIZE * rowSize;
  const stored = data.slice();
  for (let part = 0; part < 3; part++) {
    for (let head = 0; head < HEADS; head++) {
      const from = (head * 3 + part) * block;
      data.set(stored.subarray(from, from + block), (part * HEADS + head) * block);
    }
  }
}
