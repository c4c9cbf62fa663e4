import type { RotaryScaling } from '@blip2/config';
import { type AttentionMask, f32, i64, type Tensor, type TensorSpec } from '@blip2/interfaces';
import type { GraphInputs, Rotations } from '@blip2/onnx';

import type { CausalSignature } from './causal-signature.ts';

/** Rotary position embeddings as inputs of a graph: a table of rotations, and its row for each position. */
export interface RotaryInputs extends Readonly<Record<string, Tensor<'float32' | 'int64'>>> {
  readonly rotation_rows: Tensor<'int64', [batch: number, sequence: number]>;
  readonly rotation_cos: Tensor<'float32', [rotations: number, pairs: number]>;
  readonly rotation_sin: Tensor<'float32', [rotations: number, pairs: number]>;
}

/** The graph of a causal decoder with rotary position embeddings. */
export interface RotarySignature extends CausalSignature {
  readonly inputs: CausalSignature['inputs'] & {
    readonly rotation_rows: TensorSpec<'int64', readonly ['batch', 'sequence']>;
    readonly rotation_cos: TensorSpec<'float32', readonly ['rotations', number]>;
    readonly rotation_sin: TensorSpec<'float32', readonly ['rotations', number]>;
  };
}

/** Adds the inputs of rotary position embeddings to the signature of a decoder. */
export function rotarySignature({ inputs, outputs }: CausalSignature, headSize: number): RotarySignature {
  const rotation = f32('rotations', headSize / 2);
  return {
    inputs: { ...inputs, rotation_rows: i64('batch', 'sequence'), rotation_cos: rotation, rotation_sin: rotation },
    outputs,
  };
}

/** The rotations among the inputs of a graph. */
export function rotationsOf(inputs: GraphInputs<RotarySignature>): Rotations {
  return { rows: inputs.rotation_rows, cos: inputs.rotation_cos, sin: inputs.rotation_sin };
}

export interface RotaryConfig {
  readonly headDim: number;
  /** Base of the frequencies. */
  readonly ropeTheta: number;
  readonly ropeScaling: RotaryScaling | undefined;
}

/**
 * Rotations of the last `count` positions of a mask over all positions so far. `forward` counts padding as positions,
 * as
 * HF does; decoding does not.
 */
export function rotaryInputs(
  config: RotaryConfig,
  mask: AttentionMask,
  count: number,
  use: 'decoding' | 'forward',
): RotaryInputs {
  return rotations(config, use === 'forward' ? allPositions(mask, count) : countedPositions(mask, count));
}

/** Positions of the last `count` entries of each row, padding included. */
function allPositions(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => row.map((_, index) => index).slice(row.length - count));
}

/** Positions of the last `count` entries of each row, padding excluded. Those of padding are never used. */
function countedPositions(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ : 0)).slice(row.length - count);
  });
}

/** `theta^(−2i / headDim)` of each pair, scaled as configured. */
export function rotaryFrequencies({ headDim, ropeTheta, ropeScaling }: RotaryConfig): Float32Array {
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
 * per position of every row. Angles are rounded to float32, as in HF.
 */
export function rotations(config: RotaryConfig, positions: readonly (readonly number[])[]): RotaryInputs {
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
