import type { Decoding, GenerationOptions } from '@blip2/interfaces';
import { fakeLanguageModel, pseudoRandom, recite } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate } from '../generate.ts';
import type { GenerationPrompt } from '../generation-prompt.ts';

/** A model that tends to repeat the token that followed the previous occurrence of the last token. */
const repeating = fakeLanguageModel({
  vocabularySize: 8,
  specialTokens: { eosTokenId: 2, padTokenId: 1, bosTokenId: 0 },
  score: (history) => {
    const ids = history.map(([id]) => id!);
    const earlier = ids.slice(0, -1).lastIndexOf(ids.at(-1)!);
    return Float32Array.from(
      { length: 8 },
      (_, id) =>
        pseudoRandom(...ids.slice(-3), id) + (earlier >= 0 && ids[earlier + 1] === id ? 1 : 0) - (id === 2 ? 0.5 : 0),
    );
  },
});
const promptOf = async (ids: number[]): Promise<GenerationPrompt> => ({
  inputsEmbeds: await repeating.embed([ids]),
  attentionMask: [ids.map(() => 1)],
  promptIds: [ids],
});

/** Wraps a decoding to record the number of ids of each `extend`. */
function counted(decoding: Decoding): { readonly decoding: Decoding; readonly runs: number[] } {
  const runs: number[] = [];
  return {
    runs,
    decoding: {
      get length() {
        return decoding.length;
      },
      get logits() {
        return decoding.logits;
      },
      extend(more) {
        runs.push('ids' in more ? more.ids[0]!.length : 0);
        return decoding.extend(more);
      },
      fork: () => decoding.fork(),
      crop: (length) => decoding.crop(length),
      [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
    },
  };
}

describe('prompt lookup', () => {
  test.each<[string, GenerationOptions]>([
    ['without other options', {}],
    ['with penalties', { repetitionPenalty: 1.3, noRepeatNgramSize: 3 }],
    ['with lengths', { minNewTokens: 9, maxNewTokens: 11 }],
    ['with scores', { outputScores: true, outputLogits: true }],
  ])('gives the output of greedy search, %s', async (_, options) => {
    for (let seed = 0; seed < 40; seed++) {
      const ids = Array.from({ length: 6 }, (__, index) => 3 + Math.floor(2.5 * (1 + pseudoRandom(seed, index))));
      const expected = await generate(repeating, await promptOf(ids), { maxNewTokens: 24, ...options });
      for (const promptLookupNumTokens of [1, 3, 10]) {
        expect(
          await generate(repeating, await promptOf(ids), { maxNewTokens: 24, ...options, promptLookupNumTokens }),
        ).toEqual(expected);
      }
    }
  });

  test('confirms several tokens per forward pass if the text repeats itself', async () => {
    const { decoding, runs } = counted(recite([[5, 6, 7, 8, 9, 2]], 10));
    const { sequences } = await generate(
      repeating,
      { decoding, promptIds: [[5, 6, 7, 8, 3]], promptLength: 0 },
      { promptLookupNumTokens: 3, maxNewTokens: 20 },
    );
    expect(sequences).toEqual([[5, 6, 7, 8, 9, 2]]);
    // 5 occurs in the prompt; the draft 6, 7, 8 is confirmed; 9 is new.
    expect(runs).toEqual([4, 1]);
  });

  test('drafts no tokens beyond the maximum length or the last position of the model', async () => {
    const { decoding, runs } = counted(recite([[5, 6, 7, 8, 9, 2]], 10));
    await generate(
      repeating,
      { decoding, promptIds: [[5, 6, 7, 8, 9, 3]], promptLength: 0 },
      { promptLookupNumTokens: 10, maxNewTokens: 3 },
    );
    expect(runs).toEqual([2]);
    const small = { ...repeating, maxPositions: 3 };
    const narrow = counted(recite([[5, 6, 7, 8, 9, 2]], 10));
    await generate(
      small,
      { decoding: narrow.decoding, promptIds: [[5, 6, 7, 8, 9, 3]], promptLength: 0 },
      { promptLookupNumTokens: 10, maxNewTokens: 4 },
    );
    expect(narrow.runs).toEqual([3]);
  });

  test.each<[string, GenerationOptions]>([
    ['beams', { numBeams: 2 }],
    ['sampling', { doSample: true }],
  ])('is rejected with %s', async (_, options) => {
    await expect(
      generate(repeating, await promptOf([5]), { ...options, promptLookupNumTokens: 2 }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'promptLookupNumTokens' } });
  });

  test('is rejected for several prompts', async () => {
    await expect(
      generate(
        repeating,
        { decoding: recite([[5], [6]], 10), promptIds: [[], []], promptLength: 0 },
        { promptLookupNumTokens: 2 },
      ),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('aborts between two tokens', async () => {
    const controller = new AbortController();
    const stop = (): boolean => {
      controller.abort();
      return false;
    };
    await expect(
      generate(repeating, await promptOf([5, 6]), {
        promptLookupNumTokens: 2,
        signal: controller.signal,
        stoppingCriteria: [stop],
      }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});
