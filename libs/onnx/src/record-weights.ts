import type { StoredTensor } from '@blip2/interfaces';
import type { WeightFinder } from './weights.ts';

export interface RecordedWeight {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The tensors that `build` asks for, by name and shape, in order: what a checkpoint of this architecture holds. */
export function recordWeights(build: (weights: WeightFinder) => void): RecordedWeight[] {
  const recorded = new Map<string, RecordedWeight>();
  build({
    // Optional tensors are absent, so that tied ones are listed once.
    has: (name) => recorded.has(name),
    find: (name, shape): StoredTensor => {
      recorded.set(name, { name, shape });
      return { name, shape, dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 };
    },
  });
  return [...recorded.values()];
}
