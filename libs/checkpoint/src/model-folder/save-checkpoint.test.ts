import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { processName } from '@blip2/files';
import type { StoredTensor } from '@blip2/interfaces';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  type Checkpoint,
  openCheckpoint,
  randomTensorSource,
  readRawTensor,
  readTensor,
  saveCheckpoint,
  storedTensorSource,
  type TensorSource,
  tensorSource,
  writeSafetensors,
} from '../index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-save-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const floats = (name: string, ...values: number[]): TensorSource =>
  tensorSource(name, { type: 'float32', dims: [values.length], data: Float32Array.from(values) });
function stored(checkpoint: Checkpoint, name: string): StoredTensor {
  return checkpoint.tensors.get(name) ?? expect.fail(`no ${name}`);
}
const sourcesOf = (checkpoint: Checkpoint): TensorSource[] =>
  [...checkpoint.tensors.values()].map((tensor) => storedTensorSource(tensor));
const mega = 2 ** 20;

describe('saveCheckpoint', () => {
  test('writes one file that can be opened, wide elements first and aligned', async () => {
    const sources = [
      tensorSource('flags', { type: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) }),
      floats('x', 1.5, -2),
      tensorSource('ids', { type: 'int64', dims: [1, 1], data: BigInt64Array.of(-7n) }),
      floats('none'),
    ];
    await saveCheckpoint(folder, sources);
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    const checkpoint = await openCheckpoint(folder);
    expect([...checkpoint.tensors.keys()]).toEqual(['ids', 'x', 'none', 'flags']);
    for (const { byteOffset, dtype } of checkpoint.tensors.values())
      expect(byteOffset % (dtype === 'BOOL' ? 1 : 4)).toBe(0);
    expect(checkpoint.metadata.get('format')).toBe('pt');
    expect([...(await readTensor(stored(checkpoint, 'x'))).data]).toEqual([1.5, -2]);
    expect(await readRawTensor(stored(checkpoint, 'flags'))).toEqual(Uint8Array.of(1, 0, 1));
  });

  test('splits into shards with an index, in the Hugging Face layout', async () => {
    await saveCheckpoint(folder, [floats('a', 1, 2), floats('b', 3), floats('large', 1, 2, 3, 4, 5), floats('c', 9)], {
      maxShardBytes: 12,
    });
    expect((await readdir(folder)).toSorted()).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      'model.safetensors.index.json',
    ]);
    expect(JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'))).toEqual({
      metadata: { total_size: 36 },
      weight_map: {
        a: 'model-00001-of-00003.safetensors',
        b: 'model-00001-of-00003.safetensors',
        c: 'model-00003-of-00003.safetensors',
        large: 'model-00002-of-00003.safetensors',
      },
    });
    const checkpoint = await openCheckpoint(folder);
    expect([...(await readTensor(stored(checkpoint, 'large'))).data]).toEqual([1, 2, 3, 4, 5]);
  });

  test('converts floating-point tensors and keeps integers', async () => {
    await saveCheckpoint(
      folder,
      [floats('x', 1, 1 / 3, 70000), tensorSource('i', { type: 'int32', dims: [1], data: Int32Array.of(5) })],
      { dtype: 'float16' },
    );
    const half = await openCheckpoint(folder);
    expect([stored(half, 'x').dtype, stored(half, 'i').dtype]).toEqual(['F16', 'I32']);
    expect([...(await readTensor(stored(half, 'x'))).data]).toEqual([1, 0.333251953125, Infinity]);
    const again = join(folder, 'again');
    await saveCheckpoint(again, sourcesOf(half), { dtype: 'bfloat16' });
    expect([...(await readTensor(stored(await openCheckpoint(again), 'x'))).data]).toEqual([1, 0.333984375, Infinity]);
    await saveCheckpoint(again, sourcesOf(half), { dtype: 'float32' });
    expect(stored(await openCheckpoint(again), 'x').dtype).toBe('F32');
  });

  test('converts chunks that end within an element', async () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const source: TensorSource = {
      name: 'x',
      dtype: 'F32',
      shape: [3],
      chunks: () => [bytes.subarray(0, 3), bytes.subarray(3, 4), bytes.subarray(4, 11), bytes.subarray(11)],
    };
    await saveCheckpoint(folder, [source], { dtype: 'float16' });
    expect([...(await readTensor(stored(await openCheckpoint(folder), 'x'))).data]).toEqual([1, 2, 3]);
  });

  test('replaces existing weights, also when reading from the same folder', async () => {
    await saveCheckpoint(folder, [floats('a', 1), floats('b', 2)], { maxShardBytes: 4 });
    await writeFile(join(folder, 'config.json'), '{}');
    await saveCheckpoint(folder, sourcesOf(await openCheckpoint(folder)));
    expect((await readdir(folder)).toSorted()).toEqual(['config.json', 'model.safetensors']);
    await saveCheckpoint(folder, sourcesOf(await openCheckpoint(folder)), { maxShardBytes: 4, dtype: 'bfloat16' });
    expect([...(await openCheckpoint(folder)).tensors.values()].map(({ dtype }) => dtype)).toEqual(['BF16', 'BF16']);
    expect((await readdir(folder)).toSorted()).toEqual(['config.json', 'model.safetensors']);
    await saveCheckpoint(folder, sourcesOf(await openCheckpoint(folder)), { maxShardBytes: 2 });
    expect(await readdir(folder)).not.toContain('model.safetensors');
  });

  test('leaves existing files unchanged, and nothing new, on failure or abort', async () => {
    await saveCheckpoint(folder, [floats('old', 1)]);
    const before = await readFile(join(folder, 'model.safetensors'));
    const failing: TensorSource = {
      name: 'x',
      dtype: 'F32',
      shape: [2],
      *chunks() {
        yield new Uint8Array(4);
        throw new RangeError('the source broke');
      },
    };
    const controller = new AbortController();
    const stopping: TensorSource = {
      name: 'x',
      dtype: 'F32',
      shape: [2],
      *chunks() {
        yield new Uint8Array(4);
        controller.abort();
        yield new Uint8Array(4);
      },
    };
    const short: TensorSource = { name: 'x', dtype: 'F32', shape: [2], chunks: () => [new Uint8Array(7)] };
    const long: TensorSource = { name: 'x', dtype: 'F32', shape: [2], chunks: () => [new Uint8Array(9)] };
    const first = floats('first', 1, 2);
    await expect(saveCheckpoint(folder, [first, failing], { maxShardBytes: 8 })).rejects.toThrow('the source broke');
    await expect(
      saveCheckpoint(folder, [first, stopping], { maxShardBytes: 8, signal: controller.signal }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    await expect(saveCheckpoint(folder, [first, short])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('expected 8 bytes, got 7'),
    });
    await expect(saveCheckpoint(folder, [first, long])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(saveCheckpoint(folder, [first, first])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('same name'),
    });
    await expect(saveCheckpoint(join(folder, 'deep/new'), [short])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(before);
  });

  test.each([
    [{ name: '__metadata__' }],
    [{ name: '' }],
    [{ shape: [-1] }],
    [{ shape: [0.5] }],
    [{ shape: [2 ** 40, 2 ** 40] }],
  ])('refuses the tensor %j', async (wrong) => {
    await expect(saveCheckpoint(folder, [{ ...floats('x', 1), ...wrong }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test('reports write failures', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(saveCheckpoint(join(folder, 'file'), [floats('x', 1)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
    await expect(writeSafetensors(join(folder, 'nowhere/x.safetensors'), [floats('x', 1)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('ENOENT'),
    });
    await mkdir(join(folder, 'taken.safetensors/inner'), { recursive: true });
    await expect(writeSafetensors(join(folder, 'taken.safetensors'), [floats('x', 1)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
    expect((await readdir(folder)).toSorted()).toEqual(['file', 'taken.safetensors']);
    const enormous: TensorSource = { name: 'x', dtype: 'U8', shape: [2 ** 52], chunks: () => [] };
    await expect(saveCheckpoint(folder, [enormous])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('Not enough free space'),
    });
  });

  test('deletes the unfinished files of killed processes', async () => {
    const left = `.model-00001-of-00002.safetensors.${processName.split('-')[0]}-9999999.01234567.tmp`;
    await writeFile(join(folder, left), 'large');
    await saveCheckpoint(folder, [floats('x', 1)]);
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  test('never modifies a weight file in place', async () => {
    await saveCheckpoint(folder, [floats('x', 1)]);
    const { ino } = await stat(join(folder, 'model.safetensors'));
    await saveCheckpoint(folder, [floats('x', 2)]);
    expect((await stat(join(folder, 'model.safetensors'))).ino).not.toBe(ino);
  });

  test('reports progress over all files', async () => {
    const seen: [string, number, number][] = [];
    await saveCheckpoint(folder, [floats('a', 1, 2), floats('b', 3)], {
      maxShardBytes: 8,
      onProgress: ({ file, loaded, total }) => void seen.push([file, loaded, total]),
    });
    expect(seen).toEqual([
      ['model-00001-of-00002.safetensors', 8, 12],
      ['model-00002-of-00002.safetensors', 12, 12],
    ]);
  });

  test('needs far less memory than it writes', async () => {
    // 128 MiB of tensors, converted while writing. The largest has 96 MiB.
    const sources = [
      randomTensorSource({ name: 'a', shape: [24 * mega], init: { kind: 'normal', std: 1 } }),
      randomTensorSource({ name: 'b', shape: [8, mega], init: { kind: 'ones' } }),
    ];
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    await saveCheckpoint(folder, sources, {
      dtype: 'bfloat16',
      onProgress: () => void (peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)),
    });
    expect((await stat(join(folder, 'model.safetensors'))).size).toBeGreaterThan(64 * mega);
    expect(peak).toBeLessThan(48 * mega);
  });
});
