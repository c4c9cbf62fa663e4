import type { NormFold, StoredTensor } from '@blip2/interfaces';

import type { NodeProto } from './generated/onnx_pb.ts';
import { normFolds } from './norm-folds.ts';
import type { WeightFinder } from './weights.ts';

export interface RecordedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** The matrix of a linear layer, which may be held as integers. */
  readonly linear?: true;
}

/**
 * The tensors that `build` asks for, by name and shape, in order: what a checkpoint of this architecture holds. Tensors
 * that a graph looks for before it uses
 * them are absent if `has` is not given, so that tied ones are listed once.
 */
export function recordWeights(
  build: (weights: WeightFinder) => void,
  has?: (name: string) => boolean,
): RecordedWeight[] {
  return recordGraphs(build, has).weights;
}

/** The same, with the norms that may be folded into the layers behind them. */
export function recordGraphs(
  build: (weights: WeightFinder) => void,
  has: (name: string) => boolean = () => false,
): { readonly weights: RecordedWeight[]; readonly folds: NormFold[] } {
  const recorded = new Map<string, RecordedWeight>();
  const linear = new Set<string>();
  const graphs: (readonly NodeProto[])[] = [];
  build({
    has: (name) => recorded.has(name) || has(name),
    find: (name, shape): StoredTensor => {
      recorded.set(name, { name, shape, ...(linear.has(name) && { linear: true }) });
      return { name, shape, dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 };
    },
    findQuantized: (name) => {
      linear.add(name);
      return undefined;
    },
    onGraphBuilt: (nodes) => void graphs.push(nodes),
  });
  const folds = normFolds(graphs, (name) => linear.has(name)).filter(
    ({ norm, shift }) => recorded.has(norm) && (shift === undefined || recorded.has(shift)),
  );
  return { weights: [...recorded.values()], folds };
}
