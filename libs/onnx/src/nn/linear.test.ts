import { describe, test } from 'vitest';

import { expectClose, type F32, product, random, runGraph, transposed } from '../fixtures/run-graph.ts';
import { linear } from './linear.ts';

describe('linear', () => {
  const x = random(2, 3, 5);
  const weights = { 'fc.weight': random(4, 5), 'fc.bias': random(4) };
  const plain = (bias: boolean): number[] =>
    product(x.data, transposed(weights['fc.weight'].data, 4, 5), 6, 5, 4).map(
      (value, at) => value + (bias ? (weights['fc.bias'].data[at % 4] ?? 0) : 0),
    );

  test.each(['F32', 'F16', 'BF16', 'F64'] as const)('is x · Wᵀ + b over weights stored as %s', async (dtype) => {
    const y = await runGraph({
      inputs: { x },
      weights,
      dtype,
      output: [2, 3, 4],
      body: (g, inputs, root) =>
        linear(g, inputs['x'] as F32, root.at('fc'), { inFeatures: 5, outFeatures: 4, bias: true }),
    });
    expectClose(y, plain(true));
  });

  test('works without a bias', async () => {
    const y = await runGraph({
      inputs: { x },
      weights,
      output: [2, 3, 4],
      body: (g, inputs, root) =>
        linear(g, inputs['x'] as F32, root.at('fc'), { inFeatures: 5, outFeatures: 4, bias: false }),
    });
    expectClose(y, plain(false));
  });
});
