import type { NormFold, StoredTensor } from '@blip2/interfaces';

import type { WeightFinder } from '../weights.ts';
import type { GraphNode } from '../write-model.ts';
import { normFolds } from './norm-folds.ts';

export interface RecordedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** True for the matrix of a linear layer, which may be quantized. */
  readonly linear?: true;
  /** True for a matrix that is stored as `[in, out]`. */
  readonly transposed?: true;
  /** True if checkpoints may lack it. */
  readonly optional?: true;
}

/**
 * Lists the tensors that the graphs of `build` use, by name and shape, in order: the contents of a checkpoint of this
 * architecture. Without `has`, optional tensors count as absent, so that tied weights are listed once.
 */
export function recordWeights(
  build: (weights: WeightFinder) => void,
  has?: (name: string) => boolean,
): RecordedWeight[] {
  return recordGraphs(build, has).weights;
}

/** As `recordWeights`, with the norms that may be folded into the linear layers after them. */
export function recordGraphs(
  build: (weights: WeightFinder) => void,
  has: (name: string) => boolean = () => false,
): { readonly weights: RecordedWeight[]; readonly folds: NormFold[] } {
  const recorded = new Map<string, RecordedWeight>();
  const linear = new Set<string>();
  const transposed = new Set<string>();
  const graphs: (readonly GraphNode[])[] = [];
  build({
    has: (name) => recorded.has(name) || has(name),
    find: (name, shape): StoredTensor => {
      recorded.set(name, {
        name,
        shape,
        ...(linear.has(name) && { linear: true }),
        ...(transposed.has(name) && { transposed: true }),
      });
      return { name, shape, dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 };
    },
    findQuantized: (name, _, isTransposed) => {
      linear.add(name);
      if (isTransposed) transposed.add(name);
      return undefined;
    },
    onGraphBuilt: (nodes) => void graphs.push(nodes),
  });
  const folds = normFolds(graphs, (name) => linear.has(name)).filter(
    ({ norm, shift, layers }) =>
      recorded.has(norm) &&
      (shift === undefined || recorded.has(shift)) &&
      // Factors are applied along the rows of `[out, in]`.
      !layers.some((name) => transposed.has(name)),
  );
  return { weights: [...recorded.values()], folds };
}
