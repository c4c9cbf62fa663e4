import { i64 } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { expectClose, type F32, ids, probabilities, product, random, runGraph } from '../fixtures/run-graph.ts';
import type { Graph } from '../graph.ts';
import { cast } from './cast.ts';
import { patchConv } from './conv.ts';
import { scale } from './elementwise.ts';
import { gather } from './gather.ts';
import { matMul } from './matmul.ts';
import { resizeBicubicLike } from './resize.ts';
import { concat, expandBatch, reshape, slice, splitLast, transpose } from './shape.ts';
import { softmax } from './softmax.ts';

describe('patchConv', () => {
  test('returns one vector per whole patch', async () => {
    const [size, channels, out] = [2, 3, 4];
    const x = random(2, channels, 5, 4);
    const weights = { weight: random(out, channels, size, size), bias: random(out) };
    const y = await runGraph({
      inputs: { x },
      weights,
      output: [2, out, 2, 2],
      body: (g, inputs, root) =>
        patchConv(g, inputs['x'] as F32, {
          weight: root.get('weight', [out, channels, size, size]),
          bias: root.get('bias', [out]),
        }),
    });
    const expected: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let o = 0; o < out; o++)
        for (let row = 0; row < 2; row++)
          for (let column = 0; column < 2; column++) {
            let sum = weights.bias.data[o] ?? 0;
            for (let c = 0; c < channels; c++)
              for (let i = 0; i < size; i++)
                for (let j = 0; j < size; j++) {
                  sum +=
                    (x.data[((b * channels + c) * 5 + row * size + i) * 4 + column * size + j] ?? 0) *
                    (weights.weight.data[((o * channels + c) * size + i) * size + j] ?? 0);
                }
            expected.push(sum);
          }
    expectClose(y, expected);
  });
});

describe('resizeBicubicLike', () => {
  /** Cubic convolution with a = −0.75, edges repeated, as torch's `interpolate`. */
  function resizedRow(row: readonly number[], length: number): number[] {
    const a = -0.75;
    const kernel = (t: number): number =>
      t <= 1 ? (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1 : a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a;
    return Array.from({ length }, (_, at) => {
      const centre = (at + 0.5) * (row.length / length) - 0.5;
      const from = Math.floor(centre);
      return [-1, 0, 1, 2].reduce(
        (sum, tap) =>
          sum + (row[Math.min(Math.max(from + tap, 0), row.length - 1)] ?? 0) * kernel(Math.abs(centre - from - tap)),
        0,
      );
    });
  }

  test.each([
    [6, 5],
    [3, 2],
    [4, 4],
  ])('resizes 4 × 4 to %i × %i', async (rows, columns) => {
    const x = random(1, 2, 4, 4);
    const y = await runGraph({
      inputs: { x, like: random(1, 1, rows, columns) },
      output: [1, 2, rows, columns],
      body: (g, inputs) => resizeBicubicLike(g, inputs['x'] as F32, inputs['like'] as F32),
    });
    const expected = [0, 1].flatMap((channel) => {
      const lines = [0, 1, 2, 3].map((row) =>
        resizedRow([...x.data.subarray(channel * 16 + row * 4, channel * 16 + row * 4 + 4)], columns),
      );
      const tall = Array.from({ length: columns }, (_, column) =>
        resizedRow(
          lines.map((line) => line[column] ?? 0),
          rows,
        ),
      );
      return Array.from({ length: rows * columns }, (_, at) => tall[at % columns]?.[Math.floor(at / columns)] ?? 0);
    });
    expectClose(y, expected);
  });
});

describe('operators', () => {
  test('matMul with a factor', async () => {
    const [a, b] = [random(2, 3), random(3, 4)];
    const y = await runGraph({
      inputs: { a, b },
      output: [2, 4],
      body: (g, inputs) => matMul(g, inputs['a'] as F32, inputs['b'] as F32, { alpha: 0.5 }),
    });
    expectClose(
      y,
      product(a.data, b.data, 2, 3, 4).map((value) => value / 2),
    );
  });

  test('softmax over the last axis', async () => {
    const x = random(2, 3);
    const y = await runGraph({ inputs: { x }, output: [2, 3], body: (g, inputs) => softmax(g, inputs['x'] as F32) });
    expectClose(
      y,
      [0, 1].flatMap((row) => probabilities([...x.data.subarray(row * 3, row * 3 + 3)])),
    );
  });

  const x = random(2, 3, 4);
  const at = (b: number, n: number, d: number): number => x.data[(b * 3 + n) * 4 + d] ?? Number.NaN;
  const all = (shape: readonly [number, number, number], pick: (i: number, j: number, k: number) => number): number[] =>
    Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, index) =>
      pick(Math.floor(index / (shape[1] * shape[2])), Math.floor(index / shape[2]) % shape[1], index % shape[2]),
    );

  const moves: readonly (readonly [
    name: string,
    shape: readonly [number, number, number],
    body: (g: Graph, x: F32) => F32,
    pick: (i: number, j: number, k: number) => number,
  ])[] = [
    ['transpose', [3, 4, 2], (g, v) => transpose(g, v, [1, 2, 0]), (i, j, k) => at(k, i, j)],
    ['reshape', [2, 6, 2], (g, v) => reshape(g, v, [0, -1, 2]), (i, j, k) => x.data[(i * 6 + j) * 2 + k] ?? 0],
    ['slice to the end', [2, 2, 4], (g, v) => slice(g, v, 1, 1, Infinity), (i, j, k) => at(i, j + 1, k)],
    ['slice of a range, axis from the end', [2, 3, 2], (g, v) => slice(g, v, -1, 1, 3), (i, j, k) => at(i, j, k + 1)],
    [
      'concat from the end',
      [2, 3, 8],
      (g, v) => concat(g, [v, scale(g, v, 2)], -1),
      (i, j, k) => (k < 4 ? at(i, j, k) : 2 * at(i, j, k - 4)),
    ],
    ['splitLast', [2, 3, 2], (g, v) => splitLast(g, v, 2)[1] ?? v, (i, j, k) => at(i, j, k + 2)],
    [
      'gather from the end',
      [2, 3, 2],
      (g, v) => gather(g, v, g.constant('int64', [2], [3, 0]), -1),
      (i, j, k) => at(i, j, k === 0 ? 3 : 0),
    ],
    ['expandBatch', [2, 3, 4], (g, v) => expandBatch(g, slice(g, v, 0, 1, 2), v), (_, j, k) => at(1, j, k)],
  ];
  test.each(moves)('%s moves elements', async (_, shape, body, pick) => {
    expectClose(
      await runGraph({ inputs: { x }, output: shape, body: (g, inputs) => body(g, inputs['x'] as F32) }),
      all(shape, pick),
      1e-7,
    );
  });

  test('cast', async () => {
    const y = await runGraph({
      inputs: { n: ids([3], [-2, 0, 7]) },
      output: [3],
      body: (g, inputs) => cast(g, inputs['n'] ?? g.input('n', 'int64', i64(3).axes), 'float32'),
    });
    expect([...y]).toEqual([-2, 0, 7]);
  });
});
