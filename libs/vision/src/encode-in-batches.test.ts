import { Blip2VisionConfig } from '@blip2/config';
import type { OnnxModel, PixelValues, Session, SessionOptions, Signature, WeightStore } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { describe, expect, test } from 'vitest';

import { Blip2VisionModel } from './blip2/blip2-vision-model.ts';
import { imagesPerRun } from './encode-in-batches.ts';

const SIZE = 8;
const config = Blip2VisionConfig.create({
  hiddenSize: 32,
  intermediateSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  imageSize: SIZE,
  patchSize: 4,
});

function images(count: number): PixelValues {
  let state = 7;
  const data = Float32Array.from({ length: count * 3 * SIZE * SIZE }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return { type: 'float32', dims: [count, 3, SIZE, SIZE], data };
}

/** Sessions that note how many images each run is given. */
function counting(counts: number[]) {
  return async <S extends Signature>(model: OnnxModel<S>, options?: SessionOptions): Promise<Session<S>> => {
    const session = await createSession(model, options);
    return {
      run: (inputs) => {
        counts.push(Object.values(inputs)[0]?.dims[0] ?? NaN);
        return session.run(inputs);
      },
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  };
}

describe('many images at once', () => {
  test.each(['int8', 'fp32'] as const)('at %s equal each image alone, in order', async (dtype) => {
    const counts: number[] = [];
    await using model = await Blip2VisionModel.fromConfig(config, { seed: 1, dtype, createSession: counting(counts) });
    const all = images(250);
    const { data, dims } = await model.encode(all);
    expect(dims).toEqual([250, 5, 32]);
    // 5 positions each: 120 images are 600 rows.
    expect(counts).toEqual(dtype === 'int8' ? [120, 120, 10] : [250]);
    for (const index of [0, 119, 120, 249]) {
      const each = 3 * SIZE * SIZE;
      const alone = await model.encode({
        type: 'float32',
        dims: [1, 3, SIZE, SIZE],
        data: all.data.subarray(index * each, (index + 1) * each),
      });
      const together = data.subarray(index * 160, (index + 1) * 160);
      const largest = Math.max(...alone.data.map((value, i) => Math.abs(value - (together[i] ?? NaN))));
      expect(largest).toBeLessThan(dtype === 'int8' ? 0.02 : 1e-5);
    }
  });

  test('whose data does not have the size of their shape are rejected', async () => {
    await using model = await Blip2VisionModel.fromConfig(config, { seed: 1, dtype: 'int8' });
    await expect(model.encode({ ...images(250), dims: [200, 3, SIZE, SIZE] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });

  test('of any size: at least one per run', () => {
    const store = {
      folder: '/',
      tensors: new Map(),
      quantized: new Map([['w', { precision: 'int8' }]]),
    } as unknown as WeightStore;
    expect(imagesPerRun(store, { type: 'float32', dims: [4, 3, 1000, 1000], data: new Float32Array() }, 14)).toBe(1);
    expect(imagesPerRun(store, { type: 'float32', dims: [4, 3, 224, 224], data: new Float32Array() }, 14)).toBe(2);
  });
});
