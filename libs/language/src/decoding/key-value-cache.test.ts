import { describe, expect, test } from 'vitest';

import { KeyValueCache, type NewRows } from './key-value-cache.ts';

const size = { layers: 2, heads: 2, headSize: 2 };
/** New rows whose numbers say where they belong: row, position, head and element as digits after `base`. */
function rows(base: number, count: number, sequence: number, from = 0): NewRows {
  const data = Float32Array.from({ length: count * sequence * 4 }, (_, index) => {
    const [row, position, head, element] = [
      Math.floor(index / (sequence * 4)),
      Math.floor(index / 4) % sequence,
      Math.floor(index / 2) % 2,
      index % 2,
    ];
    return base + row * 1000 + (position + from) * 10 + head * 2 + element;
  });
  return { type: 'float32', dims: [count, sequence, 4], data };
}
function append(cache: KeyValueCache, count: number, sequence: number, from: number): void {
  cache.append(
    [rows(1e5, count, sequence, from), rows(2e5, count, sequence, from)],
    [rows(3e5, count, sequence, from), rows(4e5, count, sequence, from)],
  );
}
/** The used slots of one row and head. */
function held(cache: KeyValueCache, row: number, head = 0, layer = 0): number[] {
  const { data } = cache.keys(layer);
  const start = (row * size.heads + head) * cache.capacity * size.headSize;
  return [...data.subarray(start, start + cache.length * size.headSize)];
}

describe('KeyValueCache', () => {
  test('separates rows, heads and layers', () => {
    const cache = new KeyValueCache(size, 2);
    append(cache, 2, 1, 0);
    append(cache, 2, 2, 1);
    expect(cache.length).toBe(3);
    expect(held(cache, 0)).toEqual([100000, 100001, 100010, 100011, 100020, 100021]);
    expect(held(cache, 1, 1, 1)).toEqual([201002, 201003, 201012, 201013, 201022, 201023]);
    expect(cache.values(1).data[0]).toBe(400000);
    expect(cache.keys(0).dims).toEqual([2, 2, cache.capacity, 2]);
  });

  test('grows without losing anything', () => {
    const cache = new KeyValueCache(size, 1);
    for (let position = 0; position < 70; position++) append(cache, 1, 1, position);
    expect(cache.capacity).toBeGreaterThanOrEqual(70);
    expect(held(cache, 0).filter((_, index) => index % 2 === 0)).toEqual(
      Array.from({ length: 70 }, (_, position) => 100000 + position * 10),
    );
  });

  test.each([[[1, 0]], [[0, 0]], [[1, 1, 0]], [[1]], [[0, 1]]])('reorders rows by %j', (parents) => {
    const cache = new KeyValueCache(size, 2);
    append(cache, 2, 1, 0);
    const before = [held(cache, 0), held(cache, 1)];
    cache.reorder(parents);
    expect(cache.rows).toBe(parents.length);
    expect(parents.map((_, row) => held(cache, row))).toEqual(parents.map((parent) => before[parent]));
  });

  test('rejects parents that do not exist, without a change', () => {
    const cache = new KeyValueCache(size, 2);
    append(cache, 2, 1, 0);
    for (const parents of [[2], [-1], [0.5]])
      expect(() => cache.reorder(parents)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(held(cache, 1)).toEqual([101000, 101001]);
  });

  test('overwrites cropped positions', () => {
    const cache = new KeyValueCache(size, 1);
    append(cache, 1, 3, 0);
    cache.crop(1);
    append(cache, 1, 1, 7);
    expect(held(cache, 0)).toEqual([100000, 100001, 100070, 100071]);
  });

  test('writes do not affect its fork', () => {
    const cache = new KeyValueCache(size, 2);
    append(cache, 2, 1, 0);
    const fork = cache.fork();
    expect(fork.keys(0).data).toBe(cache.keys(0).data);
    append(cache, 2, 1, 5);
    append(fork, 2, 1, 6);
    expect(held(cache, 0)).toEqual([100000, 100001, 100050, 100051]);
    expect(held(fork, 0)).toEqual([100000, 100001, 100060, 100061]);
    const second = fork.fork();
    second.reorder([1, 0]);
    expect(held(fork, 0)[0]).toBe(100000);
    expect(held(second, 0)[0]).toBe(101000);
  });
});

/** A cache that keeps the positions of each row in a list. */
interface PlainCache {
  readonly cache: KeyValueCache;
  content: readonly (readonly number[])[];
}

test('any order of appending, reordering, cropping and forking keeps the contents of every row', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let game = 0; game < 40; game++) {
    const count = 1 + random(4);
    let all: readonly PlainCache[] = [
      { cache: new KeyValueCache(size, count), content: Array.from({ length: count }, () => []) },
    ];
    let position = 0;
    for (let move = 0; move < 30; move++) {
      const at = all[random(all.length)];
      if (!at) continue;
      const { cache } = at;
      const kind = random(10);
      if (kind < 4) {
        const added = 1 + random(3);
        append(cache, cache.rows, added, position);
        const start = position;
        at.content = at.content.map((row, index) => [
          ...row,
          ...Array.from({ length: added }, (_, step) => 100_000 + index * 1000 + (start + step) * 10),
        ]);
        position += added;
      } else if (kind < 8) {
        const parents = Array.from({ length: random(4) > 0 ? cache.rows : 1 + random(4) }, () => random(cache.rows));
        cache.reorder(parents);
        at.content = parents.map((parent) => at.content[parent] ?? []);
      } else if (kind === 8) {
        const length = 1 + random(Math.max(1, cache.length));
        cache.crop(length);
        at.content = at.content.map((row) => row.slice(0, length));
      } else if (all.length < 3) all = [...all, { cache: cache.fork(), content: at.content }];
      for (const each of all)
        for (const [row, content] of each.content.entries())
          expect(held(each.cache, row).filter((_, index) => index % 2 === 0)).toEqual(content);
    }
  }
});

test('beams copy only what they do not share', () => {
  const cache = new KeyValueCache(size, 1);
  append(cache, 1, 3, 0);
  cache.reorder([0, 0, 0]);
  append(cache, 3, 1, 3);
  // A mark in a shared position, which a copy of the whole row would carry along.
  cache.keys(0).data[0] = -1;
  cache.reorder([1, 0, 0]);
  expect(held(cache, 0)[0]).toBe(-1);
  expect([0, 1, 2].map((row) => held(cache, row)[6])).toEqual([101030, 100030, 100030]);
  expect(held(cache, 2)[0]).toBe(100000);
});
