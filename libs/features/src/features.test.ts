import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { Blip2Error } from '@blip2/interfaces';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import {
  computeFeatures,
  type EncodeImages,
  type FeatureImage,
  type FeatureOutcome,
  imageKey,
  openFeatureStore,
} from './index.ts';

const root = await mkdtemp(join(tmpdir(), 'features-'));
afterAll(() => rm(root, { recursive: true }));
let folder = '';
let number = 0;
beforeEach(() => {
  folder = join(root, `${number++}`);
});

const encoder = 'a'.repeat(64);
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const image = (text: string, name = text): FeatureImage => ({ name, read: async () => bytesOf(text) });
const row = (text: string): { dims: number[]; data: Float32Array } => ({
  dims: [1, 2],
  data: Float32Array.of(text.length / 3, text.charCodeAt(0)),
});
/** A third and two thirds in float16. */
const [THIRD, TWO_THIRDS] = [0.333251953125, 0.66650390625];

/** An encoder that counts what it is given. */
function countingEncoder(): { encode: EncodeImages; calls: string[][] } {
  const calls: string[][] = [];
  return {
    calls,
    async encode(images) {
      const texts = images.map((each) => Buffer.from(each).toString());
      calls.push(texts);
      if (texts.includes('broken')) throw new Blip2Error('INVALID_IMAGE', 'The image is damaged');
      if (texts.includes('fatal')) throw new Blip2Error('DISPOSED', 'The model is gone');
      return texts.map(row);
    },
  };
}

async function all(outcomes: AsyncIterable<FeatureOutcome>): Promise<string[]> {
  const list: string[] = [];
  for await (const { name, status } of outcomes) list.push(`${name} ${status}`);
  return list;
}

describe('features of images', () => {
  test('are computed once, whatever the images are called', async () => {
    const { encode, calls } = countingEncoder();
    {
      await using store = await openFeatureStore(folder, { encoder });
      const images = [image('a'), image('bb'), image('a', 'again')];
      expect(await all(computeFeatures(images, store, encode, { batchSize: 2 }))).toEqual([
        'a encoded',
        'bb encoded',
        'again known',
      ]);
      const { dims, data } = await store.read([imageKey(bytesOf('bb')), imageKey(bytesOf('a'))]);
      expect([dims, [...data]]).toEqual([
        [2, 1, 2],
        [TWO_THIRDS, 98, THIRD, 97],
      ]);
    }
    await using store = await openFeatureStore(folder, { encoder });
    expect([store.size, store.shape]).toEqual([2, [1, 2]]);
    expect(await all(computeFeatures([image('bb', 'renamed'), image('c')], store, encode))).toEqual([
      'renamed known',
      'c encoded',
    ]);
    expect(calls).toEqual([['a', 'bb'], ['c']]);
  });
  test('are safetensors files that other programs read', async () => {
    {
      await using store = await openFeatureStore(folder, { encoder, about: { model: 'demo' }, maxImages: 2 });
      await all(
        computeFeatures(
          ['a', 'bb', 'c'].map((text) => image(text)),
          store,
          countingEncoder().encode,
        ),
      );
    }
    expect((await readdir(folder)).toSorted()).toEqual([
      'features-00000.safetensors',
      'features-00001.safetensors',
      'features.json',
    ]);
    expect(JSON.parse(await readFile(join(folder, 'features.json'), 'utf8'))).toEqual({
      version: 1,
      encoder,
      about: { model: 'demo' },
    });
    const copy = join(root, `${number++}`);
    await cp(folder, copy, { recursive: true });
    await rename(join(copy, 'features-00000.safetensors'), join(copy, 'model.safetensors'));
    const checkpoint = await openCheckpoint(copy);
    const features = checkpoint.tensors.get('features')!;
    expect([features.dtype, features.shape]).toEqual(['F16', [2, 1, 2]]);
    expect([...(await readTensor(features)).data]).toEqual([THIRD, 97, TWO_THIRDS, 98]);
  });
  test('of a damaged image are missing alone', async () => {
    const { encode, calls } = countingEncoder();
    await using store = await openFeatureStore(folder, { encoder });
    const gone: FeatureImage = {
      name: 'gone',
      read: () => Promise.reject(new Blip2Error('MISSING_FILE', 'There is no such file')),
    };
    const images = [image('a'), image('broken'), gone, image('b'), image('broken', 'twice')];
    expect(await all(computeFeatures(images, store, encode))).toEqual([
      'a encoded',
      'broken failed',
      'gone failed',
      'b encoded',
      'twice failed',
    ]);
    expect(store.size).toBe(2);
    expect(calls[0]).toEqual(['a', 'broken', 'b']);
    await expect(all(computeFeatures([image('fatal')], store, encode))).rejects.toMatchObject({ code: 'DISPOSED' });
    const short: EncodeImages = async () => [];
    await expect(all(computeFeatures([image('x')], store, short))).rejects.toThrow(/encode must be 1 tensors/);
  });
  test('are kept when a run is stopped', async () => {
    const { encode } = countingEncoder();
    const controller = new AbortController();
    {
      await using store = await openFeatureStore(folder, { encoder });
      const stopping: EncodeImages = async (images, signal) => {
        if (store.size === 2) controller.abort(new Error('stop'));
        signal?.throwIfAborted();
        return encode(images, signal);
      };
      const images = ['a', 'b', 'c', 'd'].map((text) => image(text));
      const options = { batchSize: 2, signal: controller.signal };
      await expect(all(computeFeatures(images, store, stopping, options))).rejects.toThrow('stop');
    }
    await using store = await openFeatureStore(folder, { encoder });
    expect(store.size).toBe(2);
  });
});

describe('a folder of features', () => {
  const fill = async (): Promise<void> => {
    await using store = await openFeatureStore(folder, { encoder, about: { model: 'one' } });
    await store.append([{ key: imageKey(bytesOf('a')), name: 'a', ...row('a') }]);
  };
  test('is that of one encoder', async () => {
    await fill();
    const opening = openFeatureStore(folder, { encoder: 'b'.repeat(64), about: { model: 'two' } });
    await expect(opening).rejects.toMatchObject({ code: 'OUTPUT_IN_USE' });
    await expect(openFeatureStore(folder, { encoder: 'b', about: { model: 'two' } })).rejects.toThrow(
      /another encoder .*expected two, got one/,
    );
  });
  test('with other files is left alone', async () => {
    await expect(openFeatureStore(root, { encoder })).rejects.toMatchObject({ code: 'OUTPUT_IN_USE' });
    await expect(openFeatureStore(folder, { encoder, readOnly: true })).rejects.toMatchObject({ code: 'MISSING_FILE' });
    expect(await readdir(root)).not.toContain('features.json');
  });
  test('can be read while another process writes', async () => {
    await using writer = await openFeatureStore(folder, { encoder });
    await writer.append([{ key: imageKey(bytesOf('a')), name: 'a', ...row('a') }]);
    await writer.flush();
    await using reader = await openFeatureStore(folder, { encoder, readOnly: true });
    expect(reader.has(imageKey(bytesOf('a')))).toBe(true);
    await expect(reader.append([])).rejects.toThrow(/readOnly/);
    await expect(reader.read(['x'])).rejects.toThrow(/keys\[0\] must be/);
  });
  test('with a damaged file names it', async () => {
    await fill();
    const file = join(folder, 'features-00000.safetensors');
    const bytes = await readFile(file);
    await truncate(file, bytes.length - 1);
    await expect(openFeatureStore(folder, { encoder })).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
    await writeFile(file, Buffer.from(bytes.toString('latin1').replace(encoder, 'c'.repeat(64)), 'latin1'));
    await expect(openFeatureStore(folder, { encoder })).rejects.toThrow(/those of another encoder/);
    await writeFile(
      file,
      Buffer.from(bytes.toString('latin1').replace('blip2-features-1', 'blip2-features-2'), 'latin1'),
    );
    await expect(openFeatureStore(folder, { encoder })).rejects.toThrow(/not a file of image features/);
  });
  test('ignores files that a killed run left', async () => {
    await fill();
    await writeFile(join(folder, 'features-00001.safetensors.tmp'), 'x');
    await using store = await openFeatureStore(folder, { encoder });
    expect(store.size).toBe(1);
  });
  test('refuses values and shapes that it cannot hold', async () => {
    await using store = await openFeatureStore(folder, { encoder });
    const add = (data: number[], dims: number[]): Promise<void> =>
      store.append([{ key: imageKey(bytesOf(String(data))), name: 'x', dims, data: Float32Array.from(data) }]);
    await add([65_504, -65_504], [1, 2]);
    await expect(add([65_505, 0], [1, 2])).rejects.toMatchObject({ code: 'NOT_FINITE' });
    await expect(add([NaN, 0], [1, 2])).rejects.toMatchObject({ code: 'NOT_FINITE' });
    await expect(add([1, 2], [2, 1])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await expect(openFeatureStore(folder, { encoder, maxImages: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
  test('of more files than are kept open is read in any order', async () => {
    await using store = await openFeatureStore(folder, { encoder, maxImages: 1 });
    const texts = Array.from({ length: 40 }, (_, index) => 'x'.repeat(index + 1));
    await store.append(texts.map((text) => ({ key: imageKey(bytesOf(text)), name: text, ...row(text) })));
    const keys = [...texts, ...texts.toReversed()].map((text) => imageKey(bytesOf(text)));
    const { data } = await store.read(keys);
    expect(data[0]).toBe(data[data.length - 2]);
    expect(data[78]).toBeCloseTo(40 / 3, 1);
  });
});
