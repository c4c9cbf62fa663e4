import { describe, expect, test } from 'vitest';

import { inOrder } from './in-order.ts';

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
};

describe('results of items', () => {
  test.each([1, 2, 3, 10])('keep their order, with at most %i in progress', async (ahead) => {
    let [now, most] = [0, 0];
    const results = await collect(
      inOrder([5, 1, 4, 2, 3, 0], ahead, async (item) => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, item * 3));
        now -= 1;
        return item * 10;
      }),
    );
    expect(results).toEqual([50, 10, 40, 20, 30, 0]);
    expect(most).toBe(Math.min(ahead, 6));
  });

  test('are started only as far as they are requested', async () => {
    const begun: number[] = [];
    function* endless(): Generator<number> {
      for (let item = 0; ; item++) yield item;
    }
    const source = inOrder(endless(), 3, async (item) => begun.push(item));
    expect(begun).toEqual([]);
    await source.next();
    await source.next();
    expect(begun).toEqual([0, 1, 2, 3]);
    await source.return(undefined);
  });

  test('fail at the item that fails; later failures are not unhandled', async () => {
    const source = inOrder([0, 1, 2, 3], 3, async (item) => {
      if (item > 0) throw new TypeError(`item ${item}`);
      return item;
    });
    expect((await source.next()).value).toBe(0);
    await expect(source.next()).rejects.toThrow('item 1');
    expect((await source.next()).done).toBe(true);
  });
});
