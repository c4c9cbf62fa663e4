import { join } from 'node:path';

import type { PixelValues } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { contrastScore, likelihoodScore, matchScore } from '../explain/image-scores.ts';
import { occlusionMap } from '../explain/occlusion-map.ts';
import { queryAttention } from '../explain/query-attention.ts';
import { damagedCheckpoint } from '../fixtures/damaged-checkpoint.ts';
import { Blip2Model } from '../models/blip2-model.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2TextModelWithProjection } from '../retrieval/blip2-text-model-with-projection.ts';
import { Blip2VisionModelWithProjection } from '../retrieval/blip2-vision-model-with-projection.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { InstructBlip } from '../tasks/instructblip.ts';
import { pipeline } from '../transformers-js/pipeline.ts';

const root = join(import.meta.dirname, '../../../..');
const models = join(root, 'apps/cli/models');
const cases = join(root, 'tools/parity/cases');
const image = join(root, 'examples/left-of.png');
const options = { threads: 1 } as const;

async function expectNotFinite(part: string, results: Readonly<Record<string, () => PromiseLike<unknown>>>) {
  for (const [name, result] of Object.entries(results)) {
    const outcome: unknown = await result().then(
      () => 'a result',
      (error: unknown) => error,
    );
    expect(outcome, name).toMatchObject({ code: 'NOT_FINITE', details: { subject: part } });
  }
}

function blank(imageSize: number): PixelValues {
  return { type: 'float32', dims: [1, 3, imageSize, imageSize], data: new Float32Array(3 * imageSize ** 2) };
}

const PARTS = [
  ['vision encoder', 'vision_model.post_layernorm.bias'],
  ['Q-Former', 'qformer.layernorm.bias'],
  ['language projection', 'language_projection.bias'],
] as const;

describe.each([
  ['blip2-opt-shapes', 'language_model.model.decoder.final_layer_norm.weight'],
  ['blip2-t5-shapes', 'language_model.decoder.final_layer_norm.weight'],
])('a NaN in the weights of %s', (checkpoint, languageTensor) => {
  test.each([...PARTS, ['language model', languageTensor] as const])('in the %s', async (part, tensor) => {
    await using damaged = await damagedCheckpoint(join(models, checkpoint), tensor);
    await using blip2 = await Blip2.fromPretrained(damaged.folder, options);
    await using model = await Blip2Model.fromPretrained(damaged.folder, options);
    const pixelValues = blank(model.config.visionConfig.imageSize);
    const [inputIds, labels] = [[[4, 5]], [[4]]];
    await expectNotFinite(part, {
      caption: () => blip2.caption(image),
      captions: () => blip2.caption([image, image]),
      sampled: () => blip2.caption(image, { doSample: true }),
      beams: () => blip2.caption(image, { numBeams: 2 }),
      answer: () => blip2.answer(image, 'what is it?'),
      rank: () => blip2.rank(image, 'what is it?', ['a star', 'a red circle']),
      chat: async () => (await blip2.chat(image)).ask('what is it?'),
      scoreSequences: () => blip2.pipeline.scoreSequences({ pixelValues }, [[4]]),
      occlusion: () => occlusionMap(pixelValues, likelihoodScore(blip2, 'a star'), { cells: 2, windowCells: 1 }),
      forward: async () =>
        model.forward({
          pixelValues: await model.encodeImages(pixelValues),
          inputIds: [[...new Array<number>(model.config.numQueryTokens).fill(model.config.imageTokenIndex ?? 0), 4]],
          labels,
        }),
    });
    if (part === 'language model')
      await expectNotFinite(part, { getTextFeatures: () => model.getTextFeatures({ inputIds, labels }) });
    else await expectNotFinite(part, { encode: () => blip2.encode(image) });
    if (part === 'vision encoder' || part === 'Q-Former') {
      await expectNotFinite(part, {
        attention: () => queryAttention({ vision: model.visionModel, qformer: model.qformer }, pixelValues),
        getQFormerFeatures: () => model.getQFormerFeatures({ pixelValues }),
      });
    }
    if (part === 'vision encoder')
      await expectNotFinite(part, { getImageFeatures: () => model.getImageFeatures({ pixelValues }) });
  });

  test('can be in the logits alone if removeInvalidValues replaces them', async () => {
    await using damaged = await damagedCheckpoint(join(models, checkpoint), languageTensor);
    await using blip2 = await Blip2.fromPretrained(damaged.folder, options);
    expect((await blip2.caption(image, { removeInvalidValues: true, maxNewTokens: 2 })).tokenIds).toHaveLength(2);
  });
});

test('names the part in the message, and the value', async () => {
  await using damaged = await damagedCheckpoint(join(models, 'blip2-opt-shapes'), PARTS[0][1], 'Infinity');
  await using blip2 = await Blip2.fromPretrained(damaged.folder, options);
  await expect(blip2.caption(image)).rejects.toThrow(
    'The vision encoder returned a value that is not finite (Infinity). Run blip2 cache verify, or use dtype fp32; ' +
      'the weights may be damaged',
  );
});

test('names the part that runs in a worker', async () => {
  await using damaged = await damagedCheckpoint(join(models, 'blip2-opt-shapes'), PARTS[1][1]);
  await using blip2 = await Blip2.fromPretrained(damaged.folder, { ...options, isolate: 'worker' });
  await expectNotFinite('Q-Former', { caption: () => blip2.caption(image) });
});

test.each([
  ['vision encoder', 'vision_model.post_layernorm.bias'],
  ['Q-Former', 'qformer.embeddings.layernorm.bias'],
  ['language projection', 'language_projection.bias'],
])('a NaN in the weights of the %s of InstructBLIP', async (part, tensor) => {
  await using damaged = await damagedCheckpoint(join(cases, 'instructblip-t5/checkpoint'), tensor);
  await using instructBlip = await InstructBlip.fromPretrained(damaged.folder, options);
  await expectNotFinite(part, {
    answer: () => instructBlip.answer(image, 'what?'),
    rank: () => instructBlip.rank(image, 'what?', ['a', 'b']),
  });
});

describe('a NaN in the weights of blip2-itm-shapes', () => {
  const all = ['vision', 'qformer', 'image-proj', 'text', 'text-proj', 'multimodal', 'match', 'attention'] as const;
  type Result = (typeof all)[number];
  /** Which results depend on the tensor. */
  test.each<[part: string, tensor: string, results: readonly Result[]]>([
    ['vision encoder', 'vision_model.post_layernorm.bias', ['vision', 'qformer', 'image-proj', 'multimodal', 'match']],
    ['Q-Former', 'qformer.encoder.layer.0.attention.output.LayerNorm.bias', all.filter((name) => name !== 'vision')],
    ['retrieval head', 'vision_projection.bias', ['image-proj', 'match']],
    ['retrieval head', 'text_projection.bias', ['text-proj', 'match']],
    ['retrieval head', 'itm_head.bias', ['match']],
  ])('in the %s: %s', async (part, tensor, affected) => {
    await using damaged = await damagedCheckpoint(join(models, 'blip2-itm-shapes'), tensor);
    await using retrieval = await Blip2Retrieval.fromPretrained(damaged.folder, options);
    const { model } = retrieval;
    const pixelValues = blank(model.config.visionConfig.imageSize);
    const inputs = { pixelValues, inputIds: [[2, 3]] };
    const [images, text] = [[image], ['a star']];
    const features = await pipeline('image-feature-extraction', damaged.folder, options);
    const embed = (name: 'vision' | 'qformer' | 'image-proj') => async () => {
      await retrieval.embed({ images }, { part: name });
      await features(image, { part: name });
    };
    const results: Record<Result, () => PromiseLike<unknown>> = {
      vision: embed('vision'),
      qformer: embed('qformer'),
      'image-proj': embed('image-proj'),
      text: () => retrieval.embed({ text }, { part: 'text' }),
      'text-proj': () => retrieval.embed({ text }, { part: 'text-proj' }),
      multimodal: () => retrieval.embed({ images, text }),
      match: () => retrieval.match(image, 'a star'),
      attention: () => queryAttention({ vision: model.visionModel, qformer: model.qformer }, pixelValues),
    };
    await expectNotFinite(part, Object.fromEntries(affected.map((name) => [name, results[name]])));
    const isHead = tensor === 'itm_head.bias';
    await expectNotFinite(part, {
      retrieve: () => retrieval.retrieve(images, text),
      forward: () => model.forward(inputs, { useImageTextMatchingHead: isHead }),
      occlusion: () =>
        occlusionMap(pixelValues, (isHead ? matchScore : contrastScore)({ ...model, ...retrieval }, 'a star')),
      ...(!isHead && { classify: () => retrieval.classify(image, ['a star', 'a circle']) }),
    });
    await features[Symbol.asyncDispose]();
  });

  test('in the half models', async () => {
    await using damaged = await damagedCheckpoint(join(models, 'blip2-itm-shapes'), 'vision_projection.bias');
    await using vision = await Blip2VisionModelWithProjection.fromPretrained(damaged.folder, options);
    const pixelValues = blank(vision.config.visionConfig.imageSize);
    await expectNotFinite('retrieval head', { forward: () => vision.forward({ pixelValues }) });
    await using damagedText = await damagedCheckpoint(join(models, 'blip2-itm-shapes'), 'text_projection.bias');
    await using text = await Blip2TextModelWithProjection.fromPretrained(damagedText.folder, options);
    await expectNotFinite('retrieval head', { forward: () => text.forward({ inputIds: [[2, 3]] }) });
  });
});
