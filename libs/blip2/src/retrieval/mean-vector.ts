import type { Tensor } from '@blip2/interfaces';

/**
 * One vector of an image: the mean of its query vectors `[queries, size]`, scaled to length 1. Its product with the
 * vector of a text is then a cosine.
 */
export function meanVector({ dims, data }: Tensor<'float32'>): Float32Array {
  const [queries = 0, size = 0] = dims;
  const mean = Float32Array.from({ length: size }, (_, column) => {
    let sum = 0;
    for (let query = 0; query < queries; query++) sum += data[query * size + column] ?? NaN;
    return sum / queries;
  });
  const length = Math.hypot(...mean);
  return length === 0 ? mean : mean.map((value) => value / length);
}
