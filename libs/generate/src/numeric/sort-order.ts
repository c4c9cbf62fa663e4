/** Indices below this fit, together with the 32 bits of a float32, into the 53-bit integers of a double. */
const LARGEST_COUNT = 2 ** 21;

/**
 * Indices of `values` in ascending order of value; a stable sort. Values must not be negative. Sorts doubles composed
 * of the value's bits and the index, because a numeric sort is faster than one with a comparator.
 */
export function ascendingOrder(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Float64Array(values.length);
  for (let index = 0; index < keys.length; index++) keys[index] = (bits[index] ?? 0) * LARGEST_COUNT + index;
  return Uint32Array.from(keys.sort(), (key) => key % LARGEST_COUNT);
}
