import { create } from '@bufbuild/protobuf';
import { sameAxes } from './axes.ts';
import { NodeProtoSchema, type NodeProto } from './generated/onnx_pb.ts';
import { RUNTIME_DOMAIN, type Graph } from './graph.ts';

/** Of states that `SkipLayerNormalization` takes. */
const RANKS = [2, 3];

/**
 * The same nodes, with sums taken into the operators behind them: a bias into `BiasGelu`, and a bias and a residual into `SkipLayerNormalization`, which gives the sum as well. Each
 * saves a pass over the states. The runtime's optimizer finds some of these too, but takes longer to look for them than loading the graph takes without it.
 */
export function fuseNodes({ nodes, axes }: Pick<Graph, 'nodes' | 'axes'>): NodeProto[] {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const readers = new Map<string, NodeProto[]>();
  for (const node of nodes) for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  const replaced = new Map<NodeProto, NodeProto | undefined>();

  /** The sum that makes a value. */
  const sumOf = (name: string): NodeProto | undefined => {
    const maker = makers.get(name);
    return maker?.opType === 'Add' && !replaced.has(maker) ? maker : undefined;
  };
  /** The value and its bias, if it is a sum with one that nobody else reads. */
  const biasedOf = (name: string): { readonly sum: NodeProto; readonly value: string; readonly bias: string } | undefined => {
    const sum = readers.get(name)?.length === 1 ? sumOf(name) : undefined;
    const [value = '', bias = ''] = sum?.input ?? [];
    return sum && axes.get(bias)?.length === 1 ? { sum, value, bias } : undefined;
  };

  for (const node of nodes) {
    const [state = '', ...norm] = node.input;
    if (node.opType === 'Gelu' && node.domain === RUNTIME_DOMAIN) {
      const biased = biasedOf(state);
      if (!biased) continue;
      replaced.set(biased.sum, undefined);
      replaced.set(node, runtimeNode('BiasGelu', node.name, [biased.value, biased.bias], node.output));
    }
    if (node.opType === 'LayerNormalization') {
      const sum = sumOf(state);
      const [first = '', second = ''] = sum?.input ?? [];
      const shape = axes.get(state) ?? [];
      // What is added may be less than the states, a row of positions for all of them; and the sum is only there once it is normed.
      if (!sum || ![first, second].every((name) => sameAxes(axes.get(name) ?? [], shape)) || !RANKS.includes(shape.length) || readers.get(state)?.[0] !== node) continue;
      const [skip, biased] = biasedOf(second) ? [first, biasedOf(second)] : [second, biasedOf(first)];
      const inputs = [biased?.value ?? first, biased ? skip : second, ...norm, ...(biased ? [biased.bias] : [])];
      const epsilon = node.attribute.filter(({ name }) => name === 'epsilon');
      if (biased) replaced.set(biased.sum, undefined);
      replaced.set(sum, undefined);
      replaced.set(node, runtimeNode('SkipLayerNormalization', node.name, inputs, [node.output[0] ?? '', '', '', state], epsilon));
    }
  }
  return nodes.flatMap((node) => (replaced.has(node) ? replaced.get(node) ?? [] : node));
}

function runtimeNode(opType: string, name: string, input: string[], output: string[], attribute: NodeProto['attribute'] = []): NodeProto {
  return create(NodeProtoSchema, { name, opType, domain: RUNTIME_DOMAIN, input, output, attribute });
}
