import { floatsOf } from './feed-edit.ts';
import { nodesNamed, setAttribute } from './graph-edit.ts';
import { type Feed, LANGUAGE_KINDS, type Mutation, QFORMER_KINDS, VISION_KINDS } from './mutation.ts';
import { swapTensors } from './tensor-edit.ts';

/** Number of query tokens in both InstructBLIP cases. */
const QUERIES = 5;
/** The bias of a masked key. */
const MASKED = -3.4028234663852886e38;
/** The last layer of their Q-Formers. */
const LAST_LAYER = /^qformer\.encoder\.layer\.1\/Concat/;
const llama = { case: 'instructblip-llama', reaches: LANGUAGE_KINDS } as const;
const t5 = { case: 'instructblip-t5', reaches: QFORMER_KINDS } as const;

export const instructBlipMutations: readonly Mutation[] = [
  {
    ...llama,
    reaches: VISION_KINDS,
    name: 'vision: epsilon always 1e-6',
    config: ({ vision_config: c = {} }) => void (c['layer_norm_eps'] = 1e-6),
  },
  {
    ...llama,
    reaches: QFORMER_KINDS,
    name: 'qformer: epsilon always 1e-12',
    config: ({ qformer_config: c = {} }) => void (c['layer_norm_eps'] = 1e-12),
  },
  {
    ...llama,
    name: 'llama: rotary halves interleaved',
    graph: (model) => setAttribute(model, /\/RotaryEmbedding/, 'interleaved', 1n),
  },
  {
    ...llama,
    name: 'llama: rotary base 5000 instead of 10000',
    config: ({ text_config: c = {} }) => void (c['rope_theta'] = 5000),
  },
  {
    ...llama,
    name: 'llama: epsilon 1e-5 instead of 1e-6',
    config: ({ text_config: c = {} }) => void (c['rms_norm_eps'] = 1e-5),
  },
  { ...llama, name: 'llama: gate and up swapped', tensors: (tensors) => swapTensors(tensors, 'gate_proj', 'up_proj') },
  {
    ...t5,
    name: 'instructblip: no text in the Q-Former',
    feed: () => (feed, graphName) => graphName === 'qformer' && maskText(feed),
  },
  {
    ...t5,
    name: 'instructblip: Q-Former attends to padding',
    feed: () => (feed, graphName) => graphName === 'qformer' && floatsOf(feed, 'attention_bias')?.data.fill(0),
  },
  {
    ...t5,
    name: 'instructblip: text rows projected',
    reaches: QFORMER_KINDS.filter((kind) => kind !== 'qformer_forward'),
    graph: (model) => {
      for (const node of nodesNamed(model, LAST_LAYER)) node.input.reverse();
    },
  },
];

/** Masks all keys but the queries. */
function maskText(feed: Feed): void {
  const bias = floatsOf(feed, 'attention_bias');
  const keys = bias?.dims.at(-1) ?? 1;
  bias?.data.forEach((_, index) => index % keys >= QUERIES && (bias.data[index] = MASKED));
}
