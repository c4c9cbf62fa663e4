import { type Graph, RUNTIME_DOMAIN } from './graph.ts';
import type { GraphNode } from './write-model.ts';

/**
 * Fuses each bias addition with the GELU after it (`BiasGelu`), which saves one pass over the widest hidden states. It
 * is the only rewrite of onnxruntime's optimizer that pays off in an `int8` graph (docs/performance.md); running the
 * optimizer for it would double the load time.
 */
export function fuseBiasGelu({ nodes, axes }: Pick<Graph, 'nodes' | 'axes'>): GraphNode[] {
  const producers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const uses = new Map<string, number>();
  for (const { input } of nodes) for (const name of input) uses.set(name, (uses.get(name) ?? 0) + 1);

  const sums = new Set<GraphNode>();
  const fused = nodes.map((node) => {
    const [operand = ''] = node.input;
    const sum = producers.get(operand);
    const isGelu = node.opType === 'Gelu' && node.domain === RUNTIME_DOMAIN;
    if (!isGelu || sum?.opType !== 'Add' || axes.get(sum.input[1] ?? '')?.length !== 1 || uses.get(operand) !== 1)
      return node;
    sums.add(sum);
    return {
      name: node.name,
      opType: 'BiasGelu',
      domain: RUNTIME_DOMAIN,
      input: sum.input,
      output: node.output,
      attribute: [],
    };
  });
  return fused.filter((node) => !sums.has(node));
}
