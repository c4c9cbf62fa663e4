import type { Tensor } from '@blip2/interfaces';

export interface RotationInputs extends Readonly<Record<string, Tensor<'float32' | 'int64'>>> {
  readonly rotation_rows: Tensor<'int64', [batch: number, sequence: number]>;
  readonly rotation_cos: Tensor<'float32', [rotations: number, pairs: number]>;
  readonly rotation_sin: Tensor<'float32', [rotations: number, pairs: number]>;
}

/**
 * Cosines and sines of the rotary angles `position · theta^(−2i / headDim)` (arXiv 2104.09864, equation 15), one row per position of every row.
 * Angles are rounded to float32, as the reference rounds them.
 */
export function rotations({ headDim, ropeTheta }: { readonly headDim: number; readonly ropeTheta: number }, positions: readonly (readonly number[])[]): RotationInputs {
  const pairs = headDim / 2;
  const frequencies = Float32Array.from({ length: pairs }, (_, pair) => 1 / ropeTheta ** ((2 * pair) / headDim));
  const flat = positions.flat();
  const angles = Float32Array.from({ length: flat.length * pairs }, (_, index) => (flat[Math.floor(index / pairs)] ?? 0) * (frequencies[index % pairs] ?? 0));
  const table = (turn: (angle: number) => number): Tensor<'float32', [number, number]> => ({ type: 'float32', dims: [flat.length, pairs], data: angles.map(turn) });
  return {
    rotation_rows: { type: 'int64', dims: [positions.length, positions[0]?.length ?? 0], data: BigInt64Array.from({ length: flat.length }, (_, index) => BigInt(index)) },
    rotation_cos: table(Math.cos),
    rotation_sin: table(Math.sin),
  };
}
