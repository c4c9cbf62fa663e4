import { readFileSync } from 'node:fs';

import type { Decoding, GenerationOptions, LanguageModel } from '@blip2/interfaces';
import { fakeLanguageModel, recite } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate, generateSteps } from '../generate.ts';
import type { GenerationPrompt } from '../generation-prompt.ts';

const model = fakeLanguageModel({ vocabularySize: 10, specialTokens: { eosTokenId: 2, padTokenId: 1 } });
const reciting = (...script: number[][]): GenerationPrompt => ({
  decoding: recite(script, 10),
  promptIds: script.map(() => [9]),
  promptLength: 1,
});
const prompt = async (from: LanguageModel, ids: number[][]): Promise<GenerationPrompt> => ({
  inputsEmbeds: await from.embed(ids),
  attentionMask: ids.map((row) => row.map(() => 1)),
  promptIds: ids,
});

describe('greedy search', () => {
  test('selects the most likely token of every row and pads ended rows', async () => {
    const { sequences, finishReasons } = await generate(model, reciting([5, 6, 2], [7, 2]), { maxNewTokens: 8 });
    expect(sequences).toEqual([
      [5, 6, 2],
      [7, 2, 1],
    ]);
    expect(finishReasons).toEqual(['eos', 'eos']);
  });

  test('yields each token of each row when it is selected', async () => {
    const steps = [];
    for await (const { step, tokens } of generateSteps(model, reciting([5, 6, 2], [7, 2]), { maxNewTokens: 8 })) {
      steps.push([step, tokens.map(({ row, id, finishReason }) => [row, id, finishReason])]);
    }
    expect(steps).toEqual([
      [
        0,
        [
          [0, 5, undefined],
          [1, 7, undefined],
        ],
      ],
      [
        1,
        [
          [0, 6, undefined],
          [1, 2, 'eos'],
        ],
      ],
      [2, [[0, 2, 'eos']]],
    ]);
  });

  test.each<[string, GenerationOptions, number[][], string[]]>([
    [
      'several end tokens',
      { eosTokenId: [6, 7] },
      [
        [5, 6],
        [7, 1],
      ],
      ['eos', 'eos'],
    ],
    [
      'a maximum length',
      { maxNewTokens: 2 },
      [
        [5, 6],
        [7, 2],
      ],
      ['length', 'eos'],
    ],
    [
      'a custom pad id',
      { padTokenId: 0 },
      [
        [5, 6, 2],
        [7, 2, 0],
      ],
      ['eos', 'eos'],
    ],
    [
      'a stopping criterion',
      { stoppingCriteria: [(ids) => ids.at(-1) === 7] },
      [
        [5, 6, 2],
        [7, 1, 1],
      ],
      ['eos', 'stop'],
    ],
    [
      'returnPrompt',
      { returnPrompt: true },
      [
        [9, 5, 6, 2],
        [9, 7, 2, 1],
      ],
      ['eos', 'eos'],
    ],
    ['suppressed tokens', { suppressTokens: [7], maxNewTokens: 1 }, [[5], [0]], ['length', 'length']],
  ])('%s', async (_, options, sequences, finishReasons) => {
    expect(await generate(model, reciting([5, 6, 2], [7, 2]), options)).toMatchObject({ sequences, finishReasons });
  });

  test('the first token may be the end token', async () => {
    expect(await generate(model, reciting([2]))).toMatchObject({ sequences: [[2]], finishReasons: ['eos'] });
  });

  test('stop strings end a row within a token', async () => {
    const words = ['a', 'b', 'c', 'd', 'e', 'st', 'opped', 'on', 'x', 'y'];
    const decode = (ids: readonly number[]): string => ids.map((id) => words[id]).join('');
    const output = await generate(
      model,
      reciting([8, 5, 6, 9, 9], [9, 9, 9, 9, 9]),
      { stopStrings: 'stop', maxNewTokens: 4 },
      { decode },
    );
    expect(output).toMatchObject({
      sequences: [
        [8, 5, 6, 1],
        [9, 9, 9, 9],
      ],
      finishReasons: ['stop', 'length'],
    });
  });

  test('stop strings may begin with a space that decoding drops at the start of a text', async () => {
    const words = ['▁', 'a', 'x', 'y', 'z', 'b'];
    const decode = (ids: readonly number[]): string =>
      ids
        .map((id) => words[id])
        .join('')
        .replaceAll('▁', ' ')
        .replace(/^ /, '');
    const output = await generate(
      model,
      reciting([5, 5, 0, 1, 5]),
      { stopStrings: [' a'], maxNewTokens: 5 },
      { decode },
    );
    expect(output).toMatchObject({ sequences: [[5, 5, 0, 1]], finishReasons: ['stop'] });
  });

  test('stop strings without decode are rejected', async () => {
    await expect(generate(model, reciting([5]), { stopStrings: 'x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  test('maxTime ends every row after its next token', async () => {
    const slow = (ids: readonly number[]): boolean => {
      const until = performance.now() + 30;
      while (performance.now() < until) /* busy waiting */ ;
      return ids.length > 100;
    };
    const output = await generate(model, reciting([5, 5, 5, 5], [6, 6, 6, 6]), {
      maxTime: 0.045,
      maxNewTokens: 4,
      stoppingCriteria: [slow],
    });
    expect(output).toMatchObject({
      sequences: [
        [5, 5],
        [6, 6],
      ],
      finishReasons: ['time', 'time'],
    });
  });

  test('log-probabilities are those of the model, before any processor', async () => {
    const { tokenLogProbs } = await generate(model, reciting([5]), {
      maxNewTokens: 1,
      repetitionPenalty: 5,
      suppressTokens: [3],
    });
    expect(tokenLogProbs[0]![0]).toBeCloseTo(1 - Math.log(Math.E + 9), 6);
  });

  test('scores are processed, logits are not', async () => {
    const given = reciting([5, 6]);
    const { scores, logits } = await generate(model, given, {
      maxNewTokens: 2,
      suppressTokens: [5],
      outputScores: true,
      outputLogits: true,
    });
    expect(scores?.map(({ dims }) => dims)).toEqual([
      [1, 10],
      [1, 10],
    ]);
    expect(scores![0]!.data[5]).toBe(-Infinity);
    expect(logits![0]!.data[5]).toBe(1);
  });
});

describe('rows that have ended', () => {
  const counting = (decoding: Decoding, rows: number[]): Decoding => ({
    ...decoding,
    get length() {
      return decoding.length;
    },
    get logits() {
      return decoding.logits;
    },
    extend(more) {
      if ('ids' in more) rows.push(more.ids.length);
      return decoding.extend(more);
    },
  });

  test('are removed from the decoding', async () => {
    const rows: number[] = [];
    await generate(model, {
      decoding: counting(recite([[5, 2], [5, 6, 7, 2], [2]], 10), rows),
      promptIds: [[], [], []],
      promptLength: 0,
    });
    expect(rows).toEqual([2, 1, 1]);
  });

  test('continue with pad tokens if the logits of every step are requested', async () => {
    const rows: number[] = [];
    const { scores } = await generate(
      model,
      { decoding: counting(recite([[5, 2], [5, 6, 7, 2], [2]], 10), rows), promptIds: [[], [], []], promptLength: 0 },
      { outputScores: true },
    );
    expect(rows).toEqual([3, 3, 3]);
    expect(scores?.map(({ dims }) => dims)).toEqual([
      [3, 10],
      [3, 10],
      [3, 10],
      [3, 10],
    ]);
  });
});

describe('sampling', () => {
  const lively = fakeLanguageModel({ vocabularySize: 30, specialTokens: { eosTokenId: 2, padTokenId: 1 } });

  test('equal seeds give equal tokens, different seeds different ones', async () => {
    const from = await prompt(lively, [
      [4, 5],
      [6, 7],
    ]);
    const options: GenerationOptions = { doSample: true, seed: 11, maxNewTokens: 8 };
    const first = await generate(lively, from, options);
    expect(first.seed).toBe(11);
    expect(await generate(lively, from, options)).toEqual(first);
    expect((await generate(lively, from, { ...options, seed: 12 })).sequences).not.toEqual(first.sequences);
  });

  test('a random seed is returned and reproduces the result', async () => {
    const from = await prompt(lively, [[4, 5]]);
    const { seed, sequences } = await generate(lively, from, { doSample: true, maxNewTokens: 8 });
    expect((await generate(lively, from, { doSample: true, seed: seed!, maxNewTokens: 8 })).sequences).toEqual(
      sequences,
    );
  });

  test('the samples of a row do not depend on when other rows end', async () => {
    const alone = await generate(lively, await prompt(lively, [[4, 5]]), {
      doSample: true,
      seed: 3,
      maxNewTokens: 8,
      eosTokenId: 29,
    });
    const together = await generate(
      lively,
      await prompt(lively, [
        [4, 5],
        [9, 9],
        [8, 8],
      ]),
      { doSample: true, seed: 3, maxNewTokens: 8, eosTokenId: 29 },
    );
    expect(together.sequences[0]!.slice(0, alone.sequences[0]!.length)).toEqual(alone.sequences[0]);
  });

  test('returns several independently sampled rows per prompt', async () => {
    const { sequences } = await generate(
      lively,
      await prompt(lively, [
        [4, 5],
        [6, 7],
      ]),
      { doSample: true, seed: 5, numReturnSequences: 4, maxNewTokens: 6 },
    );
    expect(sequences.length).toBe(8);
    expect(new Set(sequences.map((row) => row.join())).size).toBe(8);
  });

  test('topK 1 equals greedy search', async () => {
    const from = await prompt(lively, [
      [4, 5],
      [6, 7],
    ]);
    const greedy = await generate(lively, from, { maxNewTokens: 8 });
    expect((await generate(lively, from, { maxNewTokens: 8, doSample: true, topK: 1 })).sequences).toEqual(
      greedy.sequences,
    );
  });
});

describe('aborting', () => {
  test('throws the reason between two steps and keeps the output so far', async () => {
    const controller = new AbortController();
    const generation = generateSteps(model, reciting([5, 6, 7, 8, 2]), { signal: controller.signal });
    await expect(
      (async () => {
        for await (const { step } of generation) if (step === 1) controller.abort();
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(generation.output()).toMatchObject({ sequences: [[5, 6]], finishReasons: ['aborted'] });
  });

  test('an aborted signal prevents the prefill', async () => {
    const unread: LanguageModel = { ...model, start: () => Promise.reject(new TypeError('the prefill ran')) };
    await expect(generate(unread, await prompt(model, [[4]]), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  test('leaving the loop disposes of the decoding and ends the streamer', async () => {
    const received: unknown[] = [];
    const disposed: boolean[] = [];
    const watched: LanguageModel = {
      ...model,
      async start(given) {
        const decoding = await model.start(given);
        return {
          ...decoding,
          logits: decoding.logits,
          length: decoding.length,
          [Symbol.asyncDispose]: async () => void disposed.push(true),
        };
      },
    };
    const streamer = {
      put: (row: number, id: number) => void received.push([row, id]),
      end: () => void received.push('end'),
    };
    for await (const step of generateSteps(watched, await prompt(model, [[4]]), { streamer }))
      if (step.step === 0) break;
    expect(disposed).toEqual([true]);
    expect(received.length).toBe(2);
    expect(received.at(-1)).toBe('end');
  });
});

describe('invalid logits and prompts', () => {
  test('NaN logits are rejected unless removeInvalidValues is set', async () => {
    const broken = fakeLanguageModel({ vocabularySize: 4, specialTokens: {}, score: () => [0, NaN, 1, 0.5] });
    await expect(generate(broken, await prompt(broken, [[1]]))).rejects.toMatchObject({
      code: 'NOT_FINITE',
      message: expect.stringContaining('NaN or infinite'),
    });
    await expect(generate(broken, await prompt(broken, [[1]]), { numBeams: 2 })).rejects.toMatchObject({
      code: 'NOT_FINITE',
    });
    expect(
      (await generate(broken, await prompt(broken, [[1]]), { removeInvalidValues: true, maxNewTokens: 2 })).sequences,
    ).toEqual([[2, 2]]);
  });

  test.each([1, 2])(
    'logits that are all NaN are reported as such, not as suppressed tokens, %i beams',
    async (numBeams) => {
      const broken = fakeLanguageModel({ vocabularySize: 4, specialTokens: {}, score: () => [NaN, NaN, NaN, NaN] });
      await expect(generate(broken, await prompt(broken, [[1]]), { numBeams })).rejects.toMatchObject({
        code: 'NOT_FINITE',
        message: expect.stringContaining('NaN or infinite'),
      });
    },
  );

  test.each([
    ['greedy', {}],
    ['sampling', { doSample: true, temperature: 0.5 }],
    ['sampling other tokens', { doSample: true, suppressTokens: [1] }],
    ['beams', { numBeams: 2 }],
  ])('an infinite logit is rejected: %s', async (_, options) => {
    const broken = fakeLanguageModel({ vocabularySize: 4, specialTokens: {}, score: () => [0, Infinity, 1, 0.5] });
    await expect(generate(broken, await prompt(broken, [[1]]), options)).rejects.toMatchObject({
      code: 'NOT_FINITE',
      details: { subject: 'language model' },
    });
  });

  test.each([1, 2])('suppressing all tokens is rejected, %i beams', async (numBeams) => {
    const suppressTokens = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    await expect(generate(model, reciting([5]), { suppressTokens, numBeams })).rejects.toMatchObject({
      code: 'NOT_FINITE',
      message: expect.stringContaining('All tokens are suppressed'),
    });
  });

  test('prompt ids with another number of rows or rows of unequal length are rejected', async () => {
    await expect(generate(model, { ...reciting([5], [6]), promptIds: [[1]] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
    await expect(generate(model, { ...reciting([5], [6]), promptIds: [[1], [1, 2]] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });

  test('a decoder without a start token is rejected', async () => {
    const startless = fakeLanguageModel({ architecture: 'seq2seq', specialTokens: {} });
    await expect(
      generate(startless, { inputsEmbeds: await startless.embed([[4]]), attentionMask: [[1]] }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('the interfaces are the only dependency of this package', () => {
    const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['@blip2/interfaces']);
  });
});
