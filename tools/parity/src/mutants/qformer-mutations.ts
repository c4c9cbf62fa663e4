import { bypassAll } from './graph-edit.ts';
import { type Mutation, PROJECTION_KINDS, QFORMER_KINDS } from './mutation.ts';
import { scaleTensors, tensorsNamed } from './tensor-edit.ts';

/** The Q-Former of the case `opt`: 48 wide, 6 heads of 8, 3 layers with cross-attention in layers 0 and 2. */
const HEAD_SIZE = 8;
const LAYERS = 3;
const qformer = { case: 'opt', reaches: QFORMER_KINDS } as const;

export const qformerMutations: readonly Mutation[] = [
  {
    ...qformer,
    name: 'qformer: cross-attention in every layer',
    config: ({ qformer_config: c = {} }) => void (c['cross_attention_frequency'] = 1),
    // The layers in between store none: they get that of the layer before them.
    tensors: (tensors) => {
      for (const [name, tensor] of tensorsNamed(tensors, /^qformer\.encoder\.layer\.0\.crossattention\./)) {
        for (let layer = 1; layer < LAYERS; layer += 2)
          tensors.set(name.replace('.layer.0.', `.layer.${layer}.`), tensor);
      }
    },
  },
  {
    ...qformer,
    name: 'qformer: cross-attention only in layer 0',
    config: ({ qformer_config: c = {} }) => void (c['cross_attention_frequency'] = LAYERS),
  },
  {
    ...qformer,
    name: 'qformer: no first layernorm',
    graph: (model) => bypassAll(model, /^qformer\.layernorm\/LayerNormalization$/),
  },
  {
    ...qformer,
    name: 'qformer: tanh gelu',
    config: ({ qformer_config: c = {} }) => void (c['hidden_act'] = 'gelu_pytorch_tanh'),
  },
  {
    ...qformer,
    name: 'qformer: scores not scaled',
    tensors: (tensors) => scaleTensors(tensors, /^qformer\..*\.query\.(weight|bias)$/, Math.sqrt(HEAD_SIZE)),
  },
  {
    ...qformer,
    name: 'qformer: epsilon 1e-6 instead of 1e-12',
    config: ({ qformer_config: c = {} }) => void (c['layer_norm_eps'] = 1e-6),
  },
  {
    case: 'itm',
    reaches: [...QFORMER_KINDS, 'image_text_retrieval', 'text_model_with_projection'],
    name: 'qformer: text branch uses the query weights',
    tensors: (tensors) => {
      for (const [name, tensor] of tensorsNamed(tensors, /^qformer\..*\.(intermediate|output)_query\./))
        tensors.set(name.replace('_query', ''), tensor);
    },
  },
  {
    case: 'opt',
    reaches: PROJECTION_KINDS,
    name: 'language_projection: no bias',
    tensors: (tensors) => scaleTensors(tensors, /^language_projection\.bias$/, 0),
  },
];
