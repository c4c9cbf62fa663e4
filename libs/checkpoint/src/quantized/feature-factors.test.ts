import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { WeightStore } from '@blip2/interfaces';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { saveCheckpoint } from '../model-folder/save-checkpoint.ts';
import { readTensor } from '../safetensors/read-tensor.ts';
import { tensorSource } from '../safetensors/tensor-source.ts';
import { convertedWeights } from './converted-weights.ts';
import { featureFactors } from './feature-factors.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-factors-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fold = { norm: 'norm.weight', shift: 'norm.bias', layers: ['a.weight', 'b.weight'] } as const;
const [ROWS, FEATURES] = [200, 16];

/** Norm weights of 1 and matrices of 0.1, with `planted` features `factor` times as large or small. */
async function model(factor: number, planted: readonly number[]): Promise<WeightStore> {
  const gain = Float32Array.from({ length: FEATURES }, (_, i) => (planted.includes(i) ? factor : 1));
  const matrix = (sign: number): Float32Array =>
    Float32Array.from(
      { length: ROWS * FEATURES },
      (_, i) => (sign * (0.1 + (i % 7) / 100)) / (planted.includes(i % FEATURES) ? factor : 1),
    );
  const vector = (data: Float32Array) => ({ type: 'float32', dims: [FEATURES], data }) as const;
  const square = (data: Float32Array) => ({ type: 'float32', dims: [ROWS, FEATURES], data }) as const;
  await saveCheckpoint(folder, [
    tensorSource('norm.weight', vector(gain)),
    tensorSource('norm.bias', vector(gain.map((value) => value / 4))),
    tensorSource('a.weight', square(matrix(1))),
    tensorSource('b.weight', square(matrix(-1))),
  ]);
  return openCheckpoint(folder);
}

async function read(store: WeightStore, name: string): Promise<Float32Array> {
  const stored = store.tensors.get(name);
  if (!stored) throw new TypeError(`no ${name}`);
  return (await readTensor(stored)).data;
}

test('scales outlier features by powers of two', async () => {
  const factors = await featureFactors(await model(64, [3, 9]), fold);
  expect(factors && [...factors]).toEqual(Array.from({ length: FEATURES }, (_, i) => ([3, 9].includes(i) ? 32 : 1)));
});

test('does not scale other features', async () => {
  expect(await featureFactors(await model(3, [3]), fold)).toBeUndefined();
});

test('does not scale features that the norm or the layers zero', async () => {
  expect(await featureFactors(await model(0, [3]), fold)).toBeUndefined();
});

test('moves the factors from the norm to the layers without changing any product', async () => {
  const store = await model(100, [3, 9]);
  const plan = [...store.tensors.values()].map(({ name, shape }) => ({
    name,
    shape,
    precision: 'fp32' as const,
    fold,
  }));
  const converted = await convertedWeights(store, plan, 'part', { convertedDir: join(folder, 'cache') });
  const [gain, folded] = [await read(store, 'norm.weight'), await read(converted, 'norm.weight')];
  expect(folded[3]).toBeLessThan(5);
  expect(folded[4]).toBe(gain[4]);
  for (const name of ['a.weight', 'b.weight']) {
    const [weight, after] = [await read(store, name), await read(converted, name)];
    expect([...after].map((value, i) => value * (folded[i % FEATURES] ?? 0))).toEqual(
      [...weight].map((value, i) => value * (gain[i % FEATURES] ?? 0)),
    );
  }
  const [shift, foldedShift] = [await read(store, 'norm.bias'), await read(converted, 'norm.bias')];
  expect([...foldedShift].map((value, i) => value / (folded[i] ?? 1))).toEqual(
    [...shift].map((value, i) => value / (gain[i] ?? 1)),
  );
});
