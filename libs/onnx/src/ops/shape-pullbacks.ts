import { integersAttribute, numberAttribute } from '../attribute.ts';
import { axisAt, axisIndex } from '../axes.ts';
import { memo, type Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { binary } from './elementwise.ts';
import { sumTo } from './reduce.ts';
import { concat, shapeOf, transpose } from './shape.ts';

/** A gradient in the shape of `x`, which has as many elements. */
function reshapeTo(g: Graph, dy: F32, x: F32): F32 {
  const lengths = x.axes.map((axis, index) => (typeof axis === 'number' ? axis : axis === dy.axes[index] ? 0 : -1));
  const isInferred = lengths.filter((length) => length === -1).length <= 1;
  const shape = isInferred ? g.constant('int64', [lengths.length], lengths) : shapeOf(g, x);
  return g.node('Reshape', [dy, shape], { type: 'float32', axes: x.axes });
}

/** The length of one axis as a vector of one element. */
function lengthOf(g: Graph, x: Value, axis: number): Value<'int64'> {
  const length = axisAt(x.axes, axis, 'length');
  return typeof length === 'number' ? g.constant('int64', [1], [length]) : shapeOf(g, x, axis, axis + 1);
}

export const SHAPE_PULLBACKS: Pullbacks = {
  Reshape: ({ g, input, dy }) => [() => reshapeTo(g, dy, input(0)), undefined],
  Transpose: ({ g, node, dy }) => [
    () => {
      const permutation = integersAttribute(node, 'perm');
      return transpose(
        g,
        dy,
        permutation.map((_, index) => permutation.indexOf(index)),
      );
    },
  ],
  Concat: ({ g, node, input, dy }) => {
    const axis = axisIndex(dy.axes, numberAttribute(node, 'axis', 0), 'Concat');
    const values = node.input.map((_, index) => input(index));
    const parts = memo(() => {
      const lengths = values.map((value) => lengthOf(g, value, axis)) as [Value<'int64'>, ...Value<'int64'>[]];
      const outputs = values.map(({ axes }) => ({ type: 'float32', axes }) as const);
      return g.multiNode('Split', [dy, concat(g, lengths, 0)], outputs as [(typeof outputs)[0], ...typeof outputs], {
        attributes: { axis: { int: axis } },
      });
    });
    return values.map((_, index) => () => parts()[index] ?? dy);
  },
  /** Parts that nothing depends on have a gradient of zeros. */
  Split: ({ g, node, input, gradients }) => [
    () => {
      const axis = axisIndex(input(0).axes, numberAttribute(node, 'axis', 0), 'Split');
      const outputs = g.valuesOf(node).outputs;
      const parts = outputs.map(
        (output, index): F32 =>
          gradients[index] ??
          g.node('Expand', [g.constant('float32', [], [0]), shapeOf(g, output)], {
            type: 'float32',
            axes: output.axes,
          }),
      );
      return concat(g, parts as [F32, ...F32[]], axis);
    },
    undefined,
  ],
  /** Zeros before and after. */
  Slice: ({ g, input, dy }) => [
    () => {
      const x = input(0);
      const [start, , axes] = [1, 2, 3].map((index) => input(index) as Value as Value<'int64'>) as [
        Value<'int64'>,
        Value<'int64'>,
        Value<'int64'>,
      ];
      const axis = g.numbersOf(axes)?.[0] ?? 0;
      const missing = binary(g, 'Sub', lengthOf(g, x, axis), shapeOf(g, dy, axis, axis + 1));
      const pads = concat(g, [start, binary(g, 'Sub', missing, start)], 0);
      return g.node('Pad', [dy, pads, g.constant('float32', [], [0]), axes], { type: 'float32', axes: x.axes });
    },
    undefined,
    undefined,
    undefined,
  ],
  Expand: ({ g, input, dy }) => [() => sumTo(g, dy, input(0)), undefined],
  Unsqueeze: ({ g, input, dy }) => [() => reshapeTo(g, dy, input(0)), undefined],
};
