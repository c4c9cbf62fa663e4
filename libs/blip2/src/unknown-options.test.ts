import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2VisionConfig } from '@blip2/config';
import { generate } from '@blip2/generate';
import { loadLanguageModel } from '@blip2/language';
import { Blip2QFormerModel, LanguageProjection, TextConditionedQFormer } from '@blip2/qformer';
import { Blip2VisionModel } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { occlusionMap } from './explain/occlusion-map.ts';
import { overlayHeatmap } from './explain/overlay-heatmap.ts';
import { queryAttention } from './explain/query-attention.ts';
import { Blip2ForConditionalGeneration } from './models/blip2-for-conditional-generation.ts';
import { Blip2Model } from './models/blip2-model.ts';
import { InstructBlipForConditionalGeneration } from './models/instructblip-for-conditional-generation.ts';
import { openCheckpointParts } from './parts/checkpoint-parts.ts';
import { Blip2Retrieval } from './retrieval/blip2-retrieval.ts';
import { Blip2TextModelWithProjection } from './retrieval/blip2-text-model-with-projection.ts';
import { Blip2VisionModelWithProjection } from './retrieval/blip2-vision-model-with-projection.ts';
import { Blip2 } from './tasks/blip2.ts';
import { InstructBlip } from './tasks/instructblip.ts';
import { loadImageTasks } from './tasks/load-image-tasks.ts';
import { pipeline } from './transformers-js/pipeline.ts';

const root = join(import.meta.dirname, '../../..');
const opt = join(root, 'apps/cli/models/blip2-opt-shapes');
const itm = join(root, 'apps/cli/models/blip2-itm-shapes');
const instruct = join(root, 'tools/parity/cases/instructblip-t5/checkpoint');
const image = join(root, 'examples/left-of.png');

/** Options of any name, as from untyped code. */
const loose = (options: object): never => options as never;
const unknown = (words: string): unknown =>
  expect.objectContaining({ code: 'UNKNOWN_OPTION', message: expect.stringContaining(words) as string });

const LOADERS: readonly (readonly [string, (options: never) => Promise<unknown>])[] = [
  ['Blip2', (options) => Blip2.fromPretrained(opt, options)],
  ['InstructBlip', (options) => InstructBlip.fromPretrained(instruct, options)],
  ['Blip2Retrieval', (options) => Blip2Retrieval.fromPretrained(itm, options)],
  ['Blip2ForConditionalGeneration', (options) => Blip2ForConditionalGeneration.fromPretrained(opt, options)],
  ['Blip2Model', (options) => Blip2Model.fromPretrained(opt, options)],
  ['InstructBlipForConditionalGeneration', (o) => InstructBlipForConditionalGeneration.fromPretrained(instruct, o)],
  ['Blip2TextModelWithProjection', (options) => Blip2TextModelWithProjection.fromPretrained(itm, options)],
  ['Blip2VisionModelWithProjection', (options) => Blip2VisionModelWithProjection.fromPretrained(itm, options)],
  ['loadImageTasks', (options) => loadImageTasks(opt, options)],
  ['openCheckpointParts', (options) => openCheckpointParts(opt, options)],
  ['pipeline', (options) => pipeline('image-to-text', opt, options)],
  ['Blip2VisionModel', (options) => Blip2VisionModel.fromPretrained(opt, options)],
  ['Blip2QFormerModel', (options) => Blip2QFormerModel.fromPretrained(opt, options)],
  ['TextConditionedQFormer', (options) => TextConditionedQFormer.fromPretrained(itm, options)],
  ['LanguageProjection', (options) => LanguageProjection.fromPretrained(opt, options)],
  ['loadLanguageModel', (options) => loadLanguageModel(opt, options)],
];

describe.each(LOADERS)('the options of %s', (_, load) => {
  test.each([
    [{ load_in_8bit: true }, "Use dtype: 'int8', or 'fast'"],
    [{ loadIn8bit: true }, "Use dtype: 'int8', or 'fast'"],
    [{ deviceMap: 'auto' }, 'weights are mapped from the checkpoint'],
    [{ device_map: 'auto' }, 'weights are mapped from the checkpoint'],
    [{ lowCpuMemUsage: true }, 'weights are mapped from the checkpoint'],
    [{ torch_dtype: 'auto' }, 'Use dtype'],
    [{ thread: 2 }, 'Did you mean "threads"?'],
    [{ foo: 1 }, 'Unknown option "foo"'],
  ])('%o are unknown', async (options, words) => {
    await expect(load(loose(options))).rejects.toEqual(unknown(words));
  });
});

describe('the options of a call', () => {
  let scratch: string;
  let blip2: Blip2;
  let model: Blip2Model;
  let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'blip2-options-'));
    blip2 = await Blip2.fromPretrained(opt, { threads: 1 });
    model = await Blip2Model.fromPretrained(opt, { threads: 1 });
    retrieval = await Blip2Retrieval.fromPretrained(itm, { threads: 1 });
  });
  afterAll(async () => {
    await blip2.dispose();
    await model.dispose();
    await retrieval.dispose();
    await rm(scratch, { recursive: true, force: true });
  });
  const pixels = async () => (await blip2.processor.process({ images: image })).pixelValues as never;

  test('of tasks', async () => {
    const chat = await blip2.chat(image);
    const calls: readonly (readonly [() => Promise<unknown> | PromiseLike<unknown>, string])[] = [
      [() => blip2.caption(image, loose({ max_new_tokens: 3 })), 'Did you mean "maxNewTokens"?'],
      [() => blip2.caption([image], loose({ promt: 'a' })), 'Did you mean "prompt"?'],
      [() => blip2.answer(image, 'what?', loose({ num_beams: 3 })), 'Did you mean "numBeams"?'],
      [() => blip2.answer([image], 'what?', loose({ raw_prompt: true })), 'Did you mean "rawPrompt"?'],
      [() => blip2.rank(image, 'what?', ['a'], loose({ rank_by: 'logProb' })), 'Did you mean "rankBy"?'],
      [() => blip2.rank(image, 'what?', ['a'], loose({ maxNewTokens: 3 })), 'Unknown option "maxNewTokens" (rank)'],
      [() => blip2.encode(image, loose({ allow_urls: true })), 'Did you mean "allowUrls"?'],
      [() => blip2.chat(image, loose({ prompt: 'a' })), 'Unknown option "prompt" (chat)'],
      [() => chat.ask('what?', loose({ template: () => 'x' })), 'Unknown option "template" (ask)'],
      [() => retrieval.match(image, 'a star', loose({ truncation: true })), 'Unknown option "truncation" (match)'],
      [() => retrieval.embed({ images: [image] }, loose({ parts: 'vision' })), 'Did you mean "part"?'],
      [() => retrieval.embed(loose({ images: [image], texts: ['a'] })), 'Did you mean "text"?'],
      [() => retrieval.classify(image, ['star'], loose({ hypothesis: 'x' })), 'Unknown option "hypothesis"'],
      [() => retrieval.retrieve([image], ['a'], loose({ top_k: 3 })), 'Did you mean "topK"?'],
    ];
    for (const [call, words] of calls) await expect(call(), words).rejects.toEqual(unknown(words));
    await chat.dispose();
  });

  test('of models', async () => {
    const pixelValues = await pixels();
    const inputs = { pixelValues };
    const calls: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => model.forward(inputs, loose({ returnDict: false })), 'results are always objects'],
      [() => model.forward(inputs, loose({ return_dict: true })), 'results are always objects'],
      [() => model.forward(inputs, loose({ output_attentions: true })), 'Did you mean "outputAttentions"?'],
      [() => model.generate(inputs, loose({ max_new_tokens: 3 })), 'Did you mean "maxNewTokens"?'],
      [() => model.generate(inputs, {}, loose({ decoder: () => '' })), 'Did you mean "decode"?'],
      [() => model.generate(loose({ ...inputs, attention_mask: [[1]] })), 'Did you mean "attentionMask"?'],
      [() => model.forward(loose({ ...inputs, input_ids: [[1]] })), 'Did you mean "inputIds"?'],
      [() => model.scoreSequences(inputs, [[5]], loose({ return_dict: true })), 'Unknown option "return_dict"'],
      [() => model.encodeImages(pixelValues, loose({ interpolate: true })), 'Unknown option "interpolate"'],
      [() => model.pipeline.embedPrompt(inputs, loose({ foo: 1 })), 'Unknown option "foo"'],
      [() => model.getImageFeatures(inputs, loose({ return_dict: true })), 'results are always objects'],
      [() => model.getQFormerFeatures(inputs, loose({ returnDict: true })), 'results are always objects'],
      [() => model.getTextFeatures({ inputIds: [[5]] }, loose({ returnDict: true })), 'results are always objects'],
      [() => model.visionModel.encode(pixelValues, loose({ foo: 1 })), 'Unknown option "foo"'],
      [() => model.languageModel.generate({ inputIds: [[5]] }, loose({ beams: 2 })), 'Did you mean "numBeams"?'],
      [() => model.languageModel.generate(loose({ input_ids: [[5]] })), 'Did you mean "inputIds"?'],
      [() => model.savePretrained(scratch, loose({ safeSerialization: true })), 'Unknown option "safeSerialization"'],
      [() => model.savePretrained(scratch, loose({ max_shard_size: '1GB' })), 'Unknown option "max_shard_size"'],
      [() => Blip2ForConditionalGeneration.fromConfig(model.config, loose({ sead: 1 })), 'Did you mean "seed"?'],
      [() => Blip2VisionModel.fromConfig(Blip2VisionConfig.create(), loose({ seeds: 1 })), 'Did you mean "seed"?'],
      [() => retrieval.model.forward(loose({}), {}), 'pixelValues'],
      [() => occlusionMap(pixelValues, async () => [], loose({ cell: 3 })), 'Did you mean "cells"?'],
      [
        () => queryAttention({ vision: model.visionModel, qformer: model.qformer }, pixelValues, loose({ layers: 1 })),
        'Did you mean "layer"?',
      ],
    ];
    for (const [call, words] of calls)
      await expect(call(), words).rejects.toEqual(
        words === 'pixelValues' ? expect.objectContaining({ code: 'INVALID_ARGUMENT' }) : unknown(words),
      );
    const map = { type: 'float32', dims: [1, 1], data: new Float32Array(1) } as const;
    const rgb = { type: 'uint8', dims: [1, 1, 3], data: new Uint8Array(3) } as const;
    expect(() => overlayHeatmap(rgb, map, loose({ alpha: 0.5 }))).toThrow(unknown('Unknown option "alpha"') as Error);
  });

  test('of pipelines', async () => {
    const features = await pipeline('image-feature-extraction', opt, { threads: 1 });
    await expect(features(image, loose({ pooling: 'mean' }))).rejects.toEqual(unknown('Did you mean "pool"?'));
    await features.dispose();
    const labels = await pipeline('zero-shot-image-classification', itm, { threads: 1 });
    await expect(labels(image, ['star'], loose({ template: 'a {}' }))).rejects.toEqual(unknown('"template"'));
    await labels.dispose();
  });

  test('that are undefined count as absent; null and functions are no options', async () => {
    expect((await blip2.caption(image, loose({ foo: undefined, maxNewTokens: 2 }))).tokenIds.length).toBeLessThan(3);
    const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as unknown;
    const inputs = { pixelValues: await pixels() };
    await expect(blip2.caption(image, null as never)).rejects.toEqual(invalid);
    await expect(model.generate(inputs, null as never)).rejects.toEqual(invalid);
    await expect(model.generate(inputs, {}, ((ids: number[]) => String(ids)) as never)).rejects.toEqual(invalid);
    await expect(Blip2.fromPretrained(opt, null as never)).rejects.toEqual(invalid);
    await expect(Blip2.fromPretrained({ qformer: opt, visionModel: opt } as never)).rejects.toEqual(
      unknown('The options are qformer, vision, language, processor'),
    );
    const prompt = { inputsEmbeds: await model.languageModel.embed([[5]]), attentionMask: [[1]] };
    await expect(generate(model.languageModel, prompt, { stopStrings: 'x' })).rejects.toMatchObject({
      message: expect.stringContaining('third argument of generate') as string,
    });
  });
});
