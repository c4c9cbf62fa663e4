import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  type ActivationBits,
  f32,
  type OnnxModel,
  type QuantizedWeight,
  type StoredTensor,
  type StoredType,
  type WeightStore,
} from '@blip2/interfaces';
import { activation, buildGraph, linear } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { expect } from 'vitest';

/** Numbers between −1 and 1 that look random and are the same each time. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

type Stored = readonly [name: string, dtype: StoredType, shape: readonly number[], data: ArrayBufferView];

/** Writes tensors into one file, one behind the other. */
export async function stored(
  folder: string,
  file: string,
  tensors: readonly Stored[],
): Promise<Map<string, StoredTensor>> {
  const entries: [string, StoredTensor][] = [];
  const parts: Buffer[] = [];
  let byteOffset = 0;
  for (const [name, dtype, shape, data] of tensors) {
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    entries.push([name, { name, dtype, shape, file: join(folder, file), byteOffset, byteLength: data.byteLength }]);
    byteOffset += data.byteLength;
  }
  await writeFile(join(folder, file), Buffer.concat(parts));
  return new Map(entries);
}

export function required(tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const found = tensors.get(name);
  if (!found) throw new TypeError(`no ${name}`);
  return found;
}

/** A linear layer `fc` over integers, and a bias. */
export interface Case {
  /** What the integers and scales stand for, `[out, in]`. */
  readonly weight: Float64Array;
  readonly store: WeightStore;
}
export type Shape = readonly [out: number, inner: number];

/** Signed bytes `[in, out]`, none beyond `largest`, and one scale per output. */
export async function columns(folder: string, [out, inner]: Shape, largest = 127): Promise<Case> {
  const values = Int8Array.from(noise(out * inner, 3), (value) => Math.round(value * largest));
  const scales = noise(out, 4).map((value) => 0.01 + 0.005 * value);
  const weight = Float64Array.from(
    { length: out * inner },
    (_, i) => (values[(i % inner) * out + Math.floor(i / inner)] ?? 0) * (scales[Math.floor(i / inner)] ?? 0),
  );
  const tensors = await stored(folder, `int8-${out}-${inner}-${largest}`, [
    ['v', 'I8', [inner, out], values],
    ['s', 'F32', [out], scales],
    ['fc.bias', 'F32', [out], noise(out, 5)],
  ]);
  return {
    weight,
    store: storeOf(folder, tensors, {
      precision: 'int8',
      shape: [out, inner],
      values: required(tensors, 'v'),
      scales: required(tensors, 's'),
    }),
  };
}

/** Blocks of unsigned numbers around the middle of their range. */
export async function blocks(
  folder: string,
  precision: 'q8' | 'q4',
  [out, inner]: Shape,
  blockSize: number,
): Promise<Case> {
  const bits = precision === 'q4' ? 4 : 8;
  const count = Math.ceil(inner / blockSize);
  const zero = 2 ** (bits - 1);
  const numbers = Uint8Array.from(noise(out * count * blockSize, 6), (value, i) =>
    i % (count * blockSize) < inner ? Math.floor(((value + 1) / 2) * 2 ** bits) : zero,
  );
  const values =
    bits === 8
      ? numbers
      : Uint8Array.from(
          { length: numbers.length / 2 },
          (_, i) => (numbers[2 * i] ?? 0) | ((numbers[2 * i + 1] ?? 0) << 4),
        );
  const scales = noise(out * count, 7).map((value) => 0.01 + 0.005 * value);
  const weight = Float64Array.from({ length: out * inner }, (_, i) => {
    const [row, column] = [Math.floor(i / inner), i % inner];
    return (
      ((numbers[row * count * blockSize + column] ?? 0) - zero) *
      (scales[row * count + Math.floor(column / blockSize)] ?? 0)
    );
  });
  const shape = [out, count, (blockSize * bits) / 8];
  const tensors = await stored(folder, `${precision}-${out}-${inner}-${blockSize}`, [
    ['v', 'U8', shape, values],
    ['s', 'F32', [out, count], scales],
    ['fc.bias', 'F32', [out], noise(out, 5)],
  ]);
  return {
    weight,
    store: storeOf(folder, tensors, {
      precision,
      shape: [out, inner],
      blockSize,
      values: required(tensors, 'v'),
      scales: required(tensors, 's'),
    }),
  };
}

export function storeOf(
  folder: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  quantized: QuantizedWeight,
): WeightStore {
  return { folder, tensors, quantized: new Map([['fc.weight', quantized]]) };
}

export interface RunOptions {
  /** Default: as many as this machine's kernels take. */
  readonly activationBits?: ActivationBits;
  /** What the layer reads is the result of this. */
  readonly after?: string;
}

/** A session over the layer, and what it makes of a matrix. */
export interface LoadedLayer extends AsyncDisposable {
  run(x: Float32Array): Promise<Float32Array>;
}

export async function loadLayer(
  { store }: Case,
  [out, inner]: Shape,
  { activationBits, after = 'linear' }: RunOptions = {},
): Promise<LoadedLayer> {
  const signature = {
    inputs: { x: f32('batch', 'positions', inner) },
    outputs: { y: f32('batch', 'positions', out) },
  } as const;
  const model = buildGraph({ name: 'linear', signature, weights: store }, (g, inputs, root) => ({
    y: linear(g, activation(g, inputs.x, after), root.at('fc'), { inFeatures: inner, outFeatures: out, bias: true }),
  }));
  const asked: OnnxModel<typeof signature> =
    activationBits === undefined ? model : { ...model, serialize: () => model.serialize({ activationBits }) };
  const session = await createSession(asked, { threads: 1 });
  return {
    async run(x) {
      const { y } = await session.run({ x: { type: 'float32', dims: [1, x.length / inner, inner], data: x } });
      return y.data;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** The results of two runs of a session. */
export async function twoRuns(
  layer: Case,
  x: Float32Array,
  shape: Shape,
  options: RunOptions = {},
): Promise<[Float32Array, Float32Array]> {
  await using loaded = await loadLayer(layer, shape, options);
  return [await loaded.run(x), await loaded.run(x)];
}

/** The result of two runs, which agree. */
export async function run(...args: Parameters<typeof twoRuns>): Promise<Float32Array> {
  const [first, second] = await twoRuns(...args);
  // Weights may have been laid out anew in between: that must not be seen.
  expect(second).toEqual(first);
  return first;
}

/** `x · Wᵀ + b` in double precision. */
export function product(x: ArrayLike<number>, weight: Float64Array, [out, inner]: Shape): number[] {
  const bias = noise(out, 5);
  return Array.from({ length: (x.length / inner) * out }, (_, i) => {
    const [row, output] = [Math.floor(i / out), i % out];
    let sum = bias[output] ?? 0;
    for (let k = 0; k < inner; k++) sum += (x[row * inner + k] ?? 0) * (weight[output * inner + k] ?? 0);
    return sum;
  });
}

/** Each run of `size` numbers of a row of `inner` on a grid of `steps` from zero to its largest. */
export function rounded(x: Float32Array, inner: number, size: number, steps = 127): number[] {
  return Array.from(x, (value, i) => {
    const row = Math.floor(i / inner) * inner;
    const begin = row + Math.floor((i - row) / size) * size;
    const scale = Math.max(...x.subarray(begin, Math.min(begin + size, row + inner)).map(Math.abs)) / steps;
    return scale === 0 ? 0 : Math.round(value / scale) * scale;
  });
}

/** x · Φ(x), of the normal distribution by Simpson's rule. */
export function gelu(x: number): number {
  const steps = 200;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const at = (x * i) / steps;
    sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp((-at * at) / 2);
  }
  return x * (0.5 + (sum * x) / steps / 3 / Math.sqrt(2 * Math.PI));
}

/** Root mean square of the differences, of that of the numbers. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += ((got[i] ?? NaN) - (expected[i] ?? NaN)) ** 2;
    size += (expected[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference / size);
}
