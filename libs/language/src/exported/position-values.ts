import { Blip2Error } from '@blip2/interfaces';
import { assumeAxes, cast, type F32, type Graph, mul, type Value } from '@blip2/onnx';

import { type RotaryConfig, rotaryFrequencies } from '../causal/rotary-inputs.ts';
import { countedPositions, integer, type NewPositions, range, unsqueeze } from './sequence-values.ts';

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
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for `longrope`, whose keys depend on the length of the whole text.
 */
export function namedRotations(
  g: Graph,
  config: RotaryConfig,
  { total }: NewPositions,
  name: string,
): Readonly<Record<string, F32>> {
  if (config.ropeScaling?.type === 'longrope')
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'A language model with longrope cannot be exported', {
      where: 'rope_scaling',
      expected: 'default, linear or llama3',
      got: 'longrope',
      fix: 'Export a model with fixed rotations',
    });
  const frequencies = rotaryFrequencies(config);
  const row = g.constant('float32', [1, frequencies.length], [...frequencies]);
  const steps = unsqueeze(g, cast(g, range(g, integer(g, 0), total, 'rotations'), 'float32'), [1], ['rotations', 1]);
  const angles = assumeAxes(mul(g, steps, row), ['rotations', frequencies.length], 'one row per position');
  const turn = (operator: 'Cos' | 'Sin'): F32 => g.node(operator, [angles], { type: 'float32', axes: angles.axes });
  return { [`${name}_cos`]: turn('Cos'), [`${name}_sin`]: turn('Sin') };
}
