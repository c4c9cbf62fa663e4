import { join } from 'node:path';

import { type WatchedRead, watchLanguageModel } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { countingEncoder } from '../fixtures/counting-encoder.ts';
import type { TaskImage } from '../images/encoded-image.ts';
import { Blip2, createBlip2 } from './blip2.ts';
import { chatPrompt, questionPrompt } from './prompt-templates.ts';
import type { TaskOptions } from './task-options.ts';

const root = join(import.meta.dirname, '../../../..');
const [first, second] = ['left-of.png', 'three-objects.png'].map((name) => join(root, 'examples', name)) as [
  string,
  string,
];
const questions = ['what color is the triangle?', 'how many objects are there?', 'what is it?'];
const checkpoints = {
  opt: 'apps/cli/models/blip2-opt-shapes',
  'legacy opt': 'tools/parity/cases/opt-legacy-fp16/checkpoint',
  t5: 'apps/cli/models/blip2-t5-shapes',
} as const;

interface Counted {
  readonly blip2: Blip2;
  /** Number of images in each run of the vision encoder. */
  readonly encoded: number[];
  readonly reads: WatchedRead[];
  /** Number of prefilled text positions: rows × longest text. */
  width(...texts: string[]): number;
  reset(): void;
}

async function countedBlip2(folder: string): Promise<Counted> {
  const loaded = await Blip2.fromPretrained(join(root, folder));
  const { vision, qformer, projection, language } = loaded.pipeline;
  const encoded: number[] = [];
  const reads: WatchedRead[] = [];
  return {
    blip2: createBlip2({
      vision: countingEncoder(vision, encoded),
      qformer,
      projection,
      language: watchLanguageModel(language, (read) => reads.push(read)),
      processor: loaded.processor,
    }),
    encoded,
    reads,
    width: (...texts) => Math.max(...texts.map((text) => loaded.processor.tokenizer.encode(text).length)),
    reset: () => void (encoded.length = reads.length = 0),
  };
}

describe.each(Object.entries(checkpoints))('an encoded image with %s', (name, folder) => {
  const isCausal = name !== 't5';
  /** The legacy checkpoint has random weights, so that its texts never end. */
  const short: TaskOptions = { maxNewTokens: 6 };
  let counted: Counted;
  let queries = 0;
  beforeAll(async () => {
    counted = await countedBlip2(folder);
    queries = counted.blip2.pipeline.qformer.numQueryTokens;
  });
  afterAll(() => counted.blip2.dispose());
  /** The positions that a first question prefills, including those of the image unless they are cached. */
  const prefill = (remembers: boolean, ...texts: string[]): WatchedRead => ({
    rows: texts.length,
    positions: counted.width(...texts) + (remembers ? 0 : queries),
  });

  test('runs no vision work a second time, and with a causal model no prefill of its positions', async () => {
    const { blip2, encoded, reads, reset } = counted;
    const prompts = questions.map((question) => questionPrompt(question));
    const expected = [];
    for (const question of questions) expected.push((await blip2.answer(first, question, short)).tokenIds);
    reset();
    await using image = await blip2.encode(first);
    expect([encoded, reads]).toEqual([[1], []]);
    for (const [index, question] of questions.entries()) {
      reads.length = 0;
      const answer = await blip2.answer(image, question, short);
      expect(answer.tokenIds).toEqual(expected[index]);
      expect(answer.timings.encode).toBe(0);
      const read = prefill(isCausal, prompts[index] ?? '');
      expect(reads.slice(0, isCausal && index === 0 ? 2 : 1)).toEqual(
        isCausal && index === 0 ? [{ rows: 1, positions: queries }, read] : [read],
      );
    }
    expect(encoded).toEqual([1]);
  });

  test('answers several questions of different lengths in one batch as in single calls', async () => {
    const { blip2, encoded, reads, reset } = counted;
    await using image = await blip2.encode(first);
    const alone = [];
    for (const question of questions) alone.push((await blip2.answer(image, question, short)).tokenIds);
    reset();
    const together = await blip2.answer(image, questions, short);
    expect(together.map(({ tokenIds }) => tokenIds)).toEqual(alone);
    expect(encoded).toEqual([]);
    expect(reads[0]).toEqual(prefill(isCausal, ...questions.map((question) => questionPrompt(question))));
    expect((await blip2.answer(image, questions, { ...short, numBeams: 3 })).map(({ text }) => text)).toEqual(
      await Promise.all(
        questions.map(async (question) => (await blip2.answer(first, question, { ...short, numBeams: 3 })).text),
      ),
    );
  });

  test('is prefilled once for several questions, also if it was not encoded before', async () => {
    const { blip2, encoded, reads, reset } = counted;
    reset();
    const answers = await blip2.answer(first, questions, short);
    expect(encoded).toEqual([1]);
    const texts = questions.map((question) => questionPrompt(question));
    expect(reads.slice(0, isCausal ? 2 : 1)).toEqual(
      isCausal ? [{ rows: 1, positions: queries }, prefill(true, ...texts)] : [prefill(false, ...texts)],
    );
    for (const [index, question] of questions.entries())
      expect(answers[index]?.tokenIds).toEqual((await blip2.answer(first, question, short)).tokenIds);
  });

  test('can be combined with others, of the same batch or not, and with sources', async () => {
    const { blip2, encoded, reset } = counted;
    const [question = ''] = questions;
    const expected = [
      (await blip2.answer(first, question, short)).tokenIds,
      (await blip2.answer(second, question, short)).tokenIds,
    ];
    const captions = (await blip2.caption([first, second], short)).map(({ tokenIds }) => tokenIds);
    reset();
    const [one, other] = await blip2.encode([first, second]);
    await using alone = await blip2.encode(second);
    expect(encoded).toEqual([2, 1]);
    const ask = async (...images: TaskImage[]): Promise<(readonly number[])[]> =>
      (await blip2.answer(images, question, short)).map(({ tokenIds }) => tokenIds);
    expect(await ask(one!, other!)).toEqual(expected);
    expect(await ask(other!, one!)).toEqual(expected.toReversed());
    expect(await ask(one!, alone)).toEqual(expected);
    expect(await ask(first, alone)).toEqual(expected);
    expect((await blip2.caption([one!, other!], short)).map(({ tokenIds }) => tokenIds)).toEqual(captions);
    expect((await blip2.caption(other!, short)).tokenIds).toEqual(captions[1]);
    expect(encoded).toEqual([2, 1, 1]);
    await one?.[Symbol.asyncDispose]();
    expect(await ask(other!)).toEqual([expected[1]]);
    await other?.[Symbol.asyncDispose]();
    if (isCausal) await expect(blip2.answer(other!, question, short)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  test('is refused by another model', async () => {
    await using other = await Blip2.fromPretrained(join(root, folder));
    await using image = await other.encode(first);
    await expect(counted.blip2.caption(image)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching('another model'),
    });
  });

  test('a chat prefills only the new tokens, and answers as with the whole prompt', async () => {
    const { blip2, encoded, reads, reset } = counted;
    reset();
    await using conversation = await blip2.chat(first, short);
    const turns: { question: string; answer: string }[] = [];
    let before = 0;
    for (const question of questions) {
      reads.length = 0;
      const prompt = chatPrompt(turns, question);
      const answer = await conversation.ask(question);
      const positions = counted.width(prompt);
      const [read] = isCausal && turns.length === 0 ? reads.slice(1) : reads;
      if (!isCausal) expect(read).toEqual({ rows: 1, positions: positions + queries });
      else if (turns.length === 0) expect(read).toEqual({ rows: 1, positions });
      else expect(read!.positions).toBeLessThanOrEqual(positions - before);
      const anew = await blip2.answer(first, prompt, { ...short, rawPrompt: true });
      expect(answer.tokenIds).toEqual(anew.tokenIds);
      expect(answer.score).toBeCloseTo(anew.score, 3);
      if (answer.text !== '') turns.push({ question, answer: answer.text });
      before = positions;
    }
    expect(conversation.history).toEqual(turns);
    // One for the chat; the others belong to the comparisons.
    expect(encoded).toHaveLength(1 + questions.length);
  });

  test('a chat supports beam search, prompt lookup, and questions after an abort', async () => {
    const { blip2 } = counted;
    const [one = '', two = '', three = ''] = questions;
    await using image = await blip2.encode(first);
    await using conversation = await blip2.chat(image, short);
    await conversation.ask(one, { numBeams: 3 });
    for await (const piece of conversation.ask(two, { promptLookupNumTokens: 3, maxNewTokens: 12, minNewTokens: 12 }))
      if (piece !== '') break;
    await expect(conversation.ask(' ')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const prompt = chatPrompt(conversation.history, three);
    expect(conversation.history.length).toBeGreaterThan(0);
    expect((await conversation.ask(three, { promptLookupNumTokens: 4 })).tokenIds).toEqual(
      (await blip2.answer(image, prompt, { ...short, rawPrompt: true })).tokenIds,
    );
  });

  test('a chat drops rejected guesses, wherever it is aborted', async () => {
    const { blip2 } = counted;
    await using image = await blip2.encode(first);
    for (let stopAfter = 1; stopAfter <= 10; stopAfter++) {
      await using conversation = await blip2.chat(image, { maxNewTokens: 14, promptLookupNumTokens: 3 });
      let pieces = 0;
      for await (const piece of conversation.ask('what is it?')) if (piece !== '' && ++pieces === stopAfter) break;
      const prompt = chatPrompt(conversation.history, 'what is it?');
      const { tokenIds, score } = await conversation.ask('what is it?');
      const anew = await blip2.answer(image, prompt, { rawPrompt: true, maxNewTokens: 14 });
      expect(tokenIds).toEqual(anew.tokenIds);
      expect(score).toBeCloseTo(anew.score, 3);
    }
  });

  test('generates the same in a worker', async () => {
    await using worker = await Blip2.fromPretrained(join(root, folder), { isolate: 'worker' });
    const say = async (blip2: Blip2): Promise<unknown> => {
      await using image = await blip2.encode(first);
      await using conversation = await blip2.chat(image, short);
      const answers = [
        ...(await blip2.answer(image, questions, short)),
        await conversation.ask(questions[0] ?? ''),
        await conversation.ask(questions[1] ?? ''),
      ];
      return [
        answers.map(({ tokenIds }) => tokenIds),
        (await blip2.rank(image, questions[0] ?? '', ['red', 'a blue one'])).map(({ text }) => text),
      ];
    };
    expect(await say(worker)).toEqual(await say(counted.blip2));
  });

  test('a chat answers one question at a time', async () => {
    await using conversation = await counted.blip2.chat(first, { minNewTokens: 4, maxNewTokens: 4 });
    const stream = conversation.ask('what is it?')[Symbol.asyncIterator]();
    const { done } = await stream.next();
    if (!done)
      await expect(conversation.ask('and this?')).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching('still being answered'),
      });
    await stream.return?.();
    await expect(conversation.ask('and this?')).resolves.toBeDefined();
  });
});
