import { Blip2Error } from '@blip2/interfaces';

import { numberAttribute } from '../attribute.ts';
import { axisAt, fixedAxis } from '../axes.ts';
import { memo, type PullbackContext, type Pullbacks, withAxes } from '../gradient/pullback.ts';
import { add } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import { sumTo } from '../ops/reduce.ts';
import { reshape, transpose } from '../ops/shape.ts';
import { softmax, softmaxPullback } from '../ops/softmax.ts';
import type { F32 } from '../value.ts';
import { splitHeads } from './attention.ts';

/** Places of the inputs of `MultiHeadAttention`. */
const [BIAS, PAST] = [5, 6];

/**
 * The fused operator keeps no probabilities. They are computed again from queries, keys and bias, which takes less
 * memory than keeping them and a hundredth of the time of a layer.
 */
export const ATTENTION_PULLBACKS: Pullbacks = {
  'com.microsoft.MultiHeadAttention'({ g, node, input, optional, dy }: PullbackContext) {
    if (optional(PAST))
      throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Attention over cached keys has no gradient', {
        where: node.name,
        fix: 'Build the graph without a cache',
      });
    const numHeads = numberAttribute(node, 'num_heads', 1);
    const width = fixedAxis(input(0).axes, -1, 'query');
    const alpha = numberAttribute(node, 'scale', (width / numHeads) ** -0.5);
    const split = (x: F32): F32 => (x.axes.length === 4 ? x : splitHeads(g, x, numHeads));
    /** A gradient per head in the form of its input, `[batch, positions, width]` or split into heads. */
    const merged = (x: F32, like: F32): F32 =>
      like.axes.length === 4 ? x : reshape(g, transpose(g, x, [0, 2, 1, 3]), [0, 0, fixedAxis(like.axes, -1, 'heads')]);
    const [query, key, value] = [0, 1, 2].map((index) => memo(() => split(input(index)))) as [
      () => F32,
      () => F32,
      () => F32,
    ];
    const upstream = memo(() => split(dy));
    const bias = optional(BIAS);
    const probabilities = memo(() => {
      const scores = matMul(g, query(), key(), { transposeB: true, alpha });
      return softmax(g, bias ? add(g, scores, likeScores(bias, scores)) : scores);
    });
    // Values may name their positions otherwise than keys.
    const scoresGradient = memo(() =>
      softmaxPullback(
        g,
        probabilities(),
        withAxes(matMul(g, upstream(), value(), { transposeB: true }), probabilities()),
      ),
    );
    return [
      () => merged(matMul(g, scoresGradient(), key(), { alpha }), input(0)),
      () => merged(matMul(g, scoresGradient(), query(), { transposeA: true, alpha }), input(1)),
      () => merged(matMul(g, probabilities(), upstream(), { transposeA: true }), input(2)),
      undefined,
      undefined,
      bias && (() => sumTo(g, scoresGradient(), bias)),
    ];
  },
};

/** A bias under the axes of the scores, of which it may name equal lengths otherwise. */
function likeScores(bias: F32, scores: F32): F32 {
  return { ...bias, axes: bias.axes.map((axis, index) => (axis === 1 ? 1 : axisAt(scores.axes, index, 'bias'))) };
}
