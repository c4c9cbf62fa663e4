import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  blocks,
  columns,
  noise,
  product,
  relativeError,
  rounded,
  run,
  type Shape,
} from '../nn/fixtures/quantized-linear.ts';
import { BLOCK_OPSET, MAX_OPSET, MIN_OPSET } from './opsets.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-standard-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ROWS = 3;
/** The last block of some is shorter than the others, and some have an odd number of blocks. */
const SHAPES: readonly (readonly [shape: Shape, blockSize: number])[] = [
  [[33, 160], 128],
  [[8, 96], 32],
  [[5, 70], 32],
  [[40, 256], 128],
];

describe('quantized layers in standard operators', () => {
  test.each(
    SHAPES.flatMap(([shape, blockSize]) =>
      (['q4', 'q8'] as const).flatMap((precision) =>
        [BLOCK_OPSET, MAX_OPSET].map((opset) => [precision, shape, blockSize, opset] as const),
      ),
    ),
  )('multiply by the dequantized weights: %s, %j in blocks of %d, opset %d', async (precision, shape, size, opset) => {
    const layer = await blocks(folder, precision, shape, size);
    const x = noise(ROWS * shape[1], 8);
    expect(relativeError(await run(layer, x, shape, { opset }), product(x, layer.weight, shape))).toBeLessThan(1e-6);
  });

  test.each([MIN_OPSET, MAX_OPSET])('multiply in integers, as the runtime: int8, opset %d', async (opset) => {
    const shape: Shape = [33, 160];
    const layer = await columns(folder, shape);
    const x = noise(ROWS * shape[1], 8);
    const options = { activationBits: 7, opset } as const;
    const expected = product(rounded(x, shape[1], shape[1], 63), layer.weight, shape);
    expect(relativeError(await run(layer, x, shape, options), expected)).toBeLessThan(1e-5);
  });

  test('in blocks need an opset that has them', async () => {
    const shape: Shape = [8, 64];
    const layer = await blocks(folder, 'q4', shape, 32);
    await expect(run(layer, noise(64, 8), shape, { opset: BLOCK_OPSET - 1 })).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(/opset.*21.*20/) as string }),
    );
  });
});
