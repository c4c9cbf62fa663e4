import type { NormFold } from '@blip2/interfaces';

import type { GraphNode } from '../write-model.ts';

const NORMS: ReadonlySet<string> = new Set(['LayerNormalization', 'SimplifiedLayerNormalization']);

/**
 * Finds the norms that are consumed only by linear layers, by the names of their weights. `isLinear` returns true for
 * the name of a linear layer's matrix. A norm is left out if any of the weights has a second use in any graph.
 */
export function normFolds(graphs: readonly (readonly GraphNode[])[], isLinear: (name: string) => boolean): NormFold[] {
  const uses = new Map<string, number>();
  for (const { input } of graphs.flat()) for (const name of input) uses.set(name, (uses.get(name) ?? 0) + 1);
  return graphs.flatMap((nodes) =>
    nodes
      .filter(({ opType }) => NORMS.has(opType))
      .flatMap((node): NormFold[] => {
        const [, norm = '', shift] = node.input;
        const [result = ''] = node.output;
        const consumers = nodes.filter(({ input }) => input.includes(result));
        const layers = consumers.flatMap(({ opType, input: [x, weight = ''] }) =>
          opType === 'FusedMatMul' && x === result && isLinear(weight) ? [weight] : [],
        );
        const weights = [norm, ...(shift ? [shift] : []), ...layers];
        if (layers.length === 0 || layers.length !== consumers.length || weights.some((name) => uses.get(name) !== 1))
          return [];
        return [{ norm, ...(shift && { shift }), layers }];
      }),
  );
}
