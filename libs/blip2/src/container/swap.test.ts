/**
 * Replaces the default vision encoder and language model by those of another family, without further changes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  Blip2Config,
  Blip2QFormerConfig,
  Blip2VisionConfig,
  ClipVisionConfig,
  LlamaConfig,
  readConfig,
} from '@blip2/config';
import { LanguageModel, LanguageProjection, QFormer, VisionEncoder } from '@blip2/interfaces';
import { LlamaForCausalLM } from '@blip2/language';
import { createSession } from '@blip2/runtime';
import { ClipVisionEncoder } from '@blip2/vision';
import { describe, expect, test } from 'vitest';

import { TINY_PIXELS, TINY_VISION } from '../fixtures/tiny-vision.ts';
import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { image, model } from './fixtures/demo-model.ts';
import { Blip2Token, createBlip2Container, ProcessorToken } from './index.ts';

const clip = ClipVisionConfig.create({
  hiddenSize: 128,
  intermediateSize: 96,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  imageSize: 64,
  patchSize: 16,
});
const llama = LlamaConfig.create({
  vocabSize: 448,
  hiddenSize: 128,
  intermediateSize: 96,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  initializerRange: 0.5,
  bosTokenId: 2,
  eosTokenId: 202,
  padTokenId: 1,
});

describe('a container with vision encoder and language model of other families', () => {
  test('builds the tasks from them and loads none of the checkpoint', async () => {
    const graphs = new Set<string>();
    await using vision = await ClipVisionEncoder.fromConfig(clip, { seed: 1, threads: 1 });
    await using language = await LlamaForCausalLM.fromConfig(llama, { seed: 1, threads: 1 });
    await using container = await createBlip2Container(model, {
      threads: 1,
      createSession: (graph, options) => (graphs.add(graph.name), createSession(graph, options)),
    });
    await container.replace(VisionEncoder, [], () => vision);
    await container.replace(LanguageModel, [], () => language);

    const blip2 = await container.get(Blip2Token);
    expect(blip2.pipeline).toMatchObject({ vision, language });
    expect(await container.get(QFormer)).toBe(blip2.pipeline.qformer);
    expect(await container.get(LanguageProjection)).toBe(blip2.pipeline.projection);
    expect(await container.get(ProcessorToken)).toBe(blip2.processor);
    expect(await container.get(Blip2Token)).toBe(blip2);

    const [one, two] = await blip2.caption(
      [image, join(import.meta.dirname, '../../../../examples/one-large-star.png')],
      {
        maxNewTokens: 4,
        numBeams: 2,
      },
    );
    expect(one!.tokenIds.length).toBeGreaterThan(0);
    expect(one!.score).not.toBe(two!.score);
    expect(one!.tokenIds.every((id) => id < llama.vocabSize)).toBe(true);
    expect([...graphs].sort()).toEqual(['language_projection', 'qformer']);
  });

  test('refuses an encoder or a language model of another width', async () => {
    await using vision = await ClipVisionEncoder.fromConfig(
      ClipVisionConfig.create({
        hiddenSize: 64,
        intermediateSize: 8,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
        imageSize: 64,
        patchSize: 32,
      }),
    );
    await using first = await createBlip2Container(model);
    await first.replace(VisionEncoder, [], () => vision);
    await expect(first.get(Blip2Token)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('vision.hiddenSize is 64 but qformer.encoderHiddenSize is 128') as string,
    });

    await using language = await LlamaForCausalLM.fromConfig(
      LlamaConfig.create({
        vocabSize: 448,
        hiddenSize: 64,
        intermediateSize: 8,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
      }),
    );
    await using second = await createBlip2Container(model);
    await second.replace(LanguageModel, [], () => language);
    await expect(second.get(Blip2Token)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('projection.outFeatures is 128 but language.embeddingSize is 64') as string,
    });
  });
});

describe('a whole BLIP-2 model configured with Llama', () => {
  const config = Blip2Config.fromVisionQFormerTextConfigs(
    Blip2VisionConfig.create(TINY_VISION),
    Blip2QFormerConfig.create({ hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2 }),
    LlamaConfig.create({
      vocabSize: 40,
      hiddenSize: 24,
      intermediateSize: 30,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
    }),
    { numQueryTokens: 3, imageTokenIndex: 39 },
  );

  test('generates, and is unchanged after saving and loading', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-llama-'));
    const pixelValues = TINY_PIXELS;
    await using model = await Blip2ForConditionalGeneration.fromConfig(config, {
      seed: 1,
      threads: 1,
      initializer: (name) => (/norm[^.]*\.weight$/i.test(name) ? { kind: 'ones' } : { kind: 'normal', std: 0.3 }),
    });
    await model.savePretrained(folder);
    expect(await readConfig(folder)).toMatchObject({
      architectures: ['Blip2ForConditionalGeneration'],
      text_config: { model_type: 'llama', num_key_value_heads: 2 },
    });
    await using again = await Blip2ForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const { sequences } = await model.generate({ pixelValues }, { maxNewTokens: 5, numBeams: 3 });
    expect(sequences[0]?.length).toBeGreaterThan(0);
    expect((await again.generate({ pixelValues }, { maxNewTokens: 5, numBeams: 3 })).sequences).toEqual(sequences);
    await rm(folder, { recursive: true });
  });
});
