import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { GenerationOptions } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2 } from './blip2.ts';
import { createInstructBlip, InstructBlip } from './instructblip.ts';
import { loadImageTasks } from './load-image-tasks.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');

interface GoldenGeneration {
  readonly name: string;
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: { readonly qformer_attention_mask: readonly (readonly number[])[] };
  readonly made_from: { readonly images: readonly string[]; readonly text: readonly string[]; readonly size?: unknown };
  readonly outputs: { readonly new_tokens: readonly (readonly number[])[] };
}

/** The recorded outputs of Hugging Face Transformers, with the options of tasks in camelCase. */
const OPTIONS = new Map<string, keyof GenerationOptions>([
  ['max_new_tokens', 'maxNewTokens'],
  ['min_new_tokens', 'minNewTokens'],
  ['num_beams', 'numBeams'],
  ['repetition_penalty', 'repetitionPenalty'],
  ['no_repeat_ngram_size', 'noRepeatNgramSize'],
  ['length_penalty', 'lengthPenalty'],
  ['early_stopping', 'earlyStopping'],
  ['suppress_tokens', 'suppressTokens'],
]);
async function goldens(name: string): Promise<GoldenGeneration[]> {
  const { entries }: { readonly entries: readonly GoldenGeneration[] } = JSON.parse(
    await readFile(join(cases, name, 'golden.json'), 'utf8'),
  );
  return entries.filter(
    ({ kind, options, inputs, made_from: made }) =>
      kind === 'generate' &&
      made.size === undefined &&
      'max_new_tokens' in options &&
      Object.keys(options).every((key) => OPTIONS.has(key)) &&
      !isMoved(inputs.qformer_attention_mask),
  );
}
/**
 * Padding on the left, as for a causal model, would shift the positions of the Q-Former's text and change its outputs;
 * the tasks pad it on the right.
 */
function isMoved(mask: readonly (readonly number[])[]): boolean {
  return mask.some(([first]) => first === 0);
}
function optionsOf({ options }: GoldenGeneration): GenerationOptions {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [OPTIONS.get(key), value]));
}
/** HF fills the rows of a batch with pad tokens after the end token. */
function withoutPadding(row: readonly number[], length: number): readonly number[] {
  return row.slice(0, length);
}

describe.each(['instructblip-llama', 'instructblip-t5'])('the tasks of %s', (name) => {
  const image = (file: string): string => join(cases, name, 'images', file);
  let model: InstructBlip;
  beforeAll(async () => {
    model = await InstructBlip.fromPretrained(join(cases, name, 'checkpoint'), { threads: 1 });
  });
  afterAll(() => model.dispose());

  test('answer with the tokens of Hugging Face Transformers, one by one and in batches', async () => {
    const entries = await goldens(name);
    expect(entries.length).toBeGreaterThan(8);
    expect(entries.some(({ made_from: { images } }) => images.length > 1)).toBe(name === 'instructblip-t5');
    for (const entry of entries) {
      const { images, text } = entry.made_from;
      const results = await model.answer(images.map(image), text, {
        ...optionsOf(entry),
        autoOrient: false,
        rawPrompt: true,
      });
      const expected = entry.outputs.new_tokens.map((row, index) =>
        withoutPadding(row, results[index]?.tokenIds.length ?? 0),
      );
      expect({ name: entry.name, rows: results.map(({ tokenIds }) => tokenIds) }).toEqual({
        name: entry.name,
        rows: expected,
      });
    }
  });

  test('answer the same in a batch as one by one', async () => {
    const [images, questions, options] = [
      ['photo.jpg', 'square.png', 'grey.png'].map(image),
      ['Question: how many cats are there? Answer:', 'a photo of', 'the red bus'],
      { maxNewTokens: 8 },
    ];
    const batch = await model.answer(images, questions, options);
    for (const [index, image] of images.entries())
      expect(batch[index]?.tokenIds).toEqual((await model.answer(image, questions[index] ?? '', options)).tokenIds);
  });

  test('caption with a default instruction, or with a given one', async () => {
    const options = { maxNewTokens: 6 };
    const own = await model.caption(image('photo.jpg'), options);
    expect(own.tokenIds).toEqual(
      (await model.answer(image('photo.jpg'), 'A short image description:', options)).tokenIds,
    );
    const given = await model.caption(image('photo.jpg'), { ...options, prompt: 'a photo of' });
    expect(given.tokenIds).toEqual((await model.answer(image('photo.jpg'), 'a photo of', options)).tokenIds);
    expect(given.tokenIds).not.toEqual(own.tokenIds);
  });

  test('accept an encoded image: the vision encoder runs once, the Q-Former for every question', async () => {
    const { vision, qformer, projection, language } = model.pipeline;
    const counts = { vision: 0, qformer: 0 };
    const counted = createInstructBlip({
      vision: { ...vision, encode: (pixels, options) => ((counts.vision += 1), vision.encode(pixels, options)) },
      qformer: { ...qformer, query: (patches, text) => ((counts.qformer += 1), qformer.query(patches, text)) },
      projection,
      language,
      processor: model.processor,
    });
    const encoded = await counted.encode(image('square.png'));
    const options = { maxNewTokens: 5 };
    const [first, second] = [
      await counted.answer(encoded, 'the red bus', options),
      await counted.answer(encoded, 'a photo of', options),
    ];
    expect(counts).toEqual({ vision: 1, qformer: 2 });
    expect([first.tokenIds, second.tokenIds]).toEqual([
      (await model.answer(image('square.png'), 'the red bus', options)).tokenIds,
      (await model.answer(image('square.png'), 'a photo of', options)).tokenIds,
    ]);
    await encoded[Symbol.asyncDispose]();
    await expect(counted.answer(encoded, 'the red bus', options)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  test('rank answers by the log-probabilities of the whole model', async () => {
    const ranked = await model.rank(image('photo.jpg'), 'a photo of', ['the red bus', 'two cats'], { endToken: false });
    const { pixelValues, ...prompt } = await model.processor.process({
      images: image('photo.jpg'),
      text: 'a photo of',
    });
    const [scored = []] = await model.pipeline.scoreSequences(
      { pixelValues, ...prompt },
      ranked.map(({ tokenIds }) => tokenIds),
    );
    ranked.forEach(({ logProb }, index) => expect(logProb).toBeCloseTo(scored[index]?.sum ?? NaN, 3));
    expect(ranked.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  });

  test('hold a conversation: each answer equals that to the whole conversation as a prompt', async () => {
    const options = { maxNewTokens: 4 };
    await using chat = await model.chat(image('grey.png'), options);
    const first = await chat.ask('the red bus');
    expect(first.tokenIds).toEqual((await model.answer(image('grey.png'), 'the red bus', options)).tokenIds);
    const history = [...chat.history];
    const second = await chat.ask('why?');
    const before = history.map(({ question, answer }) => `Question: ${question} Answer: ${answer}. `).join('');
    expect(second.tokenIds).toEqual(
      (await model.answer(image('grey.png'), `${before}Question: why? Answer:`, options)).tokenIds,
    );
  });
});

describe('loadImageTasks', () => {
  test('is InstructBLIP or BLIP-2 according to the configuration', async () => {
    await using instruct = await loadImageTasks(join(cases, 'instructblip-t5/checkpoint'), { threads: 1 });
    expect(instruct.processor).toHaveProperty('qformerTokenizer');
    await using blip2 = await loadImageTasks(join(cases, 't5/checkpoint'), { threads: 1 });
    expect(blip2.processor).not.toHaveProperty('qformerTokenizer');
  });

  test('Blip2 refuses an InstructBLIP checkpoint as another architecture', async () => {
    await expect(Blip2.fromPretrained(join(cases, 'instructblip-t5/checkpoint'))).rejects.toMatchObject({
      code: 'UNSUPPORTED_ARCHITECTURE',
    });
  });
});
