import { assumeAxes, cast, type F32, type Graph, mul, type Value } from '@blip2/onnx';

import { type RotaryConfig, rotaryFrequencies, rotationFactor } from '../causal/rotary-inputs.ts';
import { countedPositions, integer, type NewPositions, range, subtract, unsqueeze } from './sequence-values.ts';

/** Computes the inputs of a position encoding inside a graph, by the names of the decoder's inputs. */
export type PositionValues<C> = (g: Graph, config: C, positions: NewPositions) => Readonly<Record<string, Value>>;

/** Rows of a learned position embedding: the position, or that of padding before `offset`. */
export const countedPositionIds: PositionValues<unknown> = (g, _, { ranks }) => ({
  position_ids: countedPositions(g, ranks),
});

/** As HF `OPTLearnedPositionalEmbedding`: rows from `offset` on, and the one before it for padding. */
export function offsetPositionIds(offset: number): PositionValues<unknown> {
  return (g, _, { ranks }) => ({
    position_ids: g.node('Add', [ranks, integer(g, offset - 1)], { type: 'int64', axes: ranks.axes }),
  });
}

/** Rotations of all positions so far, and the row of each new one. */
export const rotationValues: PositionValues<RotaryConfig> = (g, config, positions) => ({
  rotation_rows: countedPositions(g, positions.ranks),
  ...namedRotations(g, config, positions, 'rotation'),
});

/**
 * Cosines and sines of every position, `[rotations, pairs]`, under names that start with `name`.
 */
export function namedRotations(
  g: Graph,
  config: RotaryConfig,
  given: NewPositions,
  name: string,
): Readonly<Record<string, F32>> {
  const { total } = given;
  const row = frequencyRow(g, config, given);
  const steps = unsqueeze(g, cast(g, range(g, integer(g, 0), total, 'rotations'), 'float32'), [1], ['rotations', 1]);
  const angles = assumeAxes(mul(g, steps, row), ['rotations', row.axes[1] ?? 1], 'one row per position');
  const factor = rotationFactor(config);
  const turn = (operator: 'Cos' | 'Sin'): F32 => {
    const turned: F32 = g.node(operator, [angles], { type: 'float32', axes: angles.axes });
    return factor === 1 ? turned : mul(g, turned, g.constant('float32', [], [factor]));
  };
  return { [`${name}_cos`]: turn('Cos'), [`${name}_sin`]: turn('Sin') };
}

/**
 * The frequency of each pair, `[1, pairs]`. With `longrope` they depend on the length of the text. The cached keys of a
 * text that outgrows the original length would have to be rotated anew: its logits are then not numbers.
 */
function frequencyRow(g: Graph, config: RotaryConfig, { allRanks, sequence }: NewPositions): F32 {
  const axes = [1, config.rotaryDim / 2];
  const row = (length: number): F32 => g.constant('float32', axes, [...rotaryFrequencies(config, length)]);
  if (config.ropeScaling?.type !== 'longrope') return row(1);
  const { originalMaxPositionEmbeddings: limit } = config.ropeScaling;
  const compared = (operator: 'Greater' | 'LessOrEqual', a: Value<'int64'>, b: number): Value<'bool'> =>
    g.node(operator, [a, integer(g, b)], { type: 'bool', axes: [] });
  const both = (a: Value<'bool'>, b: Value<'bool'>): Value<'bool'> => g.node('And', [a, b], { type: 'bool', axes: [] });
  const length: Value<'int64'> = g.node(
    'ReduceMax',
    [allRanks],
    { type: 'int64', axes: [] },
    { attributes: { keepdims: { int: 0 } } },
  );
  const isLong = compared('Greater', length, limit);
  const past = subtract(g, length, sequence);
  const wasShort = both(compared('Greater', past, 0), compared('LessOrEqual', past, limit));
  const choose = (condition: Value<'bool'>, yes: F32, no: F32): F32 =>
    g.node('Where', [condition, yes, no], { type: 'float32', axes });
  const own = choose(isLong, row(limit + 1), row(1));
  return choose(both(isLong, wasShort), g.constant('float32', [], [Number.NaN]), own);
}
