import type { Dims, Tensor } from '@blip2/interfaces';

import { pseudoRandom } from '../fakes/pseudo-random.ts';

/**
 * A batch with one entry for each seed: numbers from [-1, 1) that depend on that seed alone, so that an entry can be
 * made again without its batch.
 */
export function randomBatch<const D extends Dims>(
  seeds: readonly number[],
  ...dims: D
): Tensor<'float32', [batch: number, ...D]> {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: seeds.length * size }, (_, index) =>
    pseudoRandom(seeds[Math.floor(index / size)]!, index % size),
  );
  return { type: 'float32', dims: [seeds.length, ...dims], data };
}
