import type { LlamaConfig, RotaryScaling } from '@blip2/config';
import type { Tensor } from '@blip2/interfaces';

export interface RotationInputs extends Readonly<Record<string, Tensor<'float32' | 'int64'>>> {
  readonly rotation_rows: Tensor<'int64', [batch: number, sequence: number]>;
  readonly rotation_cos: Tensor<'float32', [rotations: number, pairs: number]>;
  readonly rotation_sin: Tensor<'float32', [rotations: number, pairs: number]>;
}

type RotationConfig = Pick<LlamaConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>;

/** `theta^(−2i / headDim)` of each pair, scaled as the configuration says. */
export function rotaryFrequencies({ headDim, ropeTheta, ropeScaling }: RotationConfig): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, pair) =>
    scaledFrequency(Math.fround(1 / ropeTheta ** ((2 * pair) / headDim)), ropeScaling),
  );
}

function scaledFrequency(frequency: number, scaling: RotaryScaling | undefined): number {
  if (!scaling) return frequency;
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
  const wavesInText = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (wavesInText - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return (1 - kept) * (frequency / factor) + kept * frequency;
}

/**
 * Cosines and sines of the rotary angles `position · theta^(−2i / headDim)` (arXiv 2104.09864, equation 15), one row
 * per position of every row.
 * Angles are rounded to float32, as the reference rounds them.
 */
export function rotations(config: RotationConfig, positions: readonly (readonly number[])[]): RotationInputs {
  const pairs = config.headDim / 2;
  const frequencies = rotaryFrequencies(config);
  const flat = positions.flat();
  const angles = Float32Array.from(
    { length: flat.length * pairs },
    (_, index) => (flat[Math.floor(index / pairs)] ?? 0) * (frequencies[index % pairs] ?? 0),
  );
  const table = (turn: (angle: number) => number): Tensor<'float32', [number, number]> => ({
    type: 'float32',
    dims: [flat.length, pairs],
    data: angles.map(turn),
  });
  return {
    rotation_rows: {
      type: 'int64',
      dims: [positions.length, positions[0]?.length ?? 0],
      data: BigInt64Array.from({ length: flat.length }, (_, index) => BigInt(index)),
    },
    rotation_cos: table(Math.cos),
    rotation_sin: table(Math.sin),
  };
}
