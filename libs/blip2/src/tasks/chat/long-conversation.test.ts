import { join } from 'node:path';

import type { Decoding, Prompt } from '@blip2/interfaces';
import { type WatchedRead, watchLanguageModel } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2, createBlip2 } from '../blip2.ts';
import type { ImageTasks } from '../image-tasks.ts';
import { loadImageTasks } from '../load-image-tasks.ts';
import type { Conversation } from './conversation.ts';

const root = join(import.meta.dirname, '../../../../..');
const image = join(root, 'examples/left-of.png');
const question = 'what color is the triangle?';
const tooLong = expect.objectContaining({ code: 'SEQUENCE_TOO_LONG' });

/** Asks questions until one is refused. */
async function fill(conversation: Conversation): Promise<void> {
  for (let turn = 0; turn < 100; turn++)
    if (
      await conversation.ask(question).then(
        () => false,
        () => true,
      )
    )
      return;
  throw new TypeError('nothing was refused');
}

// 128 positions, 8 of which belong to the image.
describe.each(['inline', 'worker'] as const)('a conversation that exceeds the positions of OPT, %s', (isolate) => {
  let blip2: Blip2;
  beforeAll(async () => {
    blip2 = await Blip2.fromPretrained(join(root, 'apps/cli/models/blip2-opt-shapes'), { threads: 1, isolate });
  });
  afterAll(() => blip2.dispose());
  const answerTo = async (text: string): Promise<readonly number[]> => (await blip2.answer(image, text)).tokenIds;

  test('is refused with advice, and the question does not count', async () => {
    await using conversation = await blip2.chat(image);
    await fill(conversation);
    const before = [...conversation.history];
    expect(before.length).toBeGreaterThan(2);
    await expect(conversation.ask(question)).rejects.toMatchObject({
      code: 'SEQUENCE_TOO_LONG',
      message: expect.stringMatching(
        new RegExp(
          '^The conversation exceeds the length limit of the model or of maxLength \\(question\\): ' +
            'expected at most 128, got 1[3-9]\\d\\. Ask a shorter question, or clear the conversation and ask again$',
        ),
      ),
    });
    expect(conversation.history).toEqual(before);
  });

  test('equals a new conversation once it is cleared', async () => {
    await using conversation = await blip2.chat(image);
    await using fresh = await blip2.chat(image);
    await fill(conversation);
    conversation.clear();
    expect(conversation.history).toEqual([]);
    for (const asked of [question, 'what is it?'])
      expect((await conversation.ask(asked)).tokenIds).toEqual((await fresh.ask(asked)).tokenIds);
    expect(conversation.history).toEqual(fresh.history);
  });

  test('answers a question that still fits as with the whole prompt', async () => {
    await using conversation = await blip2.chat(image, {
      template: (history, asked) => [...history.map((turn) => turn.question), asked].join(' '),
    });
    const [fact, long] = ['the red triangle is left of the blue circle', `${question} `.repeat(40)];
    await conversation.ask(fact);
    const turns = conversation.history.length;
    await expect(conversation.ask(long)).rejects.toEqual(
      turns > 0 ? expect.objectContaining({ message: expect.stringMatching('conversation') }) : tooLong,
    );
    expect((await conversation.ask('where?')).tokenIds).toEqual(
      (await blip2.answer(image, turns > 0 ? `${fact} where?` : 'where?', { rawPrompt: true })).tokenIds,
    );
  });

  test('a first question that is too long is refused like any prompt, and the next is answered', async () => {
    await using conversation = await blip2.chat(image);
    await expect(conversation.ask('why '.repeat(200))).rejects.toEqual(tooLong);
    expect(conversation.history).toEqual([]);
    expect((await conversation.ask(question)).tokenIds).toEqual(await answerTo(question));
  });

  test('is refused if maxLength leaves no room, and continues without it', async () => {
    await using conversation = await blip2.chat(image);
    await conversation.ask(question);
    await expect(conversation.ask(question, { maxLength: 20, numBeams: 2 })).rejects.toMatchObject({
      code: 'SEQUENCE_TOO_LONG',
      cause: { code: 'INVALID_ARGUMENT' },
    });
    conversation.clear();
    expect((await conversation.ask(question)).tokenIds).toEqual(await answerTo(question));
  });

  test('cannot be cleared during an answer', async () => {
    await using conversation = await blip2.chat(image, { minNewTokens: 6 });
    const pieces = conversation.ask(question)[Symbol.asyncIterator]();
    await pieces.next();
    expect(() => conversation.clear()).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching('still being answered') }),
    );
    await pieces.return?.();
    conversation.clear();
    expect(conversation.history).toEqual([]);
  });

  test('is not left busy by a template that throws', async () => {
    await using conversation = await blip2.chat(image, {
      template: (_history, asked) => {
        if (asked === 'x') throw new TypeError('no x');
        return `Question: ${asked} Answer:`;
      },
    });
    await expect(conversation.ask('x')).rejects.toThrow('no x');
    expect((await conversation.ask(question)).tokenIds).toEqual(await answerTo(question));
  });
});

describe('a refused question', () => {
  /** Prefilled positions, and the number of decodings that were forked and not yet disposed of. */
  async function watched(): Promise<{
    readonly blip2: Blip2;
    readonly reads: WatchedRead[];
    readonly forks: Set<Decoding>;
    [Symbol.asyncDispose](): Promise<void>;
  }> {
    const loaded = await Blip2.fromPretrained(join(root, 'apps/cli/models/blip2-opt-shapes'), { threads: 1 });
    const { vision, qformer, projection, language } = loaded.pipeline;
    const reads: WatchedRead[] = [];
    const forks = new Set<Decoding>();
    const counting = { ...language, start: async (prompt: Prompt) => countForks(await language.start(prompt), forks) };
    const watching = watchLanguageModel(counting, (read) => reads.push(read));
    return {
      blip2: createBlip2({ vision, qformer, projection, language: watching, processor: loaded.processor }),
      reads,
      forks,
      [Symbol.asyncDispose]: () => loaded.dispose(),
    };
  }
  function countForks(decoding: Decoding, forks: Set<Decoding>): Decoding {
    return {
      get length() {
        return decoding.length;
      },
      get logits() {
        return decoding.logits;
      },
      extend: (more) => decoding.extend(more),
      crop: (length) => decoding.crop(length),
      async fork() {
        const made = await decoding.fork();
        forks.add(made);
        return {
          ...countForks(made, forks),
          get length() {
            return made.length;
          },
          get logits() {
            return made.logits;
          },
          [Symbol.asyncDispose]: async () => (forks.delete(made), made[Symbol.asyncDispose]()),
        };
      },
      [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
    };
  }

  test('keeps the key-value cache of earlier turns', async () => {
    await using model = await watched();
    await using conversation = await model.blip2.chat(image);
    await conversation.ask(question);
    await expect(conversation.ask('why '.repeat(200))).rejects.toEqual(tooLong);
    model.reads.length = 0;
    await conversation.ask('and?');
    // The tokens of the question and of its template; with the previous turn there would be more.
    expect(model.reads[0]?.positions).toBeLessThan(20);
  });

  test('disposes of its decoding', async () => {
    await using model = await watched();
    const conversation = await model.blip2.chat(image);
    await expect(conversation.ask('why '.repeat(200))).rejects.toEqual(tooLong);
    expect(model.forks.size).toBe(0);
    await expect(conversation.ask(question, { maxLength: 10, numBeams: 2 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(model.forks.size).toBe(1);
    await conversation.dispose();
    expect(model.forks.size).toBe(0);
  });
});

test('a cleared conversation with InstructBLIP equals a new one too', async () => {
  await using tasks: ImageTasks = await loadImageTasks(join(root, 'tools/parity/cases/instructblip-llama/checkpoint'), {
    threads: 1,
  });
  await using conversation = await tasks.chat(image, { maxNewTokens: 4 });
  const first = await conversation.ask('what is it?');
  await expect(conversation.ask('why '.repeat(200))).rejects.toEqual(tooLong);
  conversation.clear();
  expect((await conversation.ask('what is it?')).tokenIds).toEqual(first.tokenIds);
});
