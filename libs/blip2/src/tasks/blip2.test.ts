import { join } from 'node:path';

import type { RgbImage } from '@blip2/interfaces';
import { Blip2Processor, decodeImage } from '@blip2/processor';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { countingEncoder } from '../fixtures/counting-encoder.ts';
import { Blip2, createBlip2 } from './blip2.ts';
import { questionPrompt } from './prompt-templates.ts';

const root = join(import.meta.dirname, '../../../..');
const model = join(root, 'apps/cli/models/blip2-opt-shapes');
const images = ['left-of.png', 'three-objects.png', 'small-one.png'].map((name) => join(root, 'examples', name));
const [first = '', second = '', third = ''] = images;
const short = { maxNewTokens: 8 } as const;

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

let blip2: Blip2;
/** Number of images in each call of the encoder. */
const encoded: number[] = [];
beforeAll(async () => {
  const loaded = await Blip2.fromPretrained(model);
  const { vision, qformer, projection, language } = loaded.pipeline;
  blip2 = createBlip2({
    vision: countingEncoder(vision, encoded),
    qformer,
    projection,
    language,
    processor: loaded.processor,
  });
});
afterAll(async () => {
  await blip2.dispose();
});

describe('caption', () => {
  test('returns one result for one image and a list for a list', async () => {
    const one = await blip2.caption(first, short);
    expect(one.text).not.toBe('');
    expect(one.tokenIds.length).toBeLessThanOrEqual(8);
    expect(one.score).toBeLessThan(0);
    expect(Object.keys(one.timings)).toEqual(['preprocess', 'encode', 'generate']);
    expect(await blip2.caption([first], short)).toMatchObject([{ text: one.text, tokenIds: one.tokenIds }]);
    expect(await blip2.caption([], short)).toEqual([]);
  });

  test('returns the same text for an image in a batch as alone', async () => {
    const batch = await blip2.caption(images, short);
    const alone = await Promise.all(images.map((image) => blip2.caption(image, short)));
    expect(batch.map(({ text }) => text)).toEqual(alone.map(({ text }) => text));
    batch.forEach(({ score }, index) => expect(score).toBeCloseTo(alone[index]?.score ?? Number.NaN, 3));
    expect(new Set(batch.map(({ text }) => text)).size).toBeGreaterThan(1);
  });

  test('continues a prompt', async () => {
    const [plain, prompted] = [
      await blip2.caption(first, short),
      await blip2.caption(first, { ...short, prompt: 'Question: how many objects are there? Answer:' }),
    ];
    expect(prompted.text).not.toBe(plain.text);
    expect(prompted.text).toBe((await blip2.answer(first, 'how many objects are there?', short)).text);
  });

  test('accepts images in any form', async () => {
    const decoded: RgbImage = await decodeImage(first);
    const [height, width] = decoded.dims;
    const raw = { data: decoded.data, width, height, channels: 3 } as const;
    const texts = await blip2.caption([first, decoded, raw], short);
    expect(new Set(texts.map(({ text }) => text)).size).toBe(1);
  });
});

describe('answer', () => {
  const questions = ['how many objects are there?', 'what color is the triangle?'];

  test('pairs one image with several questions and encodes it once', async () => {
    encoded.length = 0;
    const answers = await blip2.answer(first, questions, short);
    expect(encoded).toEqual([1]);
    expect(answers.map(({ text }) => text)).toEqual([
      (await blip2.answer(first, questions[0] ?? '', short)).text,
      (await blip2.answer(first, questions[1] ?? '', short)).text,
    ]);
    expect(answers[0]?.text).not.toBe(answers[1]?.text);
  });

  test('pairs several images with one question, and lists of equal length', async () => {
    const [question = '', other = ''] = questions;
    const alone = async (image: string, asked: string): Promise<string> =>
      (await blip2.answer(image, asked, short)).text;
    expect((await blip2.answer([first, second], question, short)).map(({ text }) => text)).toEqual([
      await alone(first, question),
      await alone(second, question),
    ]);
    encoded.length = 0;
    const pairs = await blip2.answer([first, third], [question, other], short);
    expect(encoded).toEqual([2]);
    expect(pairs.map(({ text }) => text)).toEqual([await alone(first, question), await alone(third, other)]);
    encoded.length = 0;
    await blip2.answer([first, second, first], [question, question, other], short);
    expect(encoded).toEqual([2]);
  });

  test('refuses lists of different lengths, and empty questions', async () => {
    await expect(blip2.answer(images, questions, short)).rejects.toThrow(failure('INVALID_ARGUMENT', /3 and 2/));
    await expect(blip2.answer([], questions, short)).rejects.toThrow(failure('INVALID_ARGUMENT', /0 and 2/));
    await expect(blip2.answer(first, ' ', short)).rejects.toThrow(failure('INVALID_ARGUMENT', /questions\[0\]/));
    await expect(blip2.answer(first, ['what?', ''], short)).rejects.toThrow(
      failure('INVALID_ARGUMENT', /questions\[1\]/),
    );
  });

  test('uses the prompt of training, or a given template', async () => {
    const [question = ''] = questions;
    const asked = await blip2.answer(first, question, short);
    expect((await blip2.answer(first, questionPrompt(question), { ...short, rawPrompt: true })).tokenIds).toEqual(
      asked.tokenIds,
    );
    expect((await blip2.answer(first, question, { ...short, rawPrompt: true })).tokenIds).not.toEqual(asked.tokenIds);
  });

  test('escapes special tokens in a question', async () => {
    // An image token without a feature would be refused.
    await expect(blip2.answer(first, 'what <image> is it?', short)).resolves.toBeDefined();
    const { inputIds } = await blip2.processor.process({ text: 'what <image> is it?' });
    expect(inputIds?.[0]?.filter((id) => id === blip2.processor.imageTokenId)).toHaveLength(1);
  });
});

describe('options', () => {
  test('include those of generation', async () => {
    const beams = await blip2.caption(first, { ...short, numBeams: 3 });
    const greedy = await blip2.caption(first, short);
    expect(beams.text).not.toBe('');
    expect(greedy.tokenIds.length).toBeGreaterThan(2);
    expect((await blip2.caption(first, { maxNewTokens: 2 })).tokenIds).toEqual(greedy.tokenIds.slice(0, 2));
    await expect(blip2.caption(first, { ...short, numReturnSequences: 2, numBeams: 2 })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /numReturnSequences/),
    );
    for (const [name, option] of Object.entries({ returnPrompt: true, outputScores: true, outputLogits: true })) {
      await expect(blip2.caption(first, { ...short, [name]: option })).rejects.toThrow(
        failure('INVALID_ARGUMENT', new RegExp(`${name}.*Use generate of the model`)),
      );
    }
    await expect(blip2.caption(first, { ...short, numBeams: 2, onToken: () => undefined })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /onToken/),
    );
    await expect(blip2.caption(first, { maxNewToken: 2 } as object)).rejects.toThrow(
      failure('UNKNOWN_OPTION', /maxNewTokens/),
    );
  });

  test('abort a task before it starts, and between tokens', async () => {
    await expect(blip2.caption(first, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    const controller = new AbortController();
    let steps = 0;
    const stopped = blip2.caption(first, {
      maxNewTokens: 30,
      minNewTokens: 30,
      signal: controller.signal,
      logitsProcessors: [
        () => {
          if (++steps === 3) controller.abort();
        },
      ],
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(steps).toBe(3);
  });

  test('do not allow URLs by default', async () => {
    await expect(blip2.caption('https://example.org/image.png', short)).rejects.toThrow(
      failure('INVALID_ARGUMENT', /allowUrls/),
    );
  });
});

describe('Blip2.fromPretrained', () => {
  test('loads graphs on first use', async () => {
    const made: string[] = [];
    await using loaded = await Blip2.fromPretrained(model, {
      createSession: (graph, options) => (made.push(graph.name), createSession(graph, options)),
    });
    expect(made).toEqual([]);
    await loaded.answer(first, ['what?', 'how many?'], short);
    expect(made.toSorted()).toEqual(['language_projection', 'opt_decoder', 'opt_embedding', 'qformer', 'vision_model']);
  });

  test('fails after disposal', async () => {
    const loaded = await Blip2.fromPretrained(model);
    await loaded.dispose();
    await loaded.dispose();
    await expect(loaded.caption(first, short)).rejects.toThrow(failure('DISPOSED'));
  });

  test('generates the same in a worker', async () => {
    await using worker = await Blip2.fromPretrained(model, { isolate: 'worker' });
    expect((await worker.caption(images, short)).map(({ text }) => text)).toEqual(
      (await blip2.caption(images, short)).map(({ text }) => text),
    );
  });

  test('builds prompts without image tokens for legacy checkpoints', async () => {
    const legacy = join(root, 'tools/parity/cases/opt-legacy-fp16/checkpoint');
    await using loaded = await Blip2.fromPretrained(legacy);
    expect(loaded.processor.numQueryTokens).toBeUndefined();
    expect((await Blip2Processor.fromPretrained(model)).numQueryTokens).toBe(12);
    expect((await loaded.answer(first, 'what?', short)).tokenIds.length).toBeGreaterThan(0);
  });
});
