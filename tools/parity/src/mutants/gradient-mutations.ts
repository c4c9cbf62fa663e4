import type { ModelProto } from '@blip2/onnx';

import { idsOf } from './feed-edit.ts';
import { bypassAll, nodesNamed, setAttribute } from './graph-edit.ts';
import type { Mutation } from './mutation.ts';

/** Nodes of the backward pass are named after the node that they belong to. */
const ATTENTION = /^backward\/.*\/?MultiHeadAttention(?:_\d+)?/;
const REACHES: readonly string[] = ['gradient'];
const llama = { case: 'llama', reaches: REACHES } as const;
const opt = { case: 'opt', reaches: REACHES } as const;
const instruct = { case: 'instructblip-llama', reaches: REACHES } as const;

export const gradientMutations: readonly Mutation[] = [
  {
    ...llama,
    name: 'gradient: the sign of a rotation is not reversed',
    graph: (model) => bypassAll(model, /^backward\/.*RotaryEmbedding(?:_\d+)?\/Neg/),
  },
  {
    ...llama,
    name: 'gradient: the scale of the attention scores is forgotten',
    graph: (model) => setAttribute(model, after(ATTENTION, 'FusedMatMul'), 'alpha', 1),
  },
  {
    ...llama,
    name: 'gradient: softmax without the sum over the row',
    graph: (model) => bypassAll(model, after(ATTENTION, 'Sub')),
  },
  {
    ...llama,
    name: 'gradient: a gate counts as a constant',
    graph: (model) => setAttribute(model, /^backward\/.*gate_proj\/FusedMatMul\/FusedMatMul/, 'alpha', 0),
  },
  {
    ...llama,
    name: 'gradient: the label is not subtracted from the probabilities',
    graph: (model) => bypassAll(model, /^backward\/Neg\/ScatterElements/),
  },
  { ...llama, name: 'gradient: padding of the targets is counted', feed: () => (feed) => countPadding(feed) },
  {
    ...opt,
    name: 'gradient: layer norm without the mean of the gradient',
    graph: (model) => bypassAll(model, /^backward\/.*LayerNormalization\/Sub_[12]$/),
  },
  {
    ...opt,
    name: 'gradient: the sign of ReLU is ignored',
    graph: (model) => bypassWhere(model, /^backward\/.*Relu(?:_\d+)?\/Where/),
  },
  {
    ...opt,
    name: 'gradient: a mean instead of the sum over broadcast axes',
    graph: (model) => nodesNamed(model, /^backward\/.*\/ReduceSum(?:_\d+)?$/).forEach(averaged),
  },
  {
    ...instruct,
    name: 'gradient: rows of equal ids are not added',
    graph: (model) => setAttribute(model, /^backward\/.*word_embeddings\/.*\/ScatterElements/, 'reduction', 'none'),
  },
  {
    case: 'itm',
    reaches: REACHES,
    name: 'gradient: the sign of the derivative of a quotient',
    graph: (model) => bypassAll(model, /^backward\/.*Div(?:_\d+)?\/Neg/),
  },
  {
    case: 't5',
    reaches: REACHES,
    name: 'gradient: the encoder is seen by the first layer of the decoder only',
    graph: (model) =>
      setAttribute(model, /^backward\/.*decoder\.block\.1\.layer\.1\.EncDecAttention\.[kv]\/.*FusedMatMul/, 'alpha', 0),
  },
];

function after(layer: RegExp, operator: string): RegExp {
  return new RegExp(`${layer.source}/${operator}(?:_\\d+)?$`);
}

/** A condition that is always met. */
function bypassWhere(model: ModelProto, pattern: RegExp): void {
  for (const node of nodesNamed(model, pattern)) {
    node.opType = 'Identity';
    node.input = node.input.slice(1, 2);
  }
}

function averaged(node: ReturnType<typeof nodesNamed>[number]): void {
  node.opType = 'ReduceMean';
}

/** Labels that are ignored become the first id. */
function countPadding(feed: Parameters<typeof idsOf>[0]): void {
  const labels = idsOf(feed, 'labels');
  labels?.data.forEach((label, index) => (labels.data[index] = label < 0n ? 0n : label));
}
