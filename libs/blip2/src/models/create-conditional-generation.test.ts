import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  Blip2QFormerConfig,
  Blip2VisionConfig,
  ClipVisionConfig,
  Gpt2Config,
  OptConfig,
  Qwen2Config,
  readConfig,
  SiglipVisionConfig,
  T5Config,
} from '@blip2/config';
import type { PixelValues } from '@blip2/interfaces';
import {
  type CheckpointLanguageModel,
  GPT2LMHeadModel,
  OptForCausalLM,
  Qwen2ForCausalLM,
  T5ForConditionalGeneration,
} from '@blip2/language';
import { Blip2QFormerModel, LanguageProjection, TextConditionedQFormer } from '@blip2/qformer';
import {
  Blip2VisionModel,
  type CheckpointVisionEncoder,
  ClipVisionEncoder,
  loadVisionEncoder,
  SiglipVisionEncoder,
} from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { Blip2ForConditionalGeneration } from './blip2-for-conditional-generation.ts';
import { createConditionalGeneration, type WholeModelParts } from './create-conditional-generation.ts';
import { InstructBlipForConditionalGeneration } from './instructblip-for-conditional-generation.ts';

const root = join(import.meta.dirname, '../../../..');
const demo = join(root, 'apps/cli/models/blip2-opt-shapes');
const instruct = join(root, 'tools/parity/cases/instructblip-llama/checkpoint');
const image = join(root, 'examples/left-of.png');
const random = { seed: 5, threads: 1 };
const size = { hiddenSize: 24, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 32 };
const images = { imageSize: 16, patchSize: 8 };
const tokens = { vocabSize: 60, bosTokenId: 1, eosTokenId: 2, padTokenId: 0, initializerRange: 0.3 };
const heads = { numAttentionHeads: 2, numHiddenLayers: 2, hiddenSize: 32 };

const encoders: Readonly<Record<string, () => Promise<CheckpointVisionEncoder>>> = {
  'BLIP-2': () =>
    Blip2VisionModel.fromConfig(Blip2VisionConfig.create({ ...size, ...images, initializerRange: 0.3 }), random),
  CLIP: () => ClipVisionEncoder.fromConfig(ClipVisionConfig.create({ ...size, ...images }), random),
  SigLIP: () => SiglipVisionEncoder.fromConfig(SiglipVisionConfig.create({ ...size, ...images }), random),
};
const languageModels: Readonly<Record<string, () => Promise<CheckpointLanguageModel>>> = {
  OPT() {
    const { initializerRange: initStd, ...ids } = tokens;
    return OptForCausalLM.fromConfig(
      OptConfig.create({ ...heads, ...ids, wordEmbedProjDim: 32, initStd, ffnDim: 40 }),
      random,
    );
  },
  T5: () =>
    T5ForConditionalGeneration.fromConfig(
      T5Config.create({
        dModel: 32,
        dFf: 40,
        dKv: 16,
        numLayers: 2,
        numHeads: 2,
        vocabSize: 60,
        decoderStartTokenId: 0,
      }),
      random,
    ),
  Qwen2: () =>
    Qwen2ForCausalLM.fromConfig(
      Qwen2Config.create({ ...heads, ...tokens, numKeyValueHeads: 1, intermediateSize: 40 }),
      random,
    ),
  'GPT-2': () =>
    GPT2LMHeadModel.fromConfig(Gpt2Config.create({ ...heads, ...tokens, maxPositionEmbeddings: 64 }), random),
};

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-whole-'));
});
afterAll(() => rm(scratch, { recursive: true }));

async function untrained(encoder: string, languageModel: string): Promise<WholeModelParts> {
  const vision = await encoders[encoder]!();
  const language = await languageModels[languageModel]!();
  const config = Blip2QFormerConfig.create({
    hiddenSize: 20,
    numAttentionHeads: 2,
    numHiddenLayers: 2,
    intermediateSize: 28,
    encoderHiddenSize: 24,
  });
  const qformer = await Blip2QFormerModel.fromConfig(config, { ...random, numQueryTokens: 3 });
  const projection = await LanguageProjection.fromConfig({ inFeatures: 20, outFeatures: 32 }, random);
  return { vision, qformer, projection, language };
}

function pixels(imageSize: number): PixelValues {
  const data = Float32Array.from({ length: 3 * imageSize ** 2 }, (_, index) => Math.sin(index / 7));
  return { type: 'float32', dims: [1, 3, imageSize, imageSize], data };
}

describe.each(Object.keys(encoders))('an encoder of %s', (encoder) => {
  test.each(Object.keys(languageModels))('with a language model of %s', async (languageModel) => {
    await using model = createConditionalGeneration(await untrained(encoder, languageModel));
    const inputs = { pixelValues: pixels(16), inputIds: [[1, 9, 11, 5]], labels: [[-100, -100, 11, 5]] };
    const { logits, loss } = await model.forward(inputs);
    expect(await model.loss(inputs)).toBe(loss?.data[0]);
    const prompt = { pixelValues: inputs.pixelValues, inputIds: inputs.inputIds };
    const generation = { maxNewTokens: 6, minNewTokens: 6 };
    const { sequences } = await model.generate(prompt, generation);
    expect(sequences[0]?.length).toBe(6);

    const saved = join(scratch, `${encoder}-${languageModel}`);
    await model.savePretrained(saved);
    await using again = await Blip2ForConditionalGeneration.fromPretrained(saved, { threads: 1 });
    expect((await again.forward(inputs)).logits.data).toEqual(logits.data);
    expect((await again.generate(prompt, generation)).sequences).toEqual(sequences);
    expect(again.config.numQueryTokens).toBe(3);
  });
});

test('parts of several checkpoints, in threads, are saved with the files of a processor', async () => {
  await using parts = await openCheckpointParts(demo, { threads: 1, isolate: 'worker' });
  const taken = {
    vision: await parts.vision(),
    qformer: await parts.qformer(),
    projection: await parts.projection(),
    language: await parts.language(),
  };
  const options = { processor: demo, imageTokenIndex: 446 };
  await using model = createConditionalGeneration(taken, options);
  const saved = join(scratch, 'whole-demo');
  await model.savePretrained(saved, { dtype: 'float32' });
  expect(await readConfig(saved)).toMatchObject({
    architectures: ['Blip2ForConditionalGeneration'],
    model_type: 'blip-2',
    image_token_index: 446,
  });
  await using blip2 = await Blip2.fromPretrained(saved, { threads: 1 });
  expect((await blip2.caption(image)).text).toBe('a blue triangle to the left of a small yellow circle');
});

test('quantized parts are saved with their original weights', async () => {
  const [vision, qformer, projection, language] = [
    await loadVisionEncoder(demo, { dtype: 'int8', threads: 1 }),
    await Blip2QFormerModel.fromPretrained(demo, { threads: 1 }),
    await LanguageProjection.fromPretrained(demo, { threads: 1 }),
    await OptForCausalLM.fromPretrained(demo, { dtype: 'q4', threads: 1 }),
  ];
  await using model = createConditionalGeneration({ vision, qformer, projection, language }, { processor: demo });
  const saved = join(scratch, 'whole-quantized');
  await model.savePretrained(saved);
  await using blip2 = await Blip2.fromPretrained(saved, { threads: 1 });
  expect((await blip2.caption(image)).text).toBe('a blue triangle to the left of a small yellow circle');
});

test('a Q-Former of InstructBLIP makes an InstructBLIP model', async () => {
  await using original = await InstructBlipForConditionalGeneration.fromPretrained(instruct, { threads: 1 });
  const qformer = await TextConditionedQFormer.fromPretrained(instruct, { threads: 1 });
  const { visionModel: vision, languageProjection: projection, languageModel: language, config } = original;
  await using model = createConditionalGeneration({ vision, qformer, projection, language });
  const { imageSize } = vision;
  const inputs = {
    pixelValues: pixels(imageSize),
    qformerInputIds: [[2, 5, 7, 3]],
    inputIds: [[1, 9, 11]],
  };
  const saved = join(scratch, 'instruct');
  await model.savePretrained(saved);
  await using again = await InstructBlipForConditionalGeneration.fromPretrained(saved, { threads: 1 });
  const { logits } = await model.forward(inputs);
  expect((await again.forward(inputs)).logits.data).toEqual(logits.data);
  expect(again.config.textConfig.modelType).toBe(config.textConfig.modelType);
});

describe('refused', () => {
  const changed = async (changes: object): Promise<unknown> => {
    const parts = await untrained('CLIP', 'Qwen2');
    try {
      return createConditionalGeneration({ ...parts, ...changes });
    } finally {
      for (const part of Object.values(parts)) await part[Symbol.asyncDispose]();
    }
  };
  test.each([
    ['no encoder', { vision: undefined }, 'parts.vision must be an object'],
    [
      'an encoder that only encodes',
      { vision: { imageSize: 16, hiddenSize: 24, encode() {} } },
      'vision.config must be',
    ],
    [
      'a projection that cannot be saved',
      { projection: { project() {} } },
      'projection.savePretrained must be a function',
    ],
  ])('%s', async (_, changes, words) => {
    await expect(changed(changes)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(words) as string,
    });
  });

  test('widths that do not fit', async () => {
    await using projection = await LanguageProjection.fromConfig({ inFeatures: 20, outFeatures: 30 }, random);
    await expect(changed({ projection })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('projection.outFeatures is 30 but language.embeddingSize is 32') as string,
    });
    await expect(LanguageProjection.fromConfig({ inFeatures: 0, outFeatures: 4 })).rejects.toThrow(
      'inFeatures must be',
    );
  });

  test('a loss without labels', async () => {
    await using model = createConditionalGeneration(await untrained('CLIP', 'GPT-2'));
    const inputs = { pixelValues: pixels(16), inputIds: [[1, 2]] };
    await expect(model.loss(inputs as never)).rejects.toThrow('labels must be rows of ids');
  });
});
