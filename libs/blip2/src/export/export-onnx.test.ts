import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LanguageModel, LoadProgress, PixelValues } from '@blip2/interfaces';
import { loadLanguageModel, onnxLanguageModel } from '@blip2/language';
import { decodeModel } from '@blip2/onnx';
import { pseudoRandomTensor } from '@blip2/testing';
import { onnxVisionEncoder } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { createPipeline } from '../pipeline/blip2-pipeline.ts';
import { exportOnnx, type ExportOnnxOptions } from './export-onnx.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const checkpoint = (name: string): string => join(cases, name, 'checkpoint');
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-export-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

const GENERATION = ['vision_model', 'qformer_model', 'language_projection', 'embed_tokens'];

describe('the files of an export', () => {
  test.each([
    ['opt', [...GENERATION, 'decoder_model_merged']],
    ['t5', [...GENERATION, 'encoder_model', 'decoder_model_merged']],
    ['instructblip-llama', [...GENERATION, 'decoder_model_merged']],
    [
      'itm',
      [
        'vision_model',
        'qformer_model',
        'qformer_text_model',
        'qformer_multimodal_model',
        'vision_projection',
        'text_projection',
        'itm_head',
      ],
    ],
    ['qwen2', ['embed_tokens', 'decoder_model_merged']],
    ['siglip', ['vision_model']],
  ])('of %s are its parts, with inputs and outputs as in the manifest', async (name, parts) => {
    const folder = join(scratch, name);
    const manifest = await exportOnnx(checkpoint(name), { folder, portable: true, opset: 18 });
    expect(Object.keys(manifest.files)).toEqual(parts);
    expect(JSON.parse(await readFile(join(folder, 'onnx_export.json'), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(manifest)),
    );
    for (const { file, data, inputs, outputs } of Object.values(manifest.files)) {
      const { graph, opsetImport } = await decodeModel(await readFile(join(folder, file)));
      expect(graph?.input.map((value) => value.name)).toEqual(inputs.map((value) => value.name));
      expect(graph?.output.map((value) => value.name)).toEqual(outputs.map((value) => value.name));
      expect(opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 18]]);
      expect(new Set(graph?.node.map(({ domain }) => domain))).toEqual(new Set(['']));
      const external = graph?.initializer.filter(({ dataLocation }) => dataLocation === 1) ?? [];
      const { size } = await stat(join(folder, data ?? file));
      const ends = external.map(({ externalData }) => {
        const entry = Object.fromEntries(externalData.map(({ key, value }) => [key, value]));
        expect(`onnx/${entry['location']}`).toBe(data);
        return Number(entry['offset']) + Number(entry['length']);
      });
      expect(Math.max(...ends)).toBe(size);
    }
  });

  test('are named by their precision, except those that have none', async () => {
    const folder = join(scratch, 'mixed');
    const { files } = await exportOnnx(checkpoint('opt'), { folder, dtype: { vision: 'q8', language: 'q4' } });
    expect(Object.values(files).map(({ file, dtype }) => [file, dtype])).toEqual([
      ['onnx/vision_model_quantized.onnx', 'q8'],
      ['onnx/qformer_model.onnx', 'fp32'],
      ['onnx/language_projection.onnx', 'fp32'],
      ['onnx/embed_tokens.onnx', 'fp32'],
      ['onnx/decoder_model_merged_q4.onnx', 'q4'],
    ]);
  });

  test('state preprocessing and tokens, and come with tokenizer and configuration', async () => {
    const folder = join(scratch, 'opt');
    expect(await readdir(folder)).toEqual(
      expect.arrayContaining(['config.json', 'preprocessor_config.json', 'tokenizer.json', 'onnx']),
    );
    expect(JSON.parse(await readFile(join(folder, 'onnx_export.json'), 'utf8'))).toMatchObject({
      format: 'blip2-onnx',
      modelType: 'blip-2',
      numQueryTokens: 6,
      imageTokenIndex: 420,
      specialTokens: { bosTokenId: 2 },
      preprocessing: { image_mean: expect.any(Array) as unknown },
    });
    // The folder is not private to this process.
    expect((await stat(folder)).mode & 0o777).toBe((await stat(join(folder, 'onnx'))).mode & 0o777);
  });
});

test.each(['opt', 't5'])('a pipeline of exported parts generates the tokens of %s', async (name) => {
  const folder = join(scratch, `parts-${name}`);
  const { files } = await exportOnnx(checkpoint(name), { folder });
  const file = (part: string): string => join(folder, files[part]?.file ?? '');
  await using model = await Blip2ForConditionalGeneration.fromPretrained(checkpoint(name));
  await using vision = await onnxVisionEncoder(file('vision_model'));
  await using language = await onnxLanguageModel(file('decoder_model_merged'), {
    ...(name === 't5' && { encoder: file('encoder_model') }),
  });
  const { qformer, languageProjection: projection } = model;
  const pipeline = createPipeline({ vision, qformer, projection, language }, model.config);
  const pixelValues: PixelValues = pseudoRandomTensor(2, 3, 32, 32);
  const options = { maxNewTokens: 8, numBeams: 3 } as const;
  expect((await pipeline.generate({ pixelValues }, options)).sequences).toEqual(
    (await model.generate({ pixelValues }, options)).sequences,
  );
});

describe('adapters', () => {
  const adapter = (name: string): string => join(cases, 'values/adapters', name, 'adapter-1');
  const embeds = async (model: LanguageModel): Promise<number[]> => {
    const ids = [[5, 6, 7, 8]];
    await using decoding = await model.start({ inputsEmbeds: await model.embed(ids), attentionMask: [[1, 1, 1, 1]] });
    return [...decoding.logits.data];
  };
  const closeTo = (values: readonly number[]): unknown => values.map((value) => expect.closeTo(value, 3) as unknown);

  test('of a whole model are merged into the files', async () => {
    const options = { adapters: adapter('opt-blip2') };
    const folder = join(scratch, 'adapted-opt');
    const { files } = await exportOnnx(checkpoint('opt'), { folder, ...options, convertedDir: join(scratch, 'cache') });
    await using model = await Blip2ForConditionalGeneration.fromPretrained(checkpoint('opt'), options);
    await using plain = await Blip2ForConditionalGeneration.fromPretrained(checkpoint('opt'));
    await using vision = await onnxVisionEncoder(join(folder, files['vision_model']?.file ?? ''));
    await using language = await onnxLanguageModel(join(folder, files['decoder_model_merged']?.file ?? ''));
    const pixelValues: PixelValues = pseudoRandomTensor(1, 3, 32, 32);
    const expected = [...(await model.visionModel.encode(pixelValues)).data];
    expect([...(await vision.encode(pixelValues)).data]).toEqual(closeTo(expected));
    expect([...(await plain.visionModel.encode(pixelValues)).data]).not.toEqual(closeTo(expected));
    const expectedLogits = await embeds(model.languageModel);
    expect(await embeds(language)).toEqual(closeTo(expectedLogits));
    expect(await embeds(plain.languageModel)).not.toEqual(closeTo(expectedLogits));
  });

  test('of a part alone are merged into its files, also if the adapter is the source', async () => {
    const own = join(scratch, 'own-adapter');
    await cp(adapter('llama-patterns'), own, { recursive: true });
    const file = join(own, 'adapter_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...config, base_model_name_or_path: checkpoint('llama') }));
    await using model = await loadLanguageModel(checkpoint('llama'), { adapters: own });
    const expected = await embeds(model);
    for (const [name, source, options] of [
      ['listed', checkpoint('llama'), { adapters: { mine: own } }],
      ['source', own, {}],
    ] as const) {
      const folder = join(scratch, `adapted-${name}`);
      const { files } = await exportOnnx(source, { folder, ...options });
      await using exported = await onnxLanguageModel(join(folder, files['decoder_model_merged']?.file ?? ''));
      expect(await embeds(exported)).toEqual(closeTo(expected));
    }
  });
});

describe('a folder', () => {
  const source = checkpoint('qwen2');

  test('with contents needs force, which keeps other files', async () => {
    const folder = join(scratch, 'full');
    await mkdir(folder);
    await writeFile(join(folder, 'mine.txt'), 'mine');
    await writeFile(join(folder, 'config.json'), 'old');
    const written: string[] = [];
    const onProgress = ({ stage }: LoadProgress): void => void written.push(stage);
    await expect(exportOnnx(source, { folder, onProgress })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /folder.*force/),
    );
    expect(written).toEqual([]);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['mine.txt', 'config.json']));
    await exportOnnx(source, { folder, force: true });
    expect(await readFile(join(folder, 'mine.txt'), 'utf8')).toBe('mine');
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({ model_type: 'qwen2' });
  });

  test('that is empty is filled', async () => {
    const folder = join(scratch, 'empty');
    await mkdir(folder);
    await exportOnnx(source, { folder });
    expect(await readdir(join(folder, 'onnx'))).toHaveLength(4);
  });

  test('is not left behind by an export that fails or is aborted, nor are its parents', async () => {
    const parent = join(scratch, 'failed');
    const folder = join(parent, 'deep/export');
    await expect(exportOnnx(checkpoint('qformer-relative-key'), { folder })).rejects.toThrow(
      failure('UNSUPPORTED_ARCHITECTURE', /relative/),
    );
    const blocks = { folder, dtype: 'q4', portable: true, opset: 20 } as const;
    await expect(exportOnnx(checkpoint('opt'), blocks)).rejects.toThrow(failure('INVALID_ARGUMENT', /opset.*21.*20/));
    const controller = new AbortController();
    const aborted = exportOnnx(checkpoint('opt'), {
      folder,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(aborted).rejects.toThrow('enough');
    await expect(stat(parent)).rejects.toThrow(/ENOENT/);
    expect((await readdir(scratch)).filter((entry) => entry.startsWith('blip2-'))).toEqual([]);
  });

  test('may be that of the model, whose own files stay', async () => {
    const folder = join(scratch, 'same');
    await exportOnnx(source, { folder });
    const before = await readFile(join(folder, 'config.json'), 'utf8');
    await rm(join(folder, 'onnx'), { recursive: true });
    for (const name of await readdir(source))
      if (name !== 'config.json') await writeFile(join(folder, name), await readFile(join(source, name)));
    await exportOnnx(folder, { folder, force: true });
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe(before);
    expect(await readdir(join(folder, 'onnx'))).toHaveLength(4);
  });
});

test.each<readonly [string, Partial<ExportOnnxOptions>, string, RegExp]>([
  ['no folder', { folder: undefined as never }, 'INVALID_ARGUMENT', /folder/],
  ['an empty name', { folder: '' }, 'INVALID_ARGUMENT', /folder/],
  ['an opset that is too old', { opset: 17 }, 'INVALID_ARGUMENT', /opset must be an integer from 18 to 23, got 17/],
  ['an opset as text', { opset: '21' as never }, 'INVALID_ARGUMENT', /opset/],
  ['two copies of a language model', { dtype: 'fast' }, 'UNSUPPORTED_DTYPE', /fast/],
  ['two copies, by part', { dtype: { language: 'fast' } }, 'UNSUPPORTED_DTYPE', /fast/],
  ['an unknown precision', { dtype: 'fp16' as never }, 'UNSUPPORTED_DTYPE', /fp16/],
  ['text for a flag', { portable: 'yes' as never }, 'INVALID_ARGUMENT', /portable/],
  ['text for force', { force: 1 as never }, 'INVALID_ARGUMENT', /force/],
  ['options of running', { threads: 2 } as never, 'UNKNOWN_OPTION', /threads/],
  ['unknown options', { quantize: true } as never, 'UNKNOWN_OPTION', /quantize/],
])('%s is refused before anything is read', async (_, options, code, words) => {
  await expect(exportOnnx('/nowhere', { folder: join(scratch, 'refused'), ...options })).rejects.toThrow(
    failure(code, words) as Error,
  );
});
