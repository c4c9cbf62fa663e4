import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { f32, type ActivationBits, type OnnxModel, type QuantizedWeight, type StoredTensor, type StoredType, type WeightStore } from '@blip2/interfaces';
import { activation, buildGraph, linear, tensorwiseProduct } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-quantized-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Numbers between −1 and 1 that look random and are the same each time. */
function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

type Stored = readonly [name: string, dtype: StoredType, shape: readonly number[], data: ArrayBufferView];

async function stored(file: string, tensors: readonly Stored[]): Promise<Map<string, StoredTensor>> {
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

function required(tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const found = tensors.get(name);
  if (!found) throw new TypeError(`no ${name}`);
  return found;
}

interface Case {
  /** What the integers and scales stand for, `[out, in]`. */
  readonly weight: Float64Array;
  readonly store: WeightStore;
}
type Shape = readonly [out: number, inner: number];

/** Signed bytes `[in, out]`, none beyond `largest`, and one scale per output. */
async function columns([out, inner]: Shape, largest = 127): Promise<Case> {
  const values = Int8Array.from(noise(out * inner, 3), (value) => Math.round(value * largest));
  const scales = noise(out, 4).map((value) => 0.01 + 0.005 * value);
  const weight = Float64Array.from({ length: out * inner }, (_, i) => (values[(i % inner) * out + Math.floor(i / inner)] ?? 0) * (scales[Math.floor(i / inner)] ?? 0));
  const tensors = await stored(`int8-${out}-${inner}-${largest}`, [['v', 'I8', [inner, out], values], ['s', 'F32', [out], scales], ['fc.bias', 'F32', [out], noise(out, 5)]]);
  return { weight, store: storeOf(tensors, { precision: 'int8', shape: [out, inner], values: required(tensors, 'v'), scales: required(tensors, 's') }) };
}

/** Blocks of unsigned numbers around the middle of their range. */
async function blocks(precision: 'q8' | 'q4', [out, inner]: Shape, blockSize: number): Promise<Case> {
  const bits = precision === 'q4' ? 4 : 8;
  const count = Math.ceil(inner / blockSize);
  const zero = 2 ** (bits - 1);
  const numbers = Uint8Array.from(noise(out * count * blockSize, 6), (value, i) => (i % (count * blockSize) < inner ? Math.floor(((value + 1) / 2) * 2 ** bits) : zero));
  const values = bits === 8 ? numbers : Uint8Array.from({ length: numbers.length / 2 }, (_, i) => (numbers[2 * i] ?? 0) | ((numbers[2 * i + 1] ?? 0) << 4));
  const scales = noise(out * count, 7).map((value) => 0.01 + 0.005 * value);
  const weight = Float64Array.from({ length: out * inner }, (_, i) => {
    const [row, column] = [Math.floor(i / inner), i % inner];
    return ((numbers[row * count * blockSize + column] ?? 0) - zero) * (scales[row * count + Math.floor(column / blockSize)] ?? 0);
  });
  const shape = [out, count, (blockSize * bits) / 8];
  const tensors = await stored(`${precision}-${out}-${inner}-${blockSize}`, [['v', 'U8', shape, values], ['s', 'F32', [out, count], scales], ['fc.bias', 'F32', [out], noise(out, 5)]]);
  return { weight, store: storeOf(tensors, { precision, shape: [out, inner], blockSize, values: required(tensors, 'v'), scales: required(tensors, 's') }) };
}

function storeOf(tensors: ReadonlyMap<string, StoredTensor>, quantized: QuantizedWeight): WeightStore {
  return { folder, tensors, quantized: new Map([['fc.weight', quantized]]) };
}

interface RunOptions {
  /** Default: as many as this machine's kernels take. */
  readonly activationBits?: ActivationBits;
  /** What the layer reads is the result of this. */
  readonly after?: string;
}

/** The results of two runs of a session. */
async function twoRuns({ store }: Case, x: Float32Array, [out, inner]: Shape, { activationBits, after = 'linear' }: RunOptions = {}): Promise<[Float32Array, Float32Array]> {
  const signature = { inputs: { x: f32('batch', 'positions', inner) }, outputs: { y: f32('batch', 'positions', out) } } as const;
  const model = buildGraph({ name: 'linear', signature, weights: store }, (g, inputs, root) => ({
    y: linear(g, activation(g, inputs.x, after), root.at('fc'), { inFeatures: inner, outFeatures: out, bias: true }),
  }));
  const asked: OnnxModel<typeof signature> = activationBits === undefined ? model : { ...model, serialize: () => model.serialize({ activationBits }) };
  await using session = await createSession(asked, { threads: 1 });
  const result = async (): Promise<Float32Array> => (await session.run({ x: { type: 'float32', dims: [1, x.length / inner, inner], data: x } })).y.data;
  return [await result(), await result()];
}

async function run(...args: Parameters<typeof twoRuns>): Promise<Float32Array> {
  const [first, second] = await twoRuns(...args);
  // Weights may have been laid out anew in between: that must not be seen.
  expect(second).toEqual(first);
  return first;
}

/** `x · Wᵀ + b` in double precision. */
function product(x: ArrayLike<number>, weight: Float64Array, [out, inner]: Shape): number[] {
  const bias = noise(out, 5);
  return Array.from({ length: (x.length / inner) * out }, (_, i) => {
    const [row, output] = [Math.floor(i / out), i % out];
    let sum = bias[output] ?? 0;
    for (let k = 0; k < inner; k++) sum += (x[row * inner + k] ?? 0) * (weight[output * inner + k] ?? 0);
    return sum;
  });
}

/** Each run of `size` numbers of a row of `inner` on a grid of `steps` from zero to its largest. */
function rounded(x: Float32Array, inner: number, size: number, steps = 127): number[] {
  return Array.from(x, (value, i) => {
    const row = Math.floor(i / inner) * inner;
    const begin = row + Math.floor((i - row) / size) * size;
    const scale = Math.max(...x.subarray(begin, Math.min(begin + size, row + inner)).map(Math.abs)) / steps;
    return scale === 0 ? 0 : Math.round(value / scale) * scale;
  });
}

/** x · Φ(x), of the normal distribution by Simpson's rule. */
function gelu(x: number): number {
  const steps = 200;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const at = (x * i) / steps;
    sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp((-at * at) / 2);
  }
  return x * (0.5 + (sum * x) / steps / 3 / Math.sqrt(2 * Math.PI));
}

/** Root mean square of the differences, of that of the numbers. */
function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += ((got[i] ?? NaN) - (expected[i] ?? NaN)) ** 2;
    size += (expected[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Shapes of full-size and tiny checkpoints, and none that any kernel likes. */
const SHAPES: readonly Shape[] = [[96, 128], [130, 256], [56, 40], [40, 56], [3, 5], [33, 160]];

describe.each([1, 3, 17])('a linear layer over integers, %d positions', (positions) => {
  // With 8 bits, and larger weights, sums of two products would overflow where the processor lacks VNNI.
  it.each(SHAPES.flatMap((shape) => [[8, 127, 63, ...shape], [7, 63, 127, ...shape]] as const))(
    'multiplies signed bytes by rows of activations in %d bits, %d steps to either side; weights up to %d, [%d, %d]', async (activationBits, steps, largest, out, inner) => {
      const shape: Shape = [out, inner];
      const layer = await columns(shape, largest);
      const x = noise(positions * shape[1], 8);
      const y = await run(layer, x, shape, { activationBits });
      // The kernel rounds half to even; only numbers halfway may go elsewhere.
      expect(relativeError(y, product(rounded(x, shape[1], shape[1], steps), layer.weight, shape))).toBeLessThan(1e-5);
      expect(relativeError(y, product(x, layer.weight, shape))).toBeLessThan(1.3 / steps);
    });

  it.each([[8, 255, 63, 'relu'], [7, 127, 127, 'relu'], [8, 223, 63, 'gelu'], [7, 111, 127, 'gelu']] as const)(
    'with %d bits uses %d steps above zero, weights up to %d, after %s', async (activationBits, steps, largest, after) => {
      const shape: Shape = [33, 160];
      const layer = await columns(shape, largest);
      const x = noise(positions * shape[1], 8).map((value) => 4 * value);
      const given = x.map((value) => (after === 'relu' ? Math.max(value, 0) : gelu(value)));
      const y = await run(layer, x, shape, { activationBits, after });
      const byRows = rounded(given, shape[1], shape[1], steps);
      // The runtime's error function is an approximation, so a number near halfway may go elsewhere: by one step.
      expect(relativeError(y, product(byRows, layer.weight, shape))).toBeLessThan(after === 'relu' ? 1e-5 : 0.3 / steps);
      expect(relativeError(y, product(given, layer.weight, shape))).toBeLessThan(1 / steps);
    });

  it.each(['linear', 'relu'])('adds up the largest numbers of all without overflow, after %s', async (after) => {
    const shape: Shape = [40, 1024];
    const x = new Float32Array(positions * shape[1]).fill(1);
    for (const sign of [1, -1]) {
      const weight = new Float64Array(shape[0] * shape[1]).fill(127 * sign);
      const values = new Int8Array(weight.length).fill(127 * sign);
      const tensors = await stored(`largest-${sign}`, [['v', 'I8', [shape[1], shape[0]], values], ['s', 'F32', [shape[0]], new Float32Array(shape[0]).fill(1)], ['fc.bias', 'F32', [shape[0]], noise(shape[0], 5)]]);
      const store = storeOf(tensors, { precision: 'int8', shape, values: required(tensors, 'v'), scales: required(tensors, 's') });
      expect(relativeError(await run({ weight, store }, x, shape, { after }), product(x, weight, shape))).toBeLessThan(1e-5);
    }
  });

  it.each((['q8', 'q4'] as const).flatMap((precision) => SHAPES.flatMap((shape) => [[precision, ...shape, 32] as const, ...(shape[1] % 128 === 0 ? [[precision, ...shape, 128] as const] : [])])))(
    'multiplies blocks of %s, [%d, %d] in blocks of %d', async (precision, out, inner, blockSize) => {
      const layer = await blocks(precision, [out, inner], blockSize);
      const x = noise(positions * inner, 8);
      const y = await run(layer, x, [out, inner]);
      const exact = product(x, layer.weight, [out, inner]);
      const byBlocks = relativeError(y, product(rounded(x, inner, blockSize), layer.weight, [out, inner]));
      expect(relativeError(y, exact)).toBeLessThan(0.01);
      expect(byBlocks).toBeLessThan(1e-5);
    });
});

it('a row of zeros gives the bias, and others keep their scale', async () => {
  const layer = await columns([8, 16]);
  const x = new Float32Array(32);
  x.set(noise(16), 16);
  const y = await run(layer, x, [8, 16]);
  expect([...y.subarray(0, 8)]).toEqual([...noise(8, 5)]);
  expect(relativeError(y, product(x, layer.weight, [8, 16]))).toBeLessThan(0.02);
});

describe('outliers', () => {
  const shape: Shape = [64, 256];
  /** 20 positions, of which `large` are a hundred times as large, or these features of every position. */
  const planted = (positions: readonly number[], features: readonly number[]): Float32Array =>
    noise(20 * 256, 9).map((value, i) => value * (positions.includes(Math.floor(i / 256)) || features.includes(i % 256) ? 100 : 1));
  /** The largest error of a position, of the size of its own result. */
  const worstPosition = (y: Float32Array, exact: readonly number[]): number =>
    Math.max(...Array.from({ length: 20 }, (_, position) => relativeError(y.subarray(position * 64, position * 64 + 64), exact.slice(position * 64, position * 64 + 64))));

  async function tensorwise({ store }: Case, x: Float32Array): Promise<Float32Array> {
    const signature = { inputs: { x: f32('positions', 256) }, outputs: { y: f32('positions', 64) } } as const;
    const model = buildGraph({ name: 'tensorwise', signature, weights: store }, (g, inputs, root) => {
      const weight = root.at('fc').getQuantized('weight', shape);
      if (weight?.precision !== 'int8') throw new TypeError('it is not in 8 bits');
      return { y: tensorwiseProduct(g, inputs.x, weight) };
    });
    await using session = await createSession(model, { threads: 1 });
    const { y } = await session.run({ x: { type: 'float32', dims: [20, 256], data: x } });
    return y.data.map((value, i) => value + (noise(64, 5)[i % 64] ?? 0));
  }

  it('of one position cost the others nothing with a scale per row; with one scale per tensor they ruin them', async () => {
    const layer = await columns(shape);
    const x = planted([0], []);
    const exact = product(x, layer.weight, shape);
    expect(worstPosition(await run(layer, x, shape), exact)).toBeLessThan(0.02);
    expect(worstPosition(await tensorwise(layer, x), exact)).toBeGreaterThan(0.3);
  });

  it('of two features take the bits of the others in their row, but blocks confine them', async () => {
    const x = planted([], [5, 77]);
    // What the other features contribute, without the bias.
    const loss = async (layer: Case): Promise<number> => {
      const share = product(x, layer.weight.map((value, i) => ([5, 77].includes(i % 256) ? 0 : value)), shape).map((value, i) => value - (noise(64, 5)[i % 64] ?? 0));
      const [y, exact] = [await run(layer, x, shape), product(x, layer.weight, shape)];
      const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number * number, 0);
      return Math.sqrt(sum(exact.map((value, i) => (y[i] ?? NaN) - value)) / sum(share));
    };
    expect(await loss(await columns(shape))).toBeGreaterThan(2 * (await loss(await blocks('q8', shape, 32))));
  });
});

describe('weights as the kernels want them', () => {
  const shape: Shape = [96, 128];
  const x = noise(3 * 128, 8);
  const kept = async (layer: Case, name: string): Promise<[layer: Case, cache: string]> => {
    const packedFolder = join(folder, name);
    return [{ ...layer, store: { ...layer.store, packedFolder } }, packedFolder];
  };

  /** Overwrites the integers that the first session read. */
  const spoil = async ({ store }: Case): Promise<void> => {
    const { file = '', byteLength = 0 } = store.quantized?.get('fc.weight')?.values ?? {};
    await writeFile(file, new Uint8Array(byteLength), { flag: 'r+' });
  };

  it.each(['int8', 'q8', 'q4'] as const)('are kept, and a later session takes them from there: %s', async (precision) => {
    const plain = precision === 'int8' ? await columns(shape) : await blocks(precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-${precision}`);
    const expected = await run(plain, x, shape);
    expect(await run(layer, x, shape)).toEqual(expected);
    const [entry = '', ...others] = await readdir(cache);
    expect(others).toEqual([]);
    expect((await readdir(join(cache, entry))).toSorted()).toEqual(['graph.onnx', 'size.json', 'weights.data']);
    // What the first session read is spoilt: the second one has the kept weights, alone or from its second run.
    await spoil(layer);
    const [, second] = await twoRuns(layer, x, shape);
    expect(second).toEqual(expected);
  });

  it('are made again when they have been cut', async () => {
    const [layer, cache] = await kept(await columns(shape), 'packed-cut');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await truncate(join(cache, entry, 'weights.data'), 100);
    expect(await run(layer, x, shape)).toEqual(expected);
    await spoil(layer);
    const [, second] = await twoRuns(layer, x, shape);
    expect(second).toEqual(expected);
  });

  it('are made again when their graph is none', async () => {
    const [layer, cache] = await kept(await columns(shape), 'packed-damaged');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await writeFile(join(cache, entry, 'graph.onnx'), 'no graph');
    expect(await run(layer, x, shape)).toEqual(expected);
  });

  it('are used unkept where the folder cannot be made', async () => {
    await writeFile(join(folder, 'a-file'), '');
    const [layer] = await kept(await columns(shape), 'a-file/packed');
    expect(await run(layer, x, shape)).toEqual(await run(await columns(shape), x, shape));
  });
});
