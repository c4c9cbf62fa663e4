import type { PlannedWeight, Precision, WeightStore } from '@blip2/interfaces';

import type { WeightFinder } from '../weights.ts';
import { recordGraphs } from './record-weights.ts';

/**
 * Bytes of float16 and bfloat16 weights above which a part is converted to a float32 file: onnxruntime would widen them
 * on the heap to twice their size, once per session. The tiny and demo checkpoints stay far below, full-size parts far
 * above.
 */
const MAX_HALF_BYTES = 2 ** 27;

/**
 * Plans the conversion of the weights that the graphs of `build` use. Undefined if they are mapped in place: at `fp32`,
 * unless the checkpoint is large and stores narrower floats.
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
    return weights.map(({ name, shape, linear, transposed }): PlannedWeight => {
      const fold = foldOf.get(name);
      const chosen = linear ? precisionOf(name) : 'fp32';
      if (transposed && chosen !== 'fp32')
        return { name, shape: shape.toReversed(), precision: chosen, transposed: true };
      return { name, shape, precision: chosen, ...(fold && { fold }) };
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
