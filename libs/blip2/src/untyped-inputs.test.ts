import { join } from 'node:path';

import { generate, sequenceLogProbs } from '@blip2/generate';
import type { PixelValues, TokenEmbeddings } from '@blip2/interfaces';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { occlusionMap } from './explain/occlusion-map.ts';
import { overlayHeatmap } from './explain/overlay-heatmap.ts';
import { queryAttention } from './explain/query-attention.ts';
import { Blip2Model } from './models/blip2-model.ts';
import { Blip2Retrieval } from './retrieval/blip2-retrieval.ts';
import { Blip2, createBlip2 } from './tasks/blip2.ts';

const root = join(import.meta.dirname, '../../..');
const opt = join(root, 'apps/cli/models/blip2-opt-shapes');
const itm = join(root, 'apps/cli/models/blip2-itm-shapes');
const image = join(root, 'examples/left-of.png');
const options = { threads: 1 } as const;

let model: Blip2Model;
let blip2: Blip2;
let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
let pixelValues: PixelValues;
let prefix: TokenEmbeddings;
let embeds: TokenEmbeddings;
beforeAll(async () => {
  model = await Blip2Model.fromPretrained(opt, options);
  blip2 = await Blip2.fromPretrained(opt, options);
  retrieval = await Blip2Retrieval.fromPretrained(itm, options);
  pixelValues = (await blip2.processor.process({ images: image })).pixelValues as PixelValues;
  prefix = await model.encodeImages(pixelValues);
  embeds = await model.languageModel.embed([[5, 6]]);
});
afterAll(async () => {
  for (const each of [model, blip2, retrieval]) await each.dispose();
});

/** Arguments of any type, as from untyped code. */
const any = (value?: unknown): never => value as never;
const withNaN = <T extends { readonly data: Float32Array }>(tensor: T): T => ({
  ...tensor,
  data: tensor.data.map((value, index) => (index === 3 ? NaN : value)),
});
const cut = <T extends { readonly data: Float32Array }>(tensor: T): T => ({ ...tensor, data: tensor.data.subarray(1) });

type Calls = Readonly<Record<string, () => unknown>>;

/** Calls that must be refused with this code and words in the message. */
const CALLS: Readonly<Record<string, () => Calls>> = {
  'INVALID_ARGUMENT inputs must be an object such as { pixelValues }': () => ({
    tensor: () => model.generate(any(pixelValues)),
    null: () => model.generate(any(null)),
    nothing: () => model.forward(any()),
    text: () => model.generate(any('a.png')),
    features: () => model.getImageFeatures(any(pixelValues)),
    part: () => model.visionModel.forward(any(pixelValues)),
  }),
  'INVALID_ARGUMENT pixelValues must be a float32 tensor': () => ({
    empty: () => model.generate(any({})),
    text: () => model.generate({ pixelValues: any('a.png') }),
    encode: () => model.encodeImages(any('a.png')),
    part: () => model.visionModel.encode(any(null)),
    map: () => occlusionMap(any(), async () => []),
  }),
  'SHAPE_MISMATCH pixelValues has the wrong shape': () => ({
    image: () => model.generate({ pixelValues: cut(pixelValues) }),
    prefix: () => model.generate({ pixelValues: cut(prefix) }),
    part: () => model.visionModel.encode(cut(pixelValues)),
  }),
  'NOT_FINITE pixelValues has a value that is not finite (NaN at index 3)': () => ({
    image: () => model.generate({ pixelValues: withNaN(pixelValues) }),
    prefix: () => model.generate({ pixelValues: withNaN(prefix) }),
    scores: () => model.scoreSequences({ pixelValues: withNaN(prefix) }, [[5]]),
    forward: () => model.forward({ pixelValues: withNaN(pixelValues) }),
    part: () => model.visionModel.encode(withNaN(pixelValues)),
    getter: () => model.getQFormerFeatures({ pixelValues: withNaN(pixelValues) }),
  }),
  'NOT_FINITE inputsEmbeds has a value that is not finite': () => ({
    prompt: () => model.generate({ pixelValues: prefix, inputsEmbeds: withNaN(embeds) }),
    forward: () => model.languageModel.forward({ inputsEmbeds: withNaN(embeds) }),
    start: () => model.languageModel.start({ inputsEmbeds: withNaN(embeds), attentionMask: [[1, 1]] }),
  }),
  'NOT_FINITE encoderHiddenStates has a value that is not finite': () => {
    const { encoderHiddenSize: size } = model.qformer;
    const patches = { type: 'float32', dims: [1, 2, size], data: new Float32Array(2 * size).fill(NaN) } as const;
    return {
      query: () => model.qformer.query(patches),
      forward: () => model.qformer.forward({ encoderHiddenStates: patches }),
      read: () => retrieval.model.qformer.read({ inputIds: [[5]], encoderHiddenStates: patches }),
    };
  },
  'INVALID_ARGUMENT inputIds must be rows of integers': () => ({
    text: () => model.generate({ pixelValues, inputIds: any('hello') }),
    flat: () => model.generate({ pixelValues, inputIds: any([5, 6]) }),
    embed: () => model.languageModel.embed(any('abc')),
    language: () => model.languageModel.generate(any({ inputIds: [5] })),
    retrieval: () => retrieval.model.forward(any({ pixelValues, inputIds: 'x' })),
    qformer: () => retrieval.model.qformer.read(any({ inputIds: 5 })),
  }),
  'INVALID_ARGUMENT inputIds must be a value, or absent, got null': () => ({
    prompt: () => model.generate(any({ pixelValues, inputIds: null })),
  }),
  'INVALID_ARGUMENT attentionMask must be rows of integers': () => ({
    text: () => model.languageModel.generate({ inputIds: [[5]], attentionMask: any('1') }),
    start: () => model.languageModel.start(any({ inputsEmbeds: embeds })),
  }),
  'INVALID_ARGUMENT candidates must be': () => ({
    nothing: () => model.scoreSequences({ pixelValues }, any()),
    flat: () => model.scoreSequences({ pixelValues }, any([5])),
    text: () => blip2.rank(image, 'what?', any('text')),
    null: () => blip2.rank(image, 'what?', any(null)),
    sequences: () => sequenceLogProbs(model.languageModel, { inputsEmbeds: embeds, attentionMask: [[1, 1]] }, any()),
  }),
  INVALID_ARGUMENT: () => ({
    caption: () => blip2.caption(any(null)),
    captions: () => blip2.caption(any([null])),
    prompt: () => blip2.caption(image, { prompt: any(5) }),
    question: () => blip2.answer(image, any(null)),
    questions: () => blip2.answer(image, any([5])),
    template: () => blip2.answer(image, 'what?', { template: any('x') }),
    result: () => blip2.answer(image, 'what?', { template: () => any(5) }),
    rankBy: () => blip2.rank(image, 'what?', ['a'], { rankBy: any('x') }),
    chat: () => blip2.chat(any(null)),
    onToken: () => blip2.caption(image, { onToken: any('x') }),
    signal: () => blip2.caption(image, { signal: any('x') }),
    allowUrls: () => blip2.caption(image, { allowUrls: any('false') }),
    match: () => retrieval.match(image, any([5])),
    matchUrls: () => retrieval.match(image, 'a', { allowUrls: any('no') }),
    embed: () => retrieval.embed(any({ images: image })),
    texts: () => retrieval.embed(any({ text: 'a star' })),
    labels: () => retrieval.classify(image, any('star')),
    retrieve: () => retrieval.retrieve(any(image), ['a']),
    score: () => occlusionMap(pixelValues, any()),
    attention: () => queryAttention(any(), pixelValues),
    overlay: async () => overlayHeatmap(any(), any()),
    model: () => generate(any(), any({})),
    generationPrompt: () => generate(model.languageModel, any({})),
    parts: async () => createBlip2(any({})),
    source: () => Blip2.fromPretrained(any()),
    json: () => Blip2Model.fromConfig(any({ model_type: 'blip-2' })),
  }),
};

test.each(Object.keys(CALLS))('%s', async (expected) => {
  const [code = '', ...words] = expected.split(' ');
  for (const [name, call] of Object.entries(CALLS[expected]?.() ?? {})) {
    const error = await (async () => call())().then(
      () => 'accepted',
      (reason: unknown) => reason,
    );
    expect(error, name).toMatchObject({ name: 'Blip2Error', code });
    expect(String(error), name).toContain(words.join(' '));
  }
});

test('scores of a function of the caller must be finite numbers, one per image', async () => {
  const score = (values: (count: number) => unknown) =>
    occlusionMap(pixelValues, async ({ dims: [count] }) => any(values(count)), { cells: 2, windowCells: 1 });
  await expect(score((count) => new Array<number>(count).fill(NaN))).rejects.toMatchObject({
    code: 'NOT_FINITE',
    details: { subject: 'score' },
  });
  await expect(score(() => [1])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  await expect(score(() => undefined)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
});
