import { describe, expect, test } from 'vitest';

import { blockLayout, quantizeBlocks, quantizeColumns } from './quantize-rows.ts';

/** Reproducible sums of four uniform numbers, approximately normal. */
function weightsLike(length: number, seed = 1): Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length }, () => 0.02 * (uniform() + uniform() + uniform() + uniform()));
}

function columns(
  weights: Float32Array,
  rows: number,
): { readonly back: number[]; readonly scales: Float32Array; readonly values: Int8Array; readonly finite: boolean } {
  const inner = weights.length / rows;
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(rows);
  const finite = quantizeColumns(weights, rows, values, scales);
  const back = Array.from(
    weights,
    (_, i) => (values[(i % inner) * rows + Math.floor(i / inner)] ?? 0) * (scales[Math.floor(i / inner)] ?? 0),
  );
  return { back, scales, values, finite };
}

function blocks(
  bits: 4 | 8,
  weights: Float32Array,
  rows: number,
  blockSize: number,
): { readonly back: number[]; readonly values: Uint8Array; readonly scales: Float32Array; readonly finite: boolean } {
  const inner = weights.length / rows;
  const layout = blockLayout(bits, inner, blockSize);
  const values = new Uint8Array(rows * layout.blocks * layout.bytesPerBlock).fill(0xaa);
  const scales = new Float32Array(rows * layout.blocks);
  const finite = quantizeBlocks(weights, rows, layout, values, scales);
  const back = Array.from(weights, (_, i) => {
    const [row, column] = [Math.floor(i / inner), i % inner];
    const block = row * layout.blocks + Math.floor(column / blockSize);
    const within = column % blockSize;
    const byte = values[block * layout.bytesPerBlock + (bits === 8 ? within : within >> 1)] ?? 0;
    const number = bits === 8 ? byte - 128 : ((within % 2 === 0 ? byte : byte >> 4) & 15) - 8;
    return number * (scales[block] ?? 0);
  });
  return { back, values, scales, finite };
}

function relativeError(back: readonly number[], weights: Float32Array): number {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number * number, 0);
  return Math.sqrt(sum(back.map((number, i) => number - (weights[i] ?? 0))) / sum([...weights]));
}

describe('8 bits with a scale per row', () => {
  test('loses at most half a step of each weight, and transposes the matrix', () => {
    const weights = weightsLike(6 * 100);
    const { back, scales, finite } = columns(weights, 6);
    expect(finite).toBe(true);
    back.forEach((number, i) =>
      expect(Math.abs(number - (weights[i] ?? 0))).toBeLessThanOrEqual((scales[Math.floor(i / 100)] ?? 0) * 0.5001),
    );
    expect(scales[2]).toBe(Math.fround(Math.max(...weights.subarray(200, 300).map(Math.abs)) / 127));
  });

  test('restores the largest weight of either sign', () => {
    expect([...columns(Float32Array.of(-3, 1.5, 0, 3), 1).values]).toEqual([-127, 64, 0, 127]);
  });

  test('accepts a row of zeros', () => {
    expect(columns(new Float32Array(8), 2)).toMatchObject({ back: new Array<number>(8).fill(0), finite: true });
  });
});

describe.each([
  [8, 128],
  [8, 32],
  [4, 128],
  [4, 32],
] as const)('%d bits in blocks of %d', (bits, blockSize) => {
  // Root mean square of the error relative to that of the weights. Measured: 0.6, 0.5, 9.6 and 8.1 %.
  const bound = { 8: { 128: 0.007, 32: 0.006 }, 4: { 128: 0.105, 32: 0.09 } }[bits][blockSize];

  test(`loses less than ${100 * bound} % of the weights`, () => {
    const weights = weightsLike(12 * 512);
    const { back, finite } = blocks(bits, weights, 12, blockSize);
    expect(finite).toBe(true);
    expect(relativeError(back, weights)).toBeLessThan(bound);
  });

  test.each([40, 41, 127, 129, 1])('pads the last block of a row of %d with zeros', (inner) => {
    const weights = weightsLike(3 * inner, 5);
    const { back, values } = blocks(bits, weights, 3, blockSize);
    expect(relativeError(back, weights)).toBeLessThan(bound);
    const used = ((inner - 1) % blockSize) + 1;
    const last = values.subarray(values.length - (blockSize * bits) / 8);
    const rest = bits === 8 ? [...last.subarray(used)] : [...last.subarray(Math.ceil(used / 2))];
    expect(new Set(rest)).toEqual(new Set(rest.length > 0 ? [bits === 8 ? 128 : 0x88] : []));
  });

  test('accepts zeros, and a single weight', () => {
    expect(blocks(bits, new Float32Array(64), 2, blockSize)).toMatchObject({
      back: new Array<number>(64).fill(0),
      finite: true,
    });
    const [back] = blocks(bits, Float32Array.of(-0.75), 1, blockSize).back;
    expect(back).toBeCloseTo(-0.75, 6);
  });

  test.each([NaN, Infinity, -Infinity])('returns false if a weight is %d', (bad) => {
    const weights = weightsLike(256);
    weights[200] = bad;
    expect(blocks(bits, weights, 2, blockSize).finite).toBe(false);
    expect(columns(weights, 2).finite).toBe(false);
  });
});

test('the 4-bit scale is the least-squares one: no other scale of the same roundings is better', () => {
  const weights = weightsLike(128, 9);
  const { back, scales } = blocks(4, weights, 1, 128);
  const rescaled = (factor: number): number =>
    relativeError(
      back.map((number) => number * factor),
      weights,
    );
  expect(scales).toHaveLength(1);
  expect(rescaled(1)).toBeLessThan(rescaled(1.002));
  expect(rescaled(1)).toBeLessThan(rescaled(0.998));
});
