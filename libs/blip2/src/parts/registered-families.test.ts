import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Blip2Config, readConfig, TextConfig, VisionConfig } from '@blip2/config';
import { loadLanguageModel } from '@blip2/language';
import { languageModelConformance, visionEncoderConformance } from '@blip2/testing';
import { loadVisionEncoder } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2Token, createBlip2Container } from '../container/index.ts';
import { partProcesses } from '../fixtures/part-processes.ts';
import { importThirdPartyFamilies, writeThirdPartyFamilies } from '../fixtures/third-party-families.ts';
import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { Blip2 } from '../tasks/blip2.ts';

const root = join(import.meta.dirname, '../../../..');
const demo = join(root, 'apps/cli/models/blip2-opt-shapes');
const image = join(root, 'examples/left-of.png');
let scratch = '';
const folder = (name: string): string => join(scratch, name);

beforeAll(async () => {
  const files = await writeThirdPartyFamilies();
  scratch = files.folder;
  const { MosaicConfig, MosaicVisionEncoder, GlyphConfig, GlyphForCausalLM } = await importThirdPartyFamilies(files);
  const mosaic = MosaicConfig.create({ hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4, imageSize: 64 });
  const glyph = GlyphConfig.create({});
  await using vision = await MosaicVisionEncoder.fromConfig(mosaic, { seed: 3, threads: 1 });
  await using language = await GlyphForCausalLM.fromConfig(glyph, { seed: 4, threads: 1 });
  await vision.savePretrained(folder('vision'));
  await language.savePretrained(folder('language'));
  await cp(join(demo, 'preprocessor_config.json'), join(folder('vision'), 'preprocessor_config.json'));
});
afterAll(() => rm(scratch, { recursive: true }));

const sources = (): { qformer: string; vision: string; language: string } => ({
  qformer: demo,
  vision: folder('vision'),
  language: folder('language'),
});

describe('a registered vision encoder', () => {
  const create = () => loadVisionEncoder(folder('vision'), { threads: 1 });
  for (const check of visionEncoderConformance({ create })) test(check.name, check.run);
});

describe('a registered language model', () => {
  const create = () => loadLanguageModel(folder('language'), { threads: 1 });
  for (const check of languageModelConformance({ create })) test(check.name, check.run);
});

test('parts of registered families are loaded by their model types', async () => {
  await using vision = await loadVisionEncoder(folder('vision'), { threads: 1 });
  await using language = await loadLanguageModel(folder('language'), { threads: 1 });
  expect([vision.config, language.config]).toMatchObject([{ modelType: 'mosaic' }, { modelType: 'glyph' }]);
});

describe('a BLIP-2 model with parts of registered families', () => {
  let expected: readonly number[] = [];
  beforeAll(async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(sources(), { threads: 1 });
    await model.savePretrained(folder('whole'));
    await using blip2 = await Blip2.fromPretrained(sources(), { threads: 1 });
    expected = (await blip2.caption(image, { maxNewTokens: 6 })).tokenIds;
    expect(expected.length).toBeGreaterThan(0);
  });

  test('is saved with the types of the families, and read again', async () => {
    const json = await readConfig(folder('whole'));
    expect(json).toMatchObject({ vision_config: { model_type: 'mosaic' }, text_config: { model_type: 'glyph' } });
    expect(VisionConfig.fromJson(json)).toMatchObject({ modelType: 'mosaic', hiddenSize: 128 });
    expect(TextConfig.fromJson(json)).toMatchObject({ modelType: 'glyph', depth: 2 });
    expect(Blip2Config.fromJson(json)).toMatchObject({ visionConfig: { modelType: 'mosaic', imageSize: 64 } });
  });

  test.each(['inline', 'worker', 'process'] as const)('generates the same from one source: %s', async (isolate) => {
    await using blip2 = await Blip2.fromPretrained(folder('whole'), { threads: 1, isolate });
    expect((await blip2.caption(image, { maxNewTokens: 6 })).tokenIds).toEqual(expected);
  });

  test.each(['worker', 'process'] as const)('generates the same from a source per part: %s', async (isolate) => {
    await using blip2 = await Blip2.fromPretrained(sources(), { threads: 1, isolate });
    expect((await blip2.caption(image, { maxNewTokens: 6 })).tokenIds).toEqual(expected);
  });

  test.runIf(process.platform === 'linux')('a process that replaces a lost one knows the families', async () => {
    await using blip2 = await Blip2.fromPretrained(folder('whole'), { threads: 1, isolate: 'process' });
    await blip2.caption(image, { maxNewTokens: 1 });
    const lost = partProcesses();
    expect(lost.length).toBeGreaterThan(0);
    for (const pid of lost) process.kill(pid, 'SIGKILL');
    while (partProcesses().some((pid) => lost.includes(pid))) await sleep(10);
    const caption = async (): Promise<readonly number[]> => (await blip2.caption(image, { maxNewTokens: 6 })).tokenIds;
    // The end may be noticed during the first call.
    expect(await caption().catch(caption)).toEqual(expected);
  });

  test('is built by the container', async () => {
    await using container = await createBlip2Container(folder('whole'), { threads: 1 });
    const blip2 = await container.get(Blip2Token);
    expect((await blip2.caption(image, { maxNewTokens: 6 })).tokenIds).toEqual(expected);
  });

  test.each(['int8', 'q4'] as const)('is converted to %s', async (dtype) => {
    const loaded = async (precision?: typeof dtype): Promise<Float32Array> => {
      await using model = await Blip2ForConditionalGeneration.fromPretrained(folder('whole'), {
        threads: 1,
        convertedDir: folder(`converted-${dtype}`),
        ...(precision && { dtype: precision }),
      });
      const { imageSize } = model.visionModel;
      const data = Float32Array.from({ length: 3 * imageSize ** 2 }, (_, index) => Math.sin(index));
      const pixelValues = { type: 'float32' as const, dims: [1, 3, imageSize, imageSize] as const, data };
      return (await model.forward({ pixelValues, inputIds: [[...Array<number>(12).fill(446), 2, 5, 9]] })).logits.data;
    };
    const exact = await loaded();
    const converted = await loaded(dtype);
    expect(converted).not.toEqual(exact);
    const scale = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = exact.reduce((most, value, index) => Math.max(most, Math.abs(value - converted[index]!)), 0);
    expect(error / scale).toBeLessThan(dtype === 'int8' ? 0.2 : 0.6);
  });

  test('with random weights', async () => {
    const config = Blip2Config.fromJson(await readConfig(folder('whole')));
    await using model = await Blip2ForConditionalGeneration.fromConfig(config, { threads: 1, seed: 1 });
    expect(model.config.visionConfig.modelType).toBe('mosaic');
  });
});

test('an unknown type names the registered ones, and how to add one', () => {
  for (const [read, type, by] of [
    [() => TextConfig.fromJson({ model_type: 'mamba' }), 'glyph', 'registerLanguageFamily'],
    [() => VisionConfig.fromJson({ model_type: 'swin' }), 'mosaic', 'registerVisionFamily'],
    [() => Blip2Config.fromJson({ vision_config: { model_type: 'swin' } }), 'mosaic', '--module'],
  ] as const)
    expect(read).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_ARCHITECTURE',
        message: expect.stringMatching(new RegExp(`${type}.*${by}`, 's')) as string,
      }),
    );
});
