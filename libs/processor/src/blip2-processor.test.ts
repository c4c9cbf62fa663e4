import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { RawImage } from '@blip2/interfaces';
import { afterAll, describe, expect, test } from 'vitest';

import { Blip2Processor, BlipImageProcessor } from './index.ts';

const checkpoint = (name: string): string =>
  join(import.meta.dirname, '../../../tools/parity/cases', name, 'checkpoint');
const modern = await Blip2Processor.fromPretrained(checkpoint('opt'));
const legacy = await Blip2Processor.fromPretrained(checkpoint('opt-legacy-fp16'));
const image: RawImage = {
  data: Uint8Array.from({ length: 4 * 4 * 3 }, (_, at) => at * 5),
  width: 4,
  height: 4,
  channels: 3,
};
const folder = mkdtempSync(join(tmpdir(), 'processor-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('Blip2Processor', () => {
  test('returns the outputs of the given inputs only', async () => {
    expect(Object.keys(await modern.process({ images: image }))).toEqual(['pixelValues']);
    expect(Object.keys(await modern.process({ text: 'a' }))).toEqual(['inputIds', 'attentionMask']);
    expect(Object.keys(await modern.process({ images: [image, image], text: ['a', 'b'] })).sort()).toEqual([
      'attentionMask',
      'inputIds',
      'pixelValues',
    ]);
  });
  test('prepends image tokens before left padding, and none without images', async () => {
    const { inputIds } = await modern.process(
      { images: [image, image], text: ['a', 'a photo of'] },
      { padding: true, paddingSide: 'left' },
    );
    expect(inputIds?.[0]).toEqual([420, 420, 420, 420, 420, 420, 1, 1, 1, 1, 1, 2, 68]);
    expect((await modern.process({ text: 'a' })).inputIds).toEqual([[2, 68]]);
  });
  test('reduces maxLength by the image tokens, also for text without images', async () => {
    expect((await modern.process({ text: 'a photo of' }, { maxLength: 10 })).inputIds).toEqual([[2, 68, 285, 329]]);
    await expect(modern.process({ text: 'a' }, { maxLength: 5 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('at least 6'),
    });
  });
  test('adds no image tokens for legacy checkpoints', async () => {
    expect([modern.numQueryTokens, legacy.numQueryTokens]).toEqual([6, undefined]);
    expect((await legacy.process({ images: image, text: 'a' })).inputIds).toEqual([[2, 68]]);
  });
  test('decodes, omitting special tokens on request', () => {
    expect(modern.decode([420, 2, 68])).toBe('<image></s>a');
    expect(modern.batchDecode([[420, 2, 68], [1]], { skipSpecialTokens: true })).toEqual(['a', '']);
  });
  test('prevents the injection of special tokens on request', async () => {
    const text = '<image></s>';
    expect((await modern.process({ text })).inputIds).toEqual([[2, 420, 2]]);
    const [row = []] = (await modern.process({ text }, { escapeSpecialTokens: true })).inputIds ?? [];
    expect(row.slice(1).filter((id) => id === 420 || id === 2)).toEqual([]);
  });
  test('rejects missing and invalid inputs', async () => {
    const bad: readonly object[] = [{}, { text: [] }, { text: [5] }, { text: 5 }, { images: [] }];
    for (const inputs of bad) await expect(modern.process(inputs)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
  test('rejects an invalid number of image tokens', async () => {
    cpSync(checkpoint('opt-legacy-fp16'), folder, { recursive: true });
    for (const value of ['32', -1, 1e9, 0.5]) {
      writeFileSync(join(folder, 'processor_config.json'), JSON.stringify({ num_query_tokens: value }));
      await expect(Blip2Processor.fromPretrained(folder)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    }
  });
});

describe('BlipImageProcessor', () => {
  test('reads both file layouts; the class default is 384 pixels', async () => {
    expect((await BlipImageProcessor.fromPretrained(checkpoint('t5'))).settings.size).toEqual({
      height: 32,
      width: 32,
    });
    expect((await BlipImageProcessor.fromPretrained(checkpoint('opt-legacy-fp16'))).settings.size).toEqual({
      height: 224,
      width: 224,
    });
    expect(BlipImageProcessor.fromJson({}).settings.size).toEqual({ height: 384, width: 384 });
  });
  test('rounds like HF: product in float64, difference and quotient in float32', async () => {
    const black: RawImage = { data: Uint8Array.of(0, 0, 0), width: 1, height: 1, channels: 3 };
    const { pixelValues } = await BlipImageProcessor.fromJson({ size: 1 }).process(black);
    expect([...pixelValues.data]).toEqual([-1.7922625541687012, -1.7520971298217773, -1.480219841003418]);
  });
  test('accepts sizes and statistics as one number, filters by name', async () => {
    const processor = BlipImageProcessor.fromJson({});
    const byName = await processor.process(image, { size: 8, resample: 'bilinear', imageMean: 0.5, imageStd: 0.5 });
    const byNumber = await processor.process(image, {
      size: { height: 8, width: 8 },
      resample: 2,
      imageMean: [0.5, 0.5, 0.5],
      imageStd: [0.5, 0.5, 0.5],
    });
    expect(byName.pixelValues.dims).toEqual([1, 3, 8, 8]);
    expect(byName).toEqual(byNumber);
  });
  test('returns uint8 values if neither rescaled nor normalised', async () => {
    const { pixelValues } = await BlipImageProcessor.fromJson({}).process(image, {
      doResize: false,
      doRescale: false,
      doNormalize: false,
    });
    expect(pixelValues.type).toBe('uint8');
    expect([...pixelValues.data.subarray(0, 3)]).toEqual([0, 15, 30]);
  });
  test('rejects batches of different sizes without resizing', async () => {
    const wide: RawImage = { data: new Uint8Array(24), width: 4, height: 2, channels: 3 };
    await expect(BlipImageProcessor.fromJson({}).process([image, wide], { doResize: false })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });
  test.each([
    { size: 0 },
    { size: 1e6 },
    { size: { longest_edge: 224 } },
    { size: { shortest_edge: 2 ** 13 } },
    { size: { shortest_edge: 8, longest_edge: 0 } },
    { size: [8, 8, 8] },
    { size: [8] },
    { doCenterCrop: true, cropSize: { shortestEdge: 8 } },
    { resample: 9 },
    { resample: 'cubic' },
    { imageStd: 0 },
    { imageMean: [1, 2] },
    { rescaleFactor: Number.NaN },
    { doResize: 'yes' },
  ])('rejects %j', async (options) => {
    await expect(BlipImageProcessor.fromJson({}).process(image, options as object)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
  test.each([
    { size: { longest_edge: 224 } },
    { do_pad: true, pad_size: { height: 512, width: 512 } },
    { do_thumbnail: true },
    { do_center_crop: true, crop_size: { shortest_edge: 8 } },
    { size: { height: 2 ** 31, width: 2 ** 31 } },
    { do_center_crop: true },
    { image_std: [1, 1] },
    { resample: 42 },
    { size: null },
    { resample: null },
    { image_mean: null },
    { rescale_factor: null },
  ])('rejects a file with %j', (json) => {
    expect(() => BlipImageProcessor.fromJson(json)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });
  test('padding to the largest image and size_divisor have no effect, as in HF', () => {
    const plain = BlipImageProcessor.fromJson({}).settings;
    expect(BlipImageProcessor.fromJson({ do_pad: true, size_divisor: 32, pad_size: null }).settings).toEqual(plain);
  });
  test('null disables a step, whose settings may then be null', () => {
    const file = {
      do_resize: null,
      size: null,
      do_rescale: null,
      rescale_factor: null,
      do_normalize: null,
      image_std: null,
    };
    expect(BlipImageProcessor.fromJson(file).settings).toMatchObject({
      doResize: false,
      doRescale: false,
      doNormalize: false,
    });
  });

  test('names the missing file', async () => {
    await expect(BlipImageProcessor.fromPretrained(import.meta.dirname)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('preprocessor_config.json'),
    });
  });

  test.each([
    ['the image processor', BlipImageProcessor],
    ['the processor', Blip2Processor],
  ])('%s reports a folder that does not exist, and can be aborted', async (_, { fromPretrained }) => {
    await expect(fromPretrained(join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('folder does not exist'),
    });
    await expect(fromPretrained(checkpoint('opt'), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
