/** Vision encoders in files: one that torch exported, and those that this repository writes. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PixelValues, Tensor } from '@blip2/interfaces';
import { decodeModel, encodeModel, type ModelProto } from '@blip2/onnx';
import { writeGraph } from '@blip2/part';
import { pseudoRandomTensor, readTensorFile, visionEncoderConformance } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2VisionModel } from '../blip2/blip2-vision-model.ts';
import { onnxVisionEncoder, type OnnxVisionEncoderOptions } from './onnx-vision-encoder.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const torch = join(cases, 'values/onnx-files');
const file = join(torch, 'onnx/vision_model.onnx');
let folder = '';
let recorded: ReadonlyMap<string, Tensor>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-onnx-file-'));
  recorded = readTensorFile(await readFile(join(torch, 'expected.safetensors')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

function expectClose(got: Tensor, expected: Tensor | undefined, tolerance = 1e-5): void {
  expect(got.dims).toEqual(expected?.dims);
  const largest = Math.max(
    ...Array.from(got.data as Float32Array, (value, index) =>
      Math.abs(value - Number((expected?.data as Float32Array)[index] ?? Number.NaN)),
    ),
  );
  expect(largest).toBeLessThan(tolerance);
}

/** The file of torch, changed. */
async function changed(name: string, change: (model: ModelProto) => void): Promise<string> {
  const model = await decodeModel(await readFile(file));
  change(model);
  const path = join(folder, name);
  await writeFile(path, await encodeModel(model));
  return path;
}

describe('an encoder that torch exported', () => {
  for (const check of visionEncoderConformance({ create: () => onnxVisionEncoder(file) })) test(check.name, check.run);

  test('returns what torch computed', async () => {
    await using encoder = await onnxVisionEncoder(file);
    expect(encoder).toMatchObject({ imageSize: 12, hiddenSize: 16 });
    await encoder.prepare();
    expectClose(await encoder.encode(recorded.get('pixel_values') as PixelValues), recorded.get('last_hidden_state'));
  });

  test('runs one image after another if the file has a batch of one', async () => {
    const path = await changed('batch-of-one.onnx', ({ graph }) => {
      for (const value of [...(graph?.input ?? []), ...(graph?.output ?? [])]) {
        const dim = value.type?.value.case === 'tensorType' ? value.type.value.value.shape?.dim[0] : undefined;
        if (dim) dim.value = { case: 'dimValue', value: 1n };
      }
    });
    await using encoder = await onnxVisionEncoder(path);
    expectClose(await encoder.encode(recorded.get('pixel_values') as PixelValues), recorded.get('last_hidden_state'));
  });

  test('needs sizes that neither the file nor its settings state', async () => {
    const nested = join(folder, 'settings/onnx');
    await mkdir(nested, { recursive: true });
    const unsized = await changed('unsized.onnx', ({ graph }) => {
      for (const [values, axes] of [
        [graph?.input, [2, 3]],
        [graph?.output, [2]],
      ] as const)
        for (const axis of axes) {
          const type = values?.[0]?.type?.value;
          const dim = type?.case === 'tensorType' ? type.value.shape?.dim[axis] : undefined;
          if (dim) dim.value = { case: 'dimParam', value: 'size' };
        }
    });
    await expect(onnxVisionEncoder(unsized)).rejects.toThrow(failure('INVALID_ARGUMENT', /imageSize/));
    await using given = await onnxVisionEncoder(unsized, { imageSize: 12 });
    expect(given.hiddenSize).toBe(16);
    expect((await given.encode(recorded.get('pixel_values') as PixelValues)).dims).toEqual([2, 10, 16]);
    await copyFile(unsized, join(nested, 'vision_model.onnx'));
    await writeFile(join(folder, 'settings/preprocessor_config.json'), '{"size":{"height":12,"width":12}}');
    await using stated = await onnxVisionEncoder(join(nested, 'vision_model.onnx'));
    expect(stated).toMatchObject({ imageSize: 12, hiddenSize: 16 });
  });
});

describe.each([
  ['fp32', {}, 1e-6],
  ['fp32', { operators: 'standard' }, 2e-5],
  ['q8', { operators: 'standard' }, 0.2],
] as const)('an encoder that was exported in %s %j', (dtype, target, tolerance) => {
  const path = (): string => join(folder, `${dtype}-${JSON.stringify(target).length}/vision_model.onnx`);
  beforeAll(async () => {
    await using model = await Blip2VisionModel.fromPretrained(join(cases, 'opt/checkpoint'), { dtype });
    for (const graph of model.exportGraphs?.() ?? []) await writeGraph(path(), graph.model, { opset: 21, ...target });
  });
  for (const check of visionEncoderConformance({ create: () => onnxVisionEncoder(path()) }))
    test(check.name, check.run);

  test('computes what the part computes', async () => {
    await using model = await Blip2VisionModel.fromPretrained(join(cases, 'opt/checkpoint'), { dtype });
    await using encoder = await onnxVisionEncoder(path());
    const images: PixelValues = pseudoRandomTensor(2, 3, 32, 32);
    expectClose(await encoder.encode(images), await model.encode(images), tolerance);
  });
});

describe('a file that does not fit', () => {
  const refused: readonly (readonly [string, () => Promise<string> | string, OnnxVisionEncoderOptions, unknown])[] = [
    [
      'a decoder',
      () => join(torch, 'onnx/decoder_model_merged.onnx'),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /inputs_embeds/),
    ],
    [
      'another output',
      () => file,
      { output: 'image_embeds' },
      failure('UNSUPPORTED_ARCHITECTURE', /image_embeds.*last_hidden_state/),
    ],
    ['other sizes', () => file, { imageSize: 13 }, failure('INVALID_ARGUMENT', /imageSize.*12.*13/)],
    ['sizes that are no numbers', () => file, { imageSize: '12' as never }, failure('INVALID_ARGUMENT', /imageSize/)],
    ['unknown options', () => file, { dtype: 'q4' } as never, failure('UNKNOWN_OPTION', /dtype/)],
    ['a folder', () => torch, {}, failure('INVALID_ARGUMENT', /file/)],
    ['nothing', () => join(folder, 'none.onnx'), {}, failure('MISSING_FILE')],
    ['text', () => join(torch, 'config.json'), {}, failure('INVALID_CHECKPOINT', /not an ONNX model/)],
    [
      'a Git LFS pointer',
      async () => {
        await writeFile(
          join(folder, 'pointer.onnx'),
          'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
        );
        return join(folder, 'pointer.onnx');
      },
      {},
      failure('INVALID_CHECKPOINT', /pointer/),
    ],
    [
      'images in float16',
      () =>
        changed('half.onnx', ({ graph }) => {
          const type = graph?.input[0]?.type?.value;
          if (type?.case === 'tensorType') type.value.elemType = 10;
        }),
      {},
      failure('UNSUPPORTED_DTYPE', /pixel_values.*float16/),
    ],
    [
      'weights outside its folder',
      () =>
        changed('outside.onnx', ({ graph }) => {
          const tensor = graph?.initializer[0];
          if (!tensor) return;
          tensor.rawData = new Uint8Array();
          tensor.dataLocation = 1;
          tensor.externalData = [
            { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: '../../etc/hosts' },
          ];
        }),
      {},
      failure('UNSAFE_PATH'),
    ],
  ];
  test.each(refused)('is refused: %s', async (_, path, options, error) => {
    await expect((async () => onnxVisionEncoder(await path(), options))()).rejects.toThrow(error as Error);
  });

  test('a wrong width is noticed', async () => {
    await using encoder = await onnxVisionEncoder(file, { hiddenSize: 17 });
    await expect(encoder.encode(recorded.get('pixel_values') as PixelValues)).rejects.toThrow(
      failure('SHAPE_MISMATCH', /17.*16/),
    );
  });

  test('images of other sizes are refused, also with interpolation if the file has one size', async () => {
    await using encoder = await onnxVisionEncoder(file);
    const images: PixelValues = pseudoRandomTensor(1, 3, 16, 16);
    await expect(encoder.encode(images)).rejects.toThrow(failure('SHAPE_MISMATCH'));
    await expect(encoder.encode(images, { interpolatePosEncoding: true })).rejects.toThrow(failure('SHAPE_MISMATCH'));
  });
});
