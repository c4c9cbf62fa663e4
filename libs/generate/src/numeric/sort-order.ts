/** Indices below this fit beside the 32 bits of a float32 in the 53 exact bits of a double. */
const LARGEST_COUNT = 2 ** 21;

/**
 * Indices of `values` in ascending order of value; equal values keep the order of their indices. Values are not
 * negative.
 * Sorts doubles that hold the value's bits above the index: a native numeric sort instead of a comparator's calls.
 */
export function ascendingOrder(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Float64Array(values.length);
  for (let index = 0; index < keys.length; index++) keys[index] = bits[index]! * LARGEST_COUNT + index;
  return Uint32Array.from(keys.sort(), (key) => key % LARGEST_COUNT);
}
