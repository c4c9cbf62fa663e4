import { expect, test } from 'vitest';

import { learningRate } from '../optimizer/learning-rate.ts';
import { createExampleOrder } from './example-order.ts';
import { microBatches } from './micro-batches.ts';

test('every epoch has each example once, in another order', () => {
  const order = createExampleOrder(7, 3, 5);
  const all = Array.from({ length: 7 }, (_, step) => order.batch(step)).flat();
  const epochs = [0, 7, 14].map((start) => all.slice(start, start + 7));
  for (const epoch of epochs) expect(epoch.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(new Set(epochs.map(String)).size).toBe(3);
});

test('the batch of a step is the same, whatever was asked for before, and depends on the seed', () => {
  const [one, other] = [createExampleOrder(100, 8, 1), createExampleOrder(100, 8, 1)];
  for (const step of [40, 3, 12, 13]) other.batch(step);
  expect(other.batch(12)).toEqual(one.batch(12));
  expect(createExampleOrder(100, 8, 2).batch(12)).not.toEqual(one.batch(12));
});

test('a batch may be larger than the data', () => {
  expect(createExampleOrder(2, 5, 0).batch(3)).toHaveLength(5);
});

test('pieces have rows of similar length, and all of them', () => {
  const pieces = microBatches([5, 1, 4, 2, 3], 2, (length) => length);
  expect(pieces).toEqual([[1, 2], [3, 4], [5]]);
});

test('the rate rises to its peak and falls to 0', () => {
  const schedule = { peak: 8, warmupSteps: 4, steps: 12 };
  const rates = Array.from({ length: 12 }, (_, step) => learningRate(schedule, step));
  expect(rates.slice(0, 5)).toEqual([2, 4, 6, 8, 8]);
  expect(rates[8]).toBeCloseTo(4);
  expect(rates[11]).toBeCloseTo(4 * (1 + Math.cos((7 / 8) * Math.PI)));
  expect(learningRate({ peak: 1, warmupSteps: 0, steps: 1 }, 0)).toBe(1);
});
