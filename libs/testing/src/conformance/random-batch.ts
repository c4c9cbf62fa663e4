import type { Dims, Tensor } from '@blip2/interfaces';

import { pseudoRandom } from '../fakes/pseudo-random.ts';

/**
 * Creates a batch `[seeds.length, ...dims]` of numbers in [-1, 1). Each entry depends on its seed only, so that it can
 * be created again without the rest of the batch.
 */
export function randomBatch<const D extends Dims>(
  seeds: readonly number[],
  ...dims: D
): Tensor<'float32', [batch: number, ...D]> {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: seeds.length * size }, (_, index) =>
    pseudoRandom(seeds[Math.floor(index / size)] ?? 0, index % size),
  );
  return { type: 'float32', dims: [seeds.length, ...dims], data };
}
