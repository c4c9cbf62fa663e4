import { MASKED } from '@blip2/onnx';
import { expect, test } from 'vitest';

import { causalBias } from './causal-bias.ts';

test('each new position attends to the past and to the new positions up to itself, where the mask is not 0', () => {
  // Two positions of the past in three slots, then two new ones; the second row's first position is padding.
  const { dims, data } = causalBias(
    [
      [1, 1, 1, 1],
      [0, 1, 1, 1],
    ],
    2,
    3,
    2,
  );
  expect(dims).toEqual([2, 1, 2, 5]);
  const M = Math.fround(MASKED);
  expect([...data]).toEqual([0, 0, M, 0, M, 0, 0, M, 0, 0, M, 0, M, 0, M, M, 0, M, 0, 0]);
});
