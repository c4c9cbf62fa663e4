import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, InstructBlipConfig, OptConfig } from '@blip2/config';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runnableTasks } from '../checkpoint/runnable-tasks.ts';
import { TINY_PIXELS, TINY_VISION } from '../fixtures/tiny-vision.ts';
import { createEncodedImages } from '../images/encoded-image.ts';
import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { createPipeline } from '../pipeline/blip2-pipeline.ts';
import { Blip2ForConditionalGeneration } from './blip2-for-conditional-generation.ts';
import { Blip2Model } from './blip2-model.ts';
import { InstructBlipForConditionalGeneration } from './instructblip-for-conditional-generation.ts';

const parts = (wordEmbedProjDim: number) => ({
  visionConfig: Blip2VisionConfig.create(TINY_VISION),
  qformerConfig: Blip2QFormerConfig.create({
    hiddenSize: 16,
    intermediateSize: 24,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    maxPositionEmbeddings: 12,
    vocabSize: 30,
  }),
  // The layout of opt-350m.
  textConfig: OptConfig.create({
    vocabSize: 40,
    hiddenSize: 24,
    wordEmbedProjDim,
    ffnDim: 16,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    doLayerNormBefore: false,
  }),
  numQueryTokens: 3,
});
const config = Blip2Config.create(parts(20));
const misfit = expect.objectContaining({
  code: 'SHAPE_MISMATCH',
  message: expect.stringMatching(
    /^projection\.outFeatures is 24 but language\.embeddingSize is 20\. .*Hugging Face Transformers would fill/,
  ) as string,
}) as unknown;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-narrow-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a checkpoint with token embeddings that are narrower than the hidden states (opt-350m)', () => {
  test('loads, encodes images, has working getters and parts, and can be saved', async () => {
    await using random = await Blip2Model.fromConfig(config, { seed: 1, threads: 1 });
    await random.savePretrained(folder);
    await using model = await Blip2Model.fromPretrained(folder, { threads: 1 });
    const inputs = { pixelValues: TINY_PIXELS };
    const prefix = await model.encodeImages(TINY_PIXELS);
    expect(prefix.dims).toEqual([1, 3, 24]);
    expect(prefix.data).toEqual((await random.encodeImages(TINY_PIXELS)).data);
    expect((await model.getImageFeatures(inputs)).lastHiddenState.dims).toEqual([1, 5, 16]);
    expect((await model.getQFormerFeatures(inputs)).lastHiddenState.dims).toEqual([1, 3, 16]);
    expect((await model.getTextFeatures({ inputIds: [[5, 6]] })).lastHiddenState.dims).toEqual([1, 2, 20]);
    expect((await model.languageModel.generate({ inputIds: [[5, 6]] }, { maxNewTokens: 2 })).sequences).toHaveLength(1);
    await using checkpoint = await openCheckpointParts(folder, { threads: 1 });
    expect((await checkpoint.projection()).outFeatures).toBe(24);
  });

  test('refuses prompts with images, and says why', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const inputs = { pixelValues: TINY_PIXELS };
    const prefix = await model.encodeImages(TINY_PIXELS);
    for (const pixelValues of [TINY_PIXELS, prefix]) {
      await expect(model.forward({ pixelValues, inputIds: [[5]] })).rejects.toEqual(misfit);
      await expect(model.generate({ pixelValues })).rejects.toEqual(misfit);
      await expect(model.scoreSequences({ pixelValues }, [[5]])).rejects.toEqual(misfit);
      await expect(model.pipeline.embedPrompt(inputs)).rejects.toEqual(misfit);
    }
    const [kept] = createEncodedImages(model.pipeline, prefix);
    await expect(kept!.batch.readPrefix()).rejects.toEqual(misfit);
  });

  test('is refused at once by createPipeline', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const { vision, qformer, projection, language } = model.pipeline;
    expect(() => createPipeline({ vision, qformer, projection, language }, { imageTokenIndex: undefined })).toThrow(
      'projection.outFeatures is 24 but language.embeddingSize is 20',
    );
  });

  test('of InstructBLIP behaves in the same way', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromConfig(InstructBlipConfig.create(parts(20)), {
      threads: 1,
    });
    const instruction = { qformerInputIds: [[2, 5]] };
    expect((await model.encodeImages(TINY_PIXELS, instruction)).dims).toEqual([1, 3, 24]);
    await expect(model.generate({ pixelValues: TINY_PIXELS, ...instruction })).rejects.toEqual(misfit);
  });
});

test('runnableTasks names the tasks of a checkpoint, and why prompts are refused', () => {
  expect(runnableTasks(config, { hasLanguageModel: true })).toEqual({ tasks: ['encode'], refusal: misfit });
  expect(runnableTasks(Blip2Config.create(parts(24)), { hasLanguageModel: true })).toEqual({
    tasks: ['caption', 'answer', 'chat', 'rank', 'encode'],
  });
  expect(runnableTasks(config, { hasLanguageModel: false }).tasks).toContain('match');
});
