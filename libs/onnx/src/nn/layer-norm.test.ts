import { describe, test } from 'vitest';

import { expectClose, type F32, random, runGraph } from '../fixtures/run-graph.ts';
import { layerNorm } from './layer-norm.ts';

describe('layerNorm', () => {
  const x = random(2, 3, 6);
  const weights = { 'norm.weight': random(6), 'norm.bias': random(6) };
  // Large enough to show where it enters the formula.
  const epsilon = 0.25;
  const plain = (affine: boolean): number[] =>
    Array.from({ length: 6 }, (_, row) => x.data.subarray(row * 6, row * 6 + 6)).flatMap((values) => {
      const mean = values.reduce((a, b) => a + b) / 6;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 6;
      const normed = Array.from(values, (value) => (value - mean) / Math.sqrt(variance + epsilon));
      return affine
        ? normed.map(
            (value, at) => value * (weights['norm.weight'].data[at] ?? 0) + (weights['norm.bias'].data[at] ?? 0),
          )
        : normed;
    });

  test.each([true, false])('is (x − mean) / √(variance + ε), affine: %s', async (affine) => {
    const y = await runGraph({
      inputs: { x },
      weights,
      output: [2, 3, 6],
      body: (g, inputs, root) => layerNorm(g, inputs['x'] as F32, root.at('norm'), { epsilon, affine }),
    });
    expectClose(y, plain(affine));
  });
});
