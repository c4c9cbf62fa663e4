import type { Embedding } from '../../model/model-port.ts';

/** Ways to reduce the positions of an input to one vector; `none` keeps all positions. */
export const POOLS = ['none', 'mean', 'unit-mean', 'first', 'max'] as const;
export type Pool = (typeof POOLS)[number];

/** The pool with the best retrieval recall of those measured (`tools/benchmarks/results/pool-recall.json`). */
export const BEST_POOL: Pool = 'unit-mean';

/** Pools `[positions, size]` to `[size]`. A single vector is returned unchanged. */
export function pooled({ dims, data }: Embedding, pool: Pool): Embedding {
  const [positions, size] = dims;
  if (pool === 'none' || positions === undefined || size === undefined) return { dims, data };
  if (pool === 'first') return { dims: [size], data: data.slice(0, size) };
  const columns = Float32Array.from({ length: size }, (_, column) => {
    const values = Array.from({ length: positions }, (__, position) => data[position * size + column] ?? NaN);
    return pool === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / positions;
  });
  return { dims: [size], data: pool === 'unit-mean' ? unitVector(columns) : columns };
}

function unitVector(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? vector : vector.map((value) => value / length);
}
