import { expect, test } from 'vitest';

import { oneAhead } from './one-ahead.ts';

test('requests the next item while one is processed, and no further', async () => {
  const begun: number[] = [];
  async function* source(): AsyncGenerator<number> {
    for (let item = 0; item < 4; item++) {
      begun.push(item);
      yield item;
    }
  }
  const items = oneAhead(source());
  await new Promise(setImmediate);
  expect(begun).toEqual([0]);
  const seen: [item: number, begun: number][] = [];
  for await (const item of items) {
    await new Promise(setImmediate);
    seen.push([item, begun.length]);
  }
  expect(seen).toEqual([
    [0, 2],
    [1, 3],
    [2, 4],
    [3, 4],
  ]);
});

test('throws a failure at its item', async () => {
  async function* source(): AsyncGenerator<number> {
    yield 1;
    throw new RangeError('second');
  }
  const seen: number[] = [];
  await expect(
    (async () => {
      for await (const item of oneAhead(source())) {
        await new Promise(setImmediate);
        seen.push(item);
      }
    })(),
  ).rejects.toThrow('second');
  expect(seen).toEqual([1]);
});
