import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { processName } from '@blip2/files';
import type { Precision, QuantizedWeight, StoredTensor, WeightStore } from '@blip2/interfaces';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { planOf } from '../fixtures/plans.ts';
import { openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { saveCheckpoint, type SaveDtype } from '../model-folder/save-checkpoint.ts';
import { randomTensorSource } from '../random/random-checkpoint.ts';
import { readRawTensor, readTensor } from '../safetensors/read-tensor.ts';
import { tensorSource } from '../safetensors/tensor-source.ts';
import { convertedWeights } from './converted-weights.ts';
import { blockLayout, quantizeBlocks, quantizeColumns } from './quantize-rows.ts';

let folder = '';
let convertedDir = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-convert-'));
  convertedDir = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** More than one task of work, and more than a file that is recognized by content. */
const LARGE = [2100, 2048] as const;

async function model(
  shape: readonly [number, number] = [24, 40],
  dtype: SaveDtype = 'float32',
  name = 'model',
): Promise<WeightStore> {
  const normal = { kind: 'normal', std: 0.02 } as const;
  const sources = [
    { name: 'fc.weight', shape, init: normal },
    { name: 'fc.bias', shape: [shape[0]], init: normal },
  ].map((tensor) => randomTensorSource(tensor, 7));
  await saveCheckpoint(join(folder, name), sources, { dtype });
  return openCheckpoint(join(folder, name));
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('it is missing');
  return value;
}

async function quantized(
  store: WeightStore,
): Promise<{ readonly weight: QuantizedWeight; readonly values: Uint8Array; readonly scales: Float32Array }> {
  const weight = required(store.quantized?.get('fc.weight'));
  return { weight, values: await readRawTensor(weight.values), scales: (await readTensor(weight.scales)).data };
}

/** Converts the model in another process, which prints the number of steps. */
function convertInProcess(): Promise<{ readonly stdout: string }> {
  const root = fileURLToPath(new URL('../../../../', import.meta.url));
  const script = fileURLToPath(new URL('../fixtures/convert-in-process.ts', import.meta.url));
  const loader = pathToFileURL(join(root, 'tools/testing/test-loader.mjs')).href;
  return promisify(execFile)(process.execPath, ['--import', loader, script, join(folder, 'model'), convertedDir]);
}

async function files(): Promise<string[]> {
  return readdir(join(convertedDir, 'weights')).catch(() => []);
}

const weightOf = (store: WeightStore): StoredTensor => required(store.tensors.get('fc.weight'));

function failure(code: string, words: RegExp): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

/** A matrix `[out, in]` and a copy of it that is stored as `[in, out]`. */
async function matrixAndTranspose(shape: readonly [out: number, inner: number]): Promise<readonly WeightStore[]> {
  const plain = await model(shape);
  const { data } = await readTensor(required(plain.tensors.get('fc.weight')));
  const [out, inner] = shape;
  const turned = Float32Array.from(
    { length: data.length },
    (_, at) => data[(at % out) * inner + Math.floor(at / out)]!,
  );
  const source = tensorSource('fc.weight', { type: 'float32', dims: [inner, out], data: turned });
  await saveCheckpoint(join(folder, 'turned'), [source]);
  return [plain, await openCheckpoint(join(folder, 'turned'))];
}

test.each([
  ['int8', [24, 40]],
  ['q8', [24, 40]],
  ['q4', [24, 40]],
  ['int8', LARGE],
  ['q4', LARGE],
] as const)(
  '%s: a matrix that is stored as [in, out] has the values of its transpose (%o)',
  async (precision, shape) => {
    const [plain, turned] = await matrixAndTranspose(shape);
    const weight = { name: 'fc.weight', shape, precision } as const;
    const one = await quantized(await convertedWeights(required(plain), [weight], 'plain', { convertedDir }));
    const other = await quantized(
      await convertedWeights(required(turned), [{ ...weight, transposed: true }], 'turned', { convertedDir }),
    );
    expect(other.weight.shape).toEqual(shape);
    expect(Buffer.compare(other.values, one.values)).toBe(0);
    expect(other.scales).toEqual(one.scales);
  },
);

describe('what is written', () => {
  test.each([
    ['float32', [24, 40]],
    ['float16', [24, 40]],
    ['bfloat16', [24, 40]],
    ['float32', LARGE],
  ] as const)('%s %s as 8 bits: transposed, with a scale per output', async (dtype, shape) => {
    const store = await model([shape[0], shape[1]], dtype);
    const { weight, values, scales } = await quantized(
      await convertedWeights(store, planOf(store, 'int8'), 'part', { convertedDir, conversionThreads: 2 }),
    );
    const expected = new Int8Array(shape[0] * shape[1]);
    const expectedScales = new Float32Array(shape[0]);
    quantizeColumns((await readTensor(weightOf(store))).data, shape[0], expected, expectedScales);
    expect(weight).toMatchObject({
      precision: 'int8',
      shape: [...shape],
      values: { dtype: 'I8', shape: [shape[1], shape[0]] },
      scales: { dtype: 'F32', shape: [shape[0]] },
    });
    expect(Buffer.compare(values, new Uint8Array(expected.buffer))).toBe(0);
    expect(scales).toEqual(expectedScales);
  });

  test.each([
    ['q4', [24, 40], 32],
    ['q8', [24, 40], 32],
    ['q4', [8, 256], 128],
    ['q4', LARGE, 128],
    ['q8', LARGE, 128],
  ] as const)('%s of %s: blocks of %d', async (precision, shape, blockSize) => {
    const store = await model([shape[0], shape[1]]);
    const { weight, values, scales } = await quantized(
      await convertedWeights(store, planOf(store, precision), 'part', { convertedDir, conversionThreads: 3 }),
    );
    const layout = blockLayout(precision === 'q4' ? 4 : 8, shape[1], blockSize);
    const expected = new Uint8Array(shape[0] * layout.blocks * layout.bytesPerBlock);
    const expectedScales = new Float32Array(shape[0] * layout.blocks);
    quantizeBlocks((await readTensor(weightOf(store))).data, shape[0], layout, expected, expectedScales);
    expect(weight).toMatchObject({
      precision,
      blockSize,
      values: { dtype: 'U8', shape: [shape[0], layout.blocks, layout.bytesPerBlock] },
    });
    expect(Buffer.compare(values, expected)).toBe(0);
    expect(scales).toEqual(expectedScales);
  });

  test('everything else in float32, unchanged', async () => {
    const store = await model([24, 40], 'float16');
    const converted = await convertedWeights(store, planOf(store, 'fp32'), 'part', { convertedDir });
    for (const name of ['fc.weight', 'fc.bias']) {
      expect(converted.tensors.get(name)).toMatchObject({ dtype: 'F32' });
      expect((await readTensor(required(converted.tensors.get(name)))).data).toEqual(
        (await readTensor(required(store.tensors.get(name)))).data,
      );
    }
    expect(converted.quantized?.size).toBe(0);
  });
});

describe('the cache', () => {
  async function convert(store: WeightStore, precision: Precision = 'q4'): Promise<number> {
    let steps = 0;
    await convertedWeights(store, planOf(store, precision), 'part', { convertedDir, onProgress: () => steps++ });
    return steps;
  }

  test.each([
    ['small', [24, 40]],
    ['large', LARGE],
  ] as const)('a %s model is converted once', async (_, shape) => {
    const store = await model([shape[0], shape[1]]);
    expect(await convert(store)).toBeGreaterThan(0);
    expect(await convert(await openCheckpoint(join(folder, 'model')))).toBe(0);
    expect(await files()).toEqual([expect.stringMatching(/^part-[0-9a-f]{32}\.safetensors$/)]);
  });

  test('keeps one file per precision', async () => {
    const store = await model();
    for (const precision of ['q4', 'q8', 'int8', 'fp32'] as const)
      expect(await convert(store, precision)).toBeGreaterThan(0);
    expect(await files()).toHaveLength(4);
  });

  test.each([
    ['small', [24, 40]],
    ['large', LARGE],
  ] as const)(
    'never uses the old conversion of a %s model modified in place, even with the same size and time',
    async (_, shape) => {
      const store = await model([shape[0], shape[1]]);
      await convert(store);
      const { file, byteOffset } = weightOf(store);
      const before = await stat(file);
      const handle = await open(file, 'r+');
      await handle.write(new Uint8Array(Float32Array.of(0.5).buffer), 0, 4, byteOffset);
      await handle.close();
      await utimes(file, before.atime, before.mtime);
      expect((await stat(file)).size).toBe(before.size);
      expect(await convert(await openCheckpoint(join(folder, 'model')))).toBeGreaterThan(0);
    },
  );

  test('recognizes a copy of a small model by its content', async () => {
    await convert(await model());
    expect(await convert(await model([24, 40], 'float32', 'copy'))).toBe(0);
  });

  test('creates a truncated file again', async () => {
    const store = await model();
    await convert(store);
    const [name = ''] = await files();
    await truncate(join(convertedDir, 'weights', name), 200);
    expect(await convert(store)).toBeGreaterThan(0);
  });

  test('converts once for concurrent callers in one process', async () => {
    const store = await model([...LARGE]);
    const steps = await Promise.all([convert(store), convert(store), convert(store)]);
    expect(steps.filter((count) => count > 0)).toHaveLength(1);
    expect(await files()).toHaveLength(1);
  });

  test('converts once for concurrent processes', async () => {
    const store = await model([...LARGE]);
    const results = await Promise.all([convertInProcess(), convertInProcess(), convertInProcess()]);
    // One process converts, the others wait.
    expect(results.filter(({ stdout }) => Number(stdout) > 0)).toHaveLength(1);
    expect(await files()).toHaveLength(1);
    expect(await convert(store)).toBe(0);
  });
});

describe('a converted file that is damaged', () => {
  const damages: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ['by one sign bit', (bytes) => bytes.fill((bytes.at(-1) ?? 0) ^ 0x80, bytes.length - 1)],
    ['in its second half, which is zero', (bytes) => bytes.fill(0, bytes.length / 2)],
    ['in the checksum', (bytes) => Buffer.from(bytes.toString('latin1').replace('"crc32"', '"crc33"'), 'latin1')],
    [
      'in the order of two tensors, in a valid header',
      (bytes) => Buffer.from(bytes.toString('latin1').replace('fc.bias', 'fc.bios'), 'latin1'),
    ],
  ];
  test.each(damages)('%s is created again with a warning, also if its time is set back', async (_, damage) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const store = await model();
    const plan = planOf(store, 'int8');
    const open = async (): Promise<Uint8Array> =>
      (await quantized(await convertedWeights(store, plan, 'part', { convertedDir }))).values;
    const before = await open();
    const [name = ''] = await files();
    const file = join(convertedDir, 'weights', name);
    const packed = join(file.replace('.safetensors', '.packed'), 'graph');
    const bytes = await readFile(file);
    const { atime, mtime } = await stat(file);
    await writeFile(file, damage(Buffer.from(bytes)));
    await utimes(file, atime, mtime);
    await mkdir(packed, { recursive: true });
    expect(await open()).toEqual(before);
    expect(await readFile(file)).toEqual(bytes);
    expect(await files()).toEqual([name]);
    expect(warning).toHaveBeenCalledOnce();
    expect(await open()).toEqual(before);
    expect(warning).toHaveBeenCalledOnce();
    warning.mockRestore();
  });

  test('by two exchanged names in a header without checksum is created again', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await saveCheckpoint(join(folder, 'model'), [
      tensorSource('a', { type: 'float32', dims: [2], data: Float32Array.of(1, 2) }),
      tensorSource('b', { type: 'float32', dims: [2], data: Float32Array.of(3, 4) }),
    ]);
    const store = await openCheckpoint(join(folder, 'model'));
    const read = async (): Promise<Float32Array> => {
      const { tensors } = await convertedWeights(store, planOf(store, 'fp32'), 'part', { convertedDir });
      return (await readTensor(required(tensors.get('a')))).data;
    };
    expect(await read()).toEqual(Float32Array.of(1, 2));
    const [name = ''] = await files();
    const file = join(convertedDir, 'weights', name);
    const text = (await readFile(file)).toString('latin1');
    const exchanged = text.replace('"a":', '"c":').replace('"b":', '"a":').replace('"c":', '"b":');
    await writeFile(file, exchanged.replace('"headerCrc32"', '"headerCrc33"'), 'latin1');
    expect(await read()).toEqual(Float32Array.of(1, 2));
    expect(warning).toHaveBeenCalledOnce();
    warning.mockRestore();
  });

  test('is created by one of several processes that find it', async () => {
    const store = await model([...LARGE]);
    const plan = planOf(store, 'q4');
    await convertedWeights(store, plan, 'part', { convertedDir });
    const [name = ''] = await files();
    const file = join(convertedDir, 'weights', name);
    await using handle = await open(file, 'r+');
    await handle.write(Uint8Array.of(1, 2, 3), 0, 3, (await handle.stat()).size - 3);
    const results = await Promise.all([convertInProcess(), convertInProcess(), convertInProcess()]);
    expect(results.filter(({ stdout }) => Number(stdout) > 0)).toHaveLength(1);
    expect(await files()).toEqual([name]);
  });
});

test('a checkpoint that was replaced after it was opened is not converted', async () => {
  const store = await model();
  await model([40, 24]);
  await expect(convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir })).rejects.toThrow(
    failure('MODEL_CHANGED', /Load the model again/),
  );
  expect(await files()).toEqual([]);
});

describe('leaves nothing after', () => {
  test.each([
    ['small', [24, 40]],
    ['large', LARGE],
  ] as const)('an abort while a %s model is converted', async (_, shape) => {
    const store = await model([shape[0], shape[1]]);
    const aborter = new AbortController();
    const onProgress = (): void => aborter.abort();
    const converting = convertedWeights(store, planOf(store, 'q4'), 'part', {
      convertedDir,
      signal: aborter.signal,
      onProgress,
      conversionThreads: 2,
    });
    await expect(converting).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(await files()).toEqual([]);
  });

  test('another caller that aborts, but completes the other conversion', async () => {
    const store = await model([...LARGE]);
    const aborter = new AbortController();
    // Starts while the first converts, so that `onProgress` is always the first one's.
    let other: ReturnType<typeof convertedWeights> | undefined;
    const onProgress = (): void => {
      other ??= convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir });
      aborter.abort();
    };
    const aborted = convertedWeights(store, planOf(store, 'q4'), 'part', {
      convertedDir,
      signal: aborter.signal,
      onProgress,
    });
    await expect(aborted).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect((await other)?.quantized?.size).toBe(1);
    expect(await files()).toHaveLength(1);
  });

  test.each([
    ['small', [24, 40]],
    ['large', LARGE],
  ] as const)('a weight of a %s model that is not a number', async (_, shape) => {
    const data = new Float32Array(shape[0] * shape[1]);
    data[shape[1] * 3] = NaN;
    await saveCheckpoint(join(folder, 'bad'), [tensorSource('fc.weight', { type: 'float32', dims: [...shape], data })]);
    const store = await openCheckpoint(join(folder, 'bad'));
    await expect(
      convertedWeights(store, planOf(store, 'int8'), 'part', { convertedDir, conversionThreads: 2 }),
    ).rejects.toThrow(failure('INVALID_CHECKPOINT', /not a finite number.*fc\.weight/));
    expect(await files()).toEqual([]);
  });

  test('a checkpoint that changes during the conversion', async () => {
    const store = await model([...LARGE]);
    const { file } = weightOf(store);
    let touched: Promise<void> | undefined;
    const onProgress = (): void => {
      touched ??= utimes(file, new Date(), new Date());
    };
    await expect(convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir, onProgress })).rejects.toThrow(
      failure('INVALID_CHECKPOINT', /changed while it was converted/),
    );
    await touched;
    expect(await files()).toEqual([]);
  });

  test('a killed process: its files are deleted at once, but not those of processes that are running', async () => {
    const [machine = ''] = processName.split('-');
    const names = [`${machine}-9999999`, processName, '00000000-1'].map(
      (owner) => `.old.safetensors.${owner}.01234567.tmp`,
    );
    await mkdir(join(convertedDir, 'weights'), { recursive: true });
    for (const name of [...names, 'kept.safetensors']) {
      await writeFile(join(convertedDir, 'weights', name), 'x');
      await utimes(join(convertedDir, 'weights', name), 0, 0);
    }
    const store = await model();
    await convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir });
    const rest = async (): Promise<string[]> => (await files()).filter((name) => !name.startsWith('part-')).toSorted();
    expect(await rest()).toEqual([...names.slice(1), 'kept.safetensors'].toSorted());
    // Also if nothing is converted.
    await writeFile(join(convertedDir, 'weights', names[0] ?? ''), 'x');
    await convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir });
    expect(await rest()).toEqual([...names.slice(1), 'kept.safetensors'].toSorted());
  });

  test('a tensor that is missing or has another shape', async () => {
    const store = await model();
    const plan = planOf(store, 'q4');
    await expect(
      convertedWeights(store, [...plan, { name: 'no.weight', shape: [1], precision: 'fp32' }], 'part', {
        convertedDir,
      }),
    ).rejects.toThrow(failure('MISSING_WEIGHT', /no\.weight/));
    await expect(
      convertedWeights(store, [{ name: 'fc.weight', shape: [40, 24], precision: 'q4' }], 'part', { convertedDir }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH', /fc\.weight.*40, 24.*24, 40/));
    expect(await files()).toEqual([]);
  });

  test('a write failure, and tells how to choose another cache', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'file'), '');
    const store = await model();
    await expect(
      convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir: join(folder, 'file') }),
    ).rejects.toThrow(failure('WRITE_FAILED', /BLIP2_CACHE/));
  });
});
