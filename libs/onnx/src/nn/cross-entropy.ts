import { Blip2Error } from '@blip2/interfaces';

import { axisAt, formatAxes, sameAxes } from '../axes.ts';
import { withPullback } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import { cast } from '../ops/cast.ts';
import { binary, mul, unary } from '../ops/elementwise.ts';
import { reduce } from '../ops/reduce.ts';
import { shapeOf } from '../ops/shape.ts';
import { compare } from '../ops/where.ts';
import type { F32, Value } from '../value.ts';

/**
 * Mean of `−log softmax(logits)[label]` over all labels that are not negative, `[]`; not a number if all are.
 * Its pullback is `(softmax − one-hot) / count`.
 *
 * @param logits `[…, classes]`
 * @param labels `[…]`, the axes of `logits` without the last; negative to ignore a row.
 * @throws Blip2Error `SHAPE_MISMATCH`
 */
export function crossEntropy(g: Graph, logits: F32, labels: Value<'int64'>): F32 {
  const rank = labels.axes.length;
  if (!sameAxes(labels.axes, logits.axes.slice(0, -1)))
    throw new Blip2Error('SHAPE_MISMATCH', 'There must be one label for each row of logits', {
      where: 'crossEntropy',
      expected: formatAxes(logits.axes.slice(0, -1)),
      got: formatAxes(labels.axes),
    });
  const zero = g.constant('int64', [], [0]);
  const last = g.constant('int64', [1], [rank]);
  const perRow = [...labels.axes, 1];
  const column = <V extends F32 | Value<'int64'>>(x: V): V =>
    g.node('Unsqueeze', [x, last], { type: x.type, axes: perRow }) as V;
  const logProbabilities: F32 = g.node(
    'LogSoftmax',
    [logits],
    { type: 'float32', axes: logits.axes },
    { attributes: { axis: { int: -1 } } },
  );
  const counted = cast(g, compare(g, 'GreaterOrEqual', labels, zero), 'float32');
  const classes = column(g.node('Max', [labels, zero], { type: 'int64', axes: labels.axes }));
  const picked: F32 = g.node(
    'GatherElements',
    [logProbabilities, classes],
    { type: 'float32', axes: perRow },
    { attributes: { axis: { int: -1 } } },
  );
  const total = (x: F32): F32 =>
    reduce(
      g,
      'ReduceSum',
      x,
      x.axes.map((_, index) => index),
      { keep: false },
    );
  const count = total(counted);
  const loss = unary(g, 'Neg', binary(g, 'Div', total(mul(g, picked, column(counted))), count));
  return withPullback(g, loss, [logits], (dy) => [
    () => {
      const minusOne = g.node('Expand', [g.constant('float32', [], [-1]), shapeOf(g, classes)], {
        type: 'float32',
        axes: perRow,
      });
      const difference: F32 = g.node(
        'ScatterElements',
        [unary(g, 'Exp', logProbabilities), classes, minusOne],
        { type: 'float32', axes: [...labels.axes, axisAt(logits.axes, -1, 'crossEntropy')] },
        { attributes: { axis: { int: -1 }, reduction: { string: 'add' } } },
      );
      return mul(g, difference, column(mul(g, counted, binary(g, 'Div', dy, count))));
    },
  ]);
}
