import { expect, test } from 'vitest';

import { untilStable } from './warm-up.ts';

test.each([
  ['the last three are within 5 %', [9, 8, 2, 1.99, 2.05, 1], [9, 8, 2, 1.99, 2.05]],
  ['times fall without end', [9, 8, 7, 6, 5, 4, 3], [9, 8, 7, 6, 5, 4]],
  ['the first three are equal', [1, 1, 1, 1], [1, 1, 1]],
  ['two of three are equal', [1, 1, 2, 2, 2.2, 2.1, 3], [1, 1, 2, 2, 2.2, 2.1]],
])('runs until %s', async (_, times, expected) => {
  const left = times.values();
  expect(await untilStable(async () => left.next().value ?? NaN, 6)).toEqual(expected);
});
