import type { Axis } from '@blip2/interfaces';

import { memo, type PullbackContext, type Pullbacks } from '../gradient/pullback.ts';
import { binary, mul } from '../ops/elementwise.ts';
import { lastMean, reduce } from '../ops/reduce.ts';
import type { F32 } from '../value.ts';

/** Statistics of each row that the kernels return: `[…, 1]`. */
function statistic({ g, node, input }: PullbackContext, index: number): F32 {
  const axes: Axis[] = [...input(0).axes.slice(0, -1), 1];
  return g.optionalOutput(node, index, { type: 'float32', axes });
}

/** The sum over all rows: the gradient of a factor or a summand per feature. */
function overRows({ g, dy }: PullbackContext, x: F32): F32 {
  const leading = dy.axes.slice(0, -1).map((_, index) => index);
  return reduce(g, 'ReduceSum', x, leading, { keep: false });
}

/**
 * From the gradient `d` of normalized rows `n = (x − mean) · inverse` to that of `x`:
 * `inverse · (d − mean(d) − n · mean(d · n))`, and without `mean(d)` for norms that do not subtract the mean.
 */
function unnormalize({ g }: PullbackContext, d: F32, n: F32, inverse: F32, isCentred: boolean): F32 {
  const along = binary(g, 'Sub', d, mul(g, n, lastMean(g, mul(g, d, n))));
  return mul(g, isCentred ? binary(g, 'Sub', along, lastMean(g, d)) : along, inverse);
}

export const NORM_PULLBACKS: Pullbacks = {
  LayerNormalization(context) {
    const { g, input, dy } = context;
    const inverse = memo(() => statistic(context, 2));
    const normalized = memo(() => mul(g, binary(g, 'Sub', input(0), statistic(context, 1)), inverse()));
    return [
      () => unnormalize(context, mul(g, dy, input(1)), normalized(), inverse(), true),
      () => overRows(context, mul(g, dy, normalized())),
      () => overRows(context, dy),
    ];
  },
  SimplifiedLayerNormalization(context) {
    const { g, input, dy } = context;
    const inverse = memo(() => statistic(context, 1));
    const normalized = memo(() => mul(g, input(0), inverse()));
    return [
      () => unnormalize(context, mul(g, dy, input(1)), normalized(), inverse(), false),
      () => overRows(context, mul(g, dy, normalized())),
    ];
  },
};
