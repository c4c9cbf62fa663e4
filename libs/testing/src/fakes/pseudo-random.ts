import type { Dims, Tensor } from '@blip2/interfaces';

/** Hashes 32 bits to 32 bits (the finalizer of splitmix32). */
export function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** A pseudo-random number in [-1, 1) that depends on its arguments only. */
export function pseudoRandom(...seeds: readonly number[]): number {
  const bits = seeds.reduce((state, seed) => mix(state + 0x9e3779b9 + seed), 0);
  return bits / 2 ** 31 - 1;
}

/** A tensor of pseudo-random numbers: `pseudoRandom` of each element's index. */
export function pseudoRandomTensor<D extends Dims>(...dims: D): Tensor<'float32', D> {
  const length = dims.reduce((product, size) => product * size, 1);
  return { type: 'float32', dims, data: Float32Array.from({ length }, (_, index) => pseudoRandom(index)) };
}

/** A 32-bit hash of float32 numbers. */
export function digest(values: Float32Array, start = 0): number {
  const bits = new Uint32Array(values.slice().buffer);
  return bits.reduce((state, value) => mix(state + 0x9e3779b9 + value), start);
}
