import type { RotaryScaling } from '@blip2/config';
import { type AttentionMask, Blip2Error, f32, i64, type Tensor, type TensorSpec } from '@blip2/interfaces';
import type { F32, GraphInputs, Rotations } from '@blip2/onnx';

import type { CausalSignature } from './causal-signature.ts';
import { positionsOf } from './positions.ts';

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
export function rotarySignature({ inputs, outputs }: CausalSignature, rotaryDim: number): RotarySignature {
  const rotation = f32('rotations', rotaryDim / 2);
  return {
    inputs: { ...inputs, rotation_rows: i64('batch', 'sequence'), rotation_cos: rotation, rotation_sin: rotation },
    outputs,
  };
}

/** Adds the rotations of windowed layers. */
export function windowRotarySignature({ inputs, outputs }: RotarySignature): RotarySignature {
  const { rotation_cos, rotation_sin } = inputs;
  return { inputs: { ...inputs, window_rotation_cos: rotation_cos, window_rotation_sin: rotation_sin }, outputs };
}

/** The rotations of windowed layers among the inputs of a graph. */
export function windowRotationsOf(inputs: GraphInputs<RotarySignature>): Rotations {
  const table = (name: string): F32 => inputs[name] as F32;
  return {
    rows: inputs.rotation_rows,
    cos: table('window_rotation_cos'),
    sin: table('window_rotation_sin'),
  };
}

/** The rotations among the inputs of a graph. */
export function rotationsOf(inputs: GraphInputs<RotarySignature>): Rotations {
  return { rows: inputs.rotation_rows, cos: inputs.rotation_cos, sin: inputs.rotation_sin };
}

export interface RotaryConfig {
  /** Elements of each head that are rotated. */
  readonly rotaryDim: number;
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
  expectOneRotation(config, mask, count);
  return rotations(config, positionsOf(mask, count, use));
}

/**
 * With `longrope`, the keys of a text that outgrows the original length would have to be rotated anew.
 * @throws Blip2Error `SEQUENCE_TOO_LONG`
 */
function expectOneRotation({ ropeScaling }: RotaryConfig, mask: AttentionMask, count: number): void {
  if (ropeScaling?.type !== 'longrope') return;
  const limit = ropeScaling.originalMaxPositionEmbeddings;
  const length = Math.max(...mask.map((row) => row.filter(Boolean).length));
  const past = length - count;
  if (past === 0 || past > limit || length <= limit) return;
  throw new Blip2Error(
    'SEQUENCE_TOO_LONG',
    'With longrope a text that began short must not outgrow the original length',
    {
      expected: `at most ${limit} positions`,
      got: String(length),
      fix: 'Lower maxNewTokens, or pass a longer prompt',
    },
  );
}

/**
 * `theta^(−2i / rotaryDim)` of each pair, scaled as configured. `length` is the number of positions of the text, which
 * `longrope` depends on.
 */
export function rotaryFrequencies({ rotaryDim, ropeTheta, ropeScaling }: RotaryConfig, length = 1): Float32Array {
  const divisors = ropeScaling?.type === 'longrope' ? longropeDivisors(ropeScaling, length) : undefined;
  const kept = ropeScaling?.type === 'yarn' ? yarnKept({ rotaryDim, ropeTheta, ropeScaling }) : undefined;
  return Float32Array.from({ length: rotaryDim / 2 }, (_, pair) => {
    const exponent = (2 * pair) / rotaryDim;
    if (divisors) return 1 / (Math.fround(divisors[pair] ?? 1) * ropeTheta ** exponent);
    const frequency = Math.fround(1 / ropeTheta ** exponent);
    return kept ? kept(pair, frequency) : scaledFrequency(frequency, ropeScaling);
  });
}

function longropeDivisors(
  { shortFactor, longFactor, originalMaxPositionEmbeddings }: RotaryScaling & { readonly type: 'longrope' },
  length: number,
): readonly number[] {
  return length > originalMaxPositionEmbeddings ? longFactor : shortFactor;
}

/** The frequency of a pair with `yarn`, from that without scaling. */
function yarnKept({
  rotaryDim,
  ropeTheta,
  ropeScaling,
}: RotaryConfig & { readonly ropeScaling: RotaryScaling & { readonly type: 'yarn' } }): (
  pair: number,
  frequency: number,
) => number {
  const { factor, originalMaxPositionEmbeddings: original, betaFast, betaSlow, truncate } = ropeScaling;
  // The pair that turns so often within the original length.
  const pairOf = (turns: number): number =>
    (rotaryDim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  const [low, high] = [pairOf(betaFast), pairOf(betaSlow)];
  const first = Math.max(truncate ? Math.floor(low) : low, 0);
  const last = Math.min(truncate ? Math.ceil(high) : high, rotaryDim - 1);
  const length = first === last ? SMALLEST_RANGE : last - first;
  return (pair, frequency) => {
    const divided = Math.min(1, Math.max(0, (pair - first) / length));
    return (frequency / factor) * divided + frequency * (1 - divided);
  };
}

/** Length of an empty range of pairs, as in HF. */
const SMALLEST_RANGE = 0.001;

/** Factor of cosines and sines. */
export function rotationFactor({ ropeScaling }: Pick<RotaryConfig, 'ropeScaling'>): number {
  return ropeScaling && 'attentionFactor' in ropeScaling ? ropeScaling.attentionFactor : 1;
}

function scaledFrequency(frequency: number, scaling: RotaryScaling | undefined): number {
  if (scaling?.type === 'linear') return frequency / scaling.factor;
  if (scaling?.type !== 'llama3') return frequency;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
  const wavesInText = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (wavesInText - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return (1 - kept) * (frequency / factor) + kept * frequency;
}

/**
 * Cosines and sines of the rotary angles `position · theta^(−2i / rotaryDim)` (arXiv 2104.09864, equation 15), one row
 * per position of every row. Angles are rounded to float32, as in HF.
 */
export function rotations(config: RotaryConfig, positions: readonly (readonly number[])[]): RotaryInputs {
  const pairs = config.rotaryDim / 2;
  const flat = positions.flat();
  const length = flat.reduce((longest, position) => Math.max(longest, position + 1), 1);
  const frequencies = rotaryFrequencies(config, length);
  const factor = rotationFactor(config);
  const angles = Float32Array.from(
    { length: flat.length * pairs },
    (_, index) => (flat[Math.floor(index / pairs)] ?? 0) * (frequencies[index % pairs] ?? 0),
  );
  const table = (turn: (angle: number) => number): Tensor<'float32', [number, number]> => ({
    type: 'float32',
    dims: [flat.length, pairs],
    data: angles.map((angle) => factor * turn(angle)),
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
