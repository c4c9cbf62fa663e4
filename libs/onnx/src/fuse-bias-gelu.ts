import { create } from '@bufbuild/protobuf';

import { type NodeProto, NodeProtoSchema } from './generated/onnx_pb.ts';
import { type Graph, RUNTIME_DOMAIN } from './graph.ts';

/**
 * The same nodes, with the bias before each GELU taken into it, which saves a pass over the widest states. Of all that
 * the runtime's optimizer finds in a graph over bytes this
 * alone is worth having (docs/performance.md), and looking for it takes the optimizer as long as loading takes without
 * it.
 */
export function fuseBiasGelu({ nodes, axes }: Pick<Graph, 'nodes' | 'axes'>): NodeProto[] {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const readers = new Map<string, number>();
  for (const { input } of nodes) for (const name of input) readers.set(name, (readers.get(name) ?? 0) + 1);

  const sums = new Set<NodeProto>();
  const fused = nodes.map((node) => {
    const [state = ''] = node.input;
    const sum = makers.get(state);
    const isGelu = node.opType === 'Gelu' && node.domain === RUNTIME_DOMAIN;
    if (!isGelu || sum?.opType !== 'Add' || axes.get(sum.input[1] ?? '')?.length !== 1 || readers.get(state) !== 1)
      return node;
    sums.add(sum);
    return create(NodeProtoSchema, {
      name: node.name,
      opType: 'BiasGelu',
      domain: RUNTIME_DOMAIN,
      input: sum.input,
      output: node.output,
    });
  });
  return fused.filter((node) => !sums.has(node));
}
