import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { RgbImage } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { resamplingName } from './filters.ts';
import { resize } from './resize.ts';

type Size = [height: number, width: number];
type Row = [seed: number, from: Size, to: Size, filter: string, sha256: string];
const { rows }: { rows: Row[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/pillow-hashes.json'), 'utf8'),
);

/**
 * Blocks of black, white and noise, whose hard edges make the filters overshoot 0 and 255. The hashes were recorded
 * with the same formula.
 */
function image([height, width]: Size, seed: number): RgbImage {
  const data = new Uint8Array(height * width * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const mixed =
          (Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(c, 83492791) ^ Math.imul(seed, 2654435761)) >>>
          0;
        const noise = Math.imul(mixed ^ (mixed >>> 15), 2246822519) >>> 24;
        data[at++] = [0, 255, noise][((x >> 2) + (y >> 2)) % 3] ?? 0;
      }
    }
  }
  return { type: 'uint8', dims: [height, width, 3], data };
}

describe('equals Pillow bit for bit', () => {
  test.each(rows)('image %i, %j to %j, %s', (seed, from, to, filter, sha256) => {
    const resized = resize(image(from, seed), to[0], to[1], resamplingName(filter) ?? 'nearest');
    expect(resized.dims).toEqual([...to, 3]);
    expect(createHash('sha256').update(resized.data).digest('hex')).toBe(sha256);
  });

  test('all six filters are covered, shrinking and enlarging', () => {
    expect(new Set(rows.map(([, , , filter]) => filter)).size).toBe(6);
    expect(rows.some(([, from, to]) => from[0] > to[0])).toBe(true);
    expect(rows.some(([, from, to]) => from[0] < to[0])).toBe(true);
  });
});

test('the input is not modified', () => {
  const source = image([5, 4], 1);
  const before = source.data.slice();
  resize(source, 3, 9, 'lanczos');
  expect(source.data).toEqual(before);
});

test('resamplingName accepts names and numbers', () => {
  expect([0, 1, 2, 3, 4, 5].map(resamplingName)).toEqual([
    'nearest',
    'lanczos',
    'bilinear',
    'bicubic',
    'box',
    'hamming',
  ]);
  expect(resamplingName('bicubic')).toBe('bicubic');
  expect([6, -1, 'cubic', null, '3'].map(resamplingName)).toEqual(Array.from({ length: 5 }, () => undefined));
});
