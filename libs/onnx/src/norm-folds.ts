import type { NormFold } from '@blip2/interfaces';

import type { NodeProto } from './generated/onnx_pb.ts';

const NORMS: ReadonlySet<string> = new Set(['LayerNormalization', 'SimplifiedLayerNormalization']);

/**
 * The norms of graphs whose results only linear layers read, by the names of their weights. `isLinear` tells matrices
 * of linear layers from other values. A weight
 * that is read in a second place, of any of the graphs, is in no fold.
 */
export function normFolds(graphs: readonly (readonly NodeProto[])[], isLinear: (name: string) => boolean): NormFold[] {
  const uses = new Map<string, number>();
  for (const { input } of graphs.flat()) for (const name of input) uses.set(name, (uses.get(name) ?? 0) + 1);
  return graphs.flatMap((nodes) =>
    nodes
      .filter(({ opType }) => NORMS.has(opType))
      .flatMap((node): NormFold[] => {
        const [, norm = '', shift] = node.input;
        const [result = ''] = node.output;
        const readers = nodes.filter(({ input }) => input.includes(result));
        const layers = readers.flatMap(({ opType, input: [x, weight = ''] }) =>
          opType === 'FusedMatMul' && x === result && isLinear(weight) ? [weight] : [],
        );
        const weights = [norm, ...(shift ? [shift] : []), ...layers];
        if (layers.length === 0 || layers.length !== readers.length || weights.some((name) => uses.get(name) !== 1))
          return [];
        return [{ norm, ...(shift && { shift }), layers }];
      }),
  );
}
