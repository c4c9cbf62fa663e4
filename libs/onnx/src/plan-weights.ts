import type { PlannedWeight, Precision, WeightStore } from '@blip2/interfaces';

import { recordGraphs } from './record-weights.ts';
import type { WeightFinder } from './weights.ts';

/**
 * Half-width floats that a part may have before they are better kept as float32 in a file: the runtime widens them on
 * the heap, once per session, to twice their size.
 * The tiny and demo checkpoints stay far below, full-size parts far above.
 */
const MAX_HALF_BYTES = 2 ** 27;

/**
 * How the graphs that `build` writes are to read their weights at `precision`. Nothing where they are to be read as
 * they lie: at `fp32`, unless the checkpoint is
 * large and holds narrower floats.
 */
export function planWeights(
  store: WeightStore,
  precision: Precision,
  build: (weights: WeightFinder) => void,
  precisionOf: (name: string) => Precision = () => precision,
): PlannedWeight[] | undefined {
  const { weights, folds } = recordGraphs(build, (name) => store.tensors.has(name));
  if (precision !== 'fp32') {
    const foldOf = new Map(
      folds.flatMap((fold) =>
        [fold.norm, ...(fold.shift === undefined ? [] : [fold.shift]), ...fold.layers].map(
          (name) => [name, fold] as const,
        ),
      ),
    );
    return weights.map(({ name, shape, linear }) => {
      const fold = foldOf.get(name);
      return { name, shape, precision: linear ? precisionOf(name) : 'fp32', ...(fold && { fold }) };
    });
  }
  if (halfBytes(store, weights) <= MAX_HALF_BYTES) return undefined;
  return weights.map(({ name, shape }) => ({ name, shape, precision }));
}

function halfBytes({ tensors }: WeightStore, recorded: readonly { readonly name: string }[]): number {
  return recorded.reduce((sum, { name }) => {
    const tensor = tensors.get(name);
    return sum + (tensor && tensor.dtype !== 'F32' ? tensor.byteLength : 0);
  }, 0);
}
