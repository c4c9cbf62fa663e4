import { join } from 'node:path';

import { type Attentions, type PixelValues, type RgbImage, slicePositions } from '@blip2/interfaces';
import { Blip2Processor, decodeImage } from '@blip2/processor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { colourTable } from './colour-table.ts';
import { overlayHeatmap } from './overlay-heatmap.ts';
import { queryAttention, type QueryAttentionParts } from './query-attention.ts';

const repository = join(import.meta.dirname, '../../../..');
const demo = join(repository, 'apps/cli/models/blip2-opt-shapes');

describe('queryAttention of the demo checkpoint', () => {
  let opened: CheckpointParts;
  let parts: QueryAttentionParts;
  let pixelValues: PixelValues;
  let crossAttentions: readonly Attentions[];
  beforeAll(async () => {
    opened = await openCheckpointParts(demo, { threads: 1 });
    const [vision, qformer] = [await opened.vision(), await opened.qformer()];
    parts = { vision, qformer };
    ({ pixelValues } = await (
      await Blip2Processor.fromPretrained(demo)
    ).process({ images: [join(repository, 'examples/left-of.png')] }));
    ({ crossAttentions = [] } = await qformer.forward(
      { encoderHiddenStates: await vision.encode(pixelValues) },
      { outputAttentions: true },
    ));
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  /** The expected map, computed index by index in another order. */
  const plain = (layers: readonly Attentions[], before = 1): number[] => {
    const [, heads, queries, positions] = layers[0]!.dims;
    const means = Array.from({ length: positions - before }, (_, patch) => {
      let sum = 0;
      for (const { data } of layers)
        for (let head = 0; head < heads; head++)
          for (let query = 0; query < queries; query++)
            sum += data[(head * queries + query) * positions + before + patch]!;
      return sum / (layers.length * heads * queries);
    });
    return means.map((mean) => mean / Math.max(...means));
  };
  const expectEqual = (actual: Float32Array, expected: readonly number[]): void => {
    expect(actual).toHaveLength(expected.length);
    expect(Math.max(...expected.map((value, index) => Math.abs(value - actual[index]!)))).toBeLessThan(1e-6);
  };

  test('is the mean cross-attention over heads, queries and layers, divided by its maximum', async () => {
    const { imageSize, patchSize } = opened.config.visionConfig;
    const side = imageSize / patchSize;
    const { dims, data } = await queryAttention(parts, pixelValues);
    expect(dims).toEqual([side, side]);
    expect(crossAttentions.length).toBeGreaterThan(1);
    expectEqual(data, plain(crossAttentions));
    expect([Math.max(...data), Math.min(...data) >= 0]).toEqual([1, true]);
  });

  test('selects one layer, and refuses one that does not exist', async () => {
    const { data } = await queryAttention(parts, pixelValues, { layer: 1 });
    expectEqual(data, plain([crossAttentions[1]!]));
    for (const layer of [-1, 0.5, crossAttentions.length])
      await expect(queryAttention(parts, pixelValues, { layer })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('covers all positions of an encoder without a class position', async () => {
    const encode: QueryAttentionParts['vision']['encode'] = async (pixels) => {
      const patches = await parts.vision.encode(pixels);
      return slicePositions(patches, 1, patches.dims[1]);
    };
    const { config } = parts.vision;
    const { crossAttentions: maps = [] } = await parts.qformer.forward(
      { encoderHiddenStates: await encode(pixelValues) },
      { outputAttentions: true },
    );
    const { data } = await queryAttention({ ...parts, vision: { config, encode } }, pixelValues);
    expectEqual(data, plain(maps, 0));
  });

  test('refuses two images, and an encoder whose positions do not form a grid', async () => {
    const two = {
      ...pixelValues,
      dims: [2, ...pixelValues.dims.slice(1)] as [number, number, number, number],
      data: Float32Array.from([...pixelValues.data, ...pixelValues.data]),
    };
    await expect(queryAttention(parts, two)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    const odd: QueryAttentionParts = {
      ...parts,
      vision: { config: { patchSize: 7 }, encode: (pixels) => parts.vision.encode(pixels) },
    };
    await expect(queryAttention(odd, pixelValues)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });

  test('is the same with parts in a worker thread', async () => {
    await using apart = await openCheckpointParts(demo, { threads: 1, isolate: 'worker' });
    expect(await queryAttention({ vision: await apart.vision(), qformer: await apart.qformer() }, pixelValues)).toEqual(
      await queryAttention(parts, pixelValues),
    );
  });

  test('aborts', async () => {
    await expect(queryAttention(parts, pixelValues, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('overlayHeatmap', () => {
  const black = (height: number, width: number): RgbImage => ({
    type: 'uint8',
    dims: [height, width, 3],
    data: new Uint8Array(height * width * 3),
  });
  const colour = (value: number): number[] => [...colourTable.slice(value * 3, value * 3 + 3)];

  test('blends a single colour for a constant map', async () => {
    const rgb = await decodeImage(join(repository, 'examples/left-of.png'));
    const { dims, data } = overlayHeatmap(
      rgb,
      { type: 'float32', dims: [2, 2], data: Float32Array.of(1, 1, 1, 1) },
      { opacity: 0.5 },
    );
    expect(dims).toEqual(rgb.dims);
    expect(Array.from(data)).toEqual(
      Array.from(rgb.data, (level, index) => Math.round((level + [253, 231, 37][index % 3]!) / 2)),
    );
  });

  test('is bilinear between the centres of cells and constant outside them', () => {
    const { data } = overlayHeatmap(
      black(1, 4),
      { type: 'float32', dims: [1, 2], data: Float32Array.of(0, 1) },
      { opacity: 1 },
    );
    expect([...data]).toEqual([...colour(0), ...colour(64), ...colour(191), ...colour(255)]);
    const upright = overlayHeatmap(
      black(4, 1),
      { type: 'float32', dims: [2, 1], data: Float32Array.of(0, 1) },
      { opacity: 1 },
    );
    expect([...upright.data]).toEqual([...data]);
  });

  test('returns the image for opacity 0, and refuses invalid maps', () => {
    const map = { type: 'float32', dims: [1, 1], data: Float32Array.of(1) } as const;
    expect([...overlayHeatmap(black(1, 1), map, { opacity: 0 }).data]).toEqual([0, 0, 0]);
    for (const opacity of [-0.1, 1.1, NaN])
      expect(() => overlayHeatmap(black(1, 1), map, { opacity })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    expect(() => overlayHeatmap(black(1, 1), { ...map, dims: [1, 2] })).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    );
  });

  test('has 256 colours of increasing lightness', () => {
    expect(colourTable).toHaveLength(768);
    expect([colour(0), colour(255)]).toEqual([
      [68, 1, 84],
      [253, 231, 37],
    ]);
    const light = Array.from({ length: 256 }, (_, value) => {
      const [red, green, blue] = colour(value);
      return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
    });
    light.slice(1).forEach((value, index) => expect(value - light[index]!).toBeGreaterThan(-1));
  });
});
