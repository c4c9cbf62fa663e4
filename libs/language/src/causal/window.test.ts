import { MASKED } from '@blip2/onnx';
import { expect, test } from 'vitest';

import { causalBias } from '../decoding/causal-bias.ts';
import { isWindowed, windowOf, withinWindow } from './window.ts';

/** Allowed keys of each query, as text: `x` or `.`. */
function shown({ dims, data }: ReturnType<typeof causalBias>): string[] {
  const [rows, , sequence, total] = dims;
  return Array.from({ length: rows * sequence }, (_, row) =>
    Array.from(data.subarray(row * total, (row + 1) * total), (value) => (value === MASKED ? '.' : 'x')).join(''),
  );
}

test('a position attends to the window that ends with it', () => {
  const mask = [[1, 1, 1, 1, 1]];
  const bias = causalBias(mask, 0, 0, 5);
  const within = withinWindow(bias, { mask, use: 'decoding', window: 3 });
  expect(shown(within)).toEqual(['x....', 'xx...', 'xxx..', '.xxx.', '..xxx']);
});

test('unused slots of the past do not count', () => {
  const mask = [[0, 1, 1, 1, 1, 1]];
  const bias = causalBias(mask, 4, 6, 2);
  expect(shown(bias)).toEqual(['.xxx..x.', '.xxx..xx']);
  const within = (window: number): string[] => shown(withinWindow(bias, { mask, use: 'decoding', window }));
  expect(within(3)).toEqual(['..xx..x.', '...x..xx']);
  expect(within(2)).toEqual(['...x..x.', '......xx']);
  expect(within(1)).toEqual(['......x.', '.......x']);
});

test('padding between texts counts in forward only, as in HF', () => {
  const mask = [[1, 1, 0, 0, 1, 1]];
  const bias = causalBias(mask, 0, 0, 6);
  const last = (use: 'decoding' | 'forward'): string | undefined =>
    shown(withinWindow(bias, { mask, use, window: 3 })).at(-1);
  expect([last('decoding'), last('forward')]).toEqual(['.x..xx', '....xx']);
});

test('a text within the window keeps its bias', () => {
  const mask = [[1, 1, 1]];
  const bias = causalBias(mask, 0, 0, 3);
  expect(withinWindow(bias, { mask, use: 'decoding', window: 3 })).toBe(bias);
});

test('without types every layer has the window, without a window none', () => {
  const types = { slidingWindow: 4, layerTypes: ['full_attention', 'sliding_attention'] } as const;
  expect([0, 1].map((layer) => isWindowed(types, layer))).toEqual([false, true]);
  expect(isWindowed({ slidingWindow: 4 }, 0)).toBe(true);
  expect(isWindowed({ ...types, slidingWindow: undefined }, 1)).toBe(false);
  expect([windowOf(types, 1), windowOf(types, 2)]).toEqual([undefined, 4]);
});
