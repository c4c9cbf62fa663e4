import { type GenerationOptions, generationOptions } from '@blip2/interfaces';
import { fakeLanguageModel } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate } from '../generate.ts';
import { createLogitsProcessors } from '../processors/create-logits-processors.ts';
import { resolveLengths } from './lengths.ts';
import { validateGenerationOptions } from './validate-generation-options.ts';

/** Validates options of any type, as from untyped code. */
const validate = (options: object): void => validateGenerationOptions(options);

describe('names', () => {
  test.each([
    ['max_new_tokens', 'maxNewTokens'],
    ['max-new-tokens', 'maxNewTokens'],
    ['maxNewToken', 'maxNewTokens'],
    ['beams', 'numBeams'],
    ['temprature', 'temperature'],
  ])('%s is unknown and similar to %s', (unknown, nearest) => {
    expect(() => validate({ [unknown]: 1 })).toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_OPTION',
        message: expect.stringContaining(`Did you mean "${nearest}"?`),
      }),
    );
  });

  test('names of Object.prototype are not options', () => {
    expect(() => validate({ toString: 1 })).toThrow(expect.objectContaining({ code: 'UNKNOWN_OPTION' }));
  });

  test('undefined options are ignored', () => {
    expect(() => validate({ maxNewTokens: undefined, streamer: undefined })).not.toThrow();
  });
});

describe('options that require another option', () => {
  const needing = (need: string): string[] =>
    Object.entries(generationOptions).flatMap(([name, { needs }]) => (needs === need ? [name] : []));
  const sampling = {
    temperature: 0.5,
    topK: 3,
    topP: 0.5,
    minP: 0.1,
    typicalP: 0.5,
    epsilonCutoff: 0.1,
    etaCutoff: 0.1,
  };
  const names = (options: GenerationOptions): string[] =>
    createLogitsProcessors(options, { promptLength: 1 }).map(({ name }) => name);

  test('are accepted without it, as in presets, and have no effect', async () => {
    expect(needing('doSample')).toEqual(Object.keys(sampling));
    expect(() => validate({ ...sampling, lengthPenalty: -1, earlyStopping: true })).not.toThrow();
    expect(names(sampling)).toEqual([]);
    expect(names({ ...sampling, doSample: true })).toEqual(Object.keys(sampling));
    expect(needing('numBeams')).toEqual(['lengthPenalty', 'earlyStopping']);
    const model = fakeLanguageModel({ vocabularySize: 50 });
    const prompt = { inputsEmbeds: await model.embed([[5, 6]]), attentionMask: [[1, 1]], promptIds: [[5, 6]] };
    const plain = await generate(model, prompt, { maxNewTokens: 6 });
    expect(
      await generate(model, prompt, { maxNewTokens: 6, ...sampling, lengthPenalty: -3, earlyStopping: 'never' }),
    ).toEqual(plain);
  });
});

describe('values', () => {
  const good: Required<Omit<GenerationOptions, 'streamer' | 'promptLookupNumTokens'>> = {
    maxNewTokens: 5,
    maxLength: 9,
    minNewTokens: 0,
    minLength: 3,
    maxTime: 0.5,
    stopStrings: ['\n'],
    stoppingCriteria: [() => true],
    doSample: true,
    seed: 7,
    temperature: 0.5,
    topK: 0,
    topP: 0.9,
    minP: 0.1,
    typicalP: 0.5,
    epsilonCutoff: 0.1,
    etaCutoff: 0.1,
    numBeams: 3,
    numReturnSequences: 2,
    lengthPenalty: -1,
    earlyStopping: 'never',
    repetitionPenalty: 1.2,
    noRepeatNgramSize: 2,
    badWordsIds: [[1]],
    sequenceBias: [[[1, 2], -3]],
    suppressTokens: [],
    beginSuppressTokens: [1],
    forcedBosTokenId: 0,
    forcedEosTokenId: [1, 2],
    exponentialDecayLengthPenalty: [2, 1.5],
    removeInvalidValues: true,
    renormalizeLogits: true,
    logitsProcessors: [() => undefined],
    bosTokenId: 0,
    eosTokenId: [1, 2],
    padTokenId: 0,
    decoderStartTokenId: 0,
    returnPrompt: true,
    outputScores: true,
    outputLogits: true,
    interpolatePosEncoding: true,
    signal: new AbortController().signal,
  };

  test('every option accepts a valid value', () => {
    validate(good);
    validate({ streamer: { put: () => undefined, end: () => undefined } });
    validate({ promptLookupNumTokens: 3 });
    expect(Object.keys({ ...good, streamer: 0, promptLookupNumTokens: 0 }).sort()).toEqual(
      Object.keys(generationOptions).sort(),
    );
  });

  test.each(Object.keys(generationOptions))('%s rejects null, NaN and objects of another type', (name) => {
    for (const value of [null, { surprise: true }, NaN]) {
      expect(() => validate({ [name]: value })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
      );
    }
  });

  test.each([
    ['maxNewTokens', 0],
    ['maxNewTokens', 2.5],
    ['temperature', 0],
    ['temperature', '1'],
    ['topP', 1.1],
    ['topP', -0.1],
    ['topK', -1],
    ['minP', 2],
    ['typicalP', 0],
    ['numBeams', 0],
    ['earlyStopping', 'always'],
    ['badWordsIds', []],
    ['badWordsIds', [[]]],
    ['badWordsIds', [[-1]]],
    ['sequenceBias', [[1, 2]]],
    ['sequenceBias', [[[1], 'x']]],
    ['eosTokenId', []],
    ['eosTokenId', -2],
    ['repetitionPenalty', 0],
    ['exponentialDecayLengthPenalty', [1]],
    ['stopStrings', ''],
    ['stopStrings', []],
    ['maxTime', 0],
    ['maxTime', Infinity],
    ['doSample', 1],
    ['seed', 2 ** 32],
    ['logitsProcessors', [1]],
  ])('%s rejects %j', (name, value) => {
    expect(() => validate({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
    );
  });

  test('more sequences than beams are rejected', () => {
    expect(() => validate({ numReturnSequences: 2 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => validate({ numReturnSequences: 4, numBeams: 3, doSample: true })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => validate({ numReturnSequences: 4, doSample: true })).not.toThrow();
  });

  test('tokens that are both forced and suppressed are rejected', () => {
    const refused = (name: string) =>
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) });
    expect(() => validate({ forcedBosTokenId: 0, suppressTokens: [3, 0] })).toThrow(refused('forcedBosTokenId'));
    expect(() => validate({ forcedEosTokenId: [3, 5], suppressTokens: [5, 3] })).toThrow(refused('forcedEosTokenId'));
    expect(() => validate({ forcedEosTokenId: [3, 4], suppressTokens: [3] })).not.toThrow();
    expect(() => validate({ forcedEosTokenId: 4 })).not.toThrow();
  });

  test('a streamer is rejected with beam search', () => {
    expect(() => validate({ numBeams: 2, streamer: { put: () => undefined, end: () => undefined } })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('limits', () => {
  test.each([
    ['maxNewTokens', 100_000],
    ['maxLength', 100_000],
    ['minNewTokens', 100_000],
    ['minLength', 100_000],
    ['numBeams', 256],
    ['numReturnSequences', 1024],
  ])('%s is at most %i', (name, max) => {
    const sampling = { doSample: true };
    expect(() => validate({ ...sampling, [name]: max })).not.toThrow();
    for (const value of [max + 1, 1e15, Infinity])
      expect(() => validate({ ...sampling, [name]: value })).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(`at most ${max}, got`) as string,
        }),
      );
  });
});

describe('lengths', () => {
  test.each<[string, GenerationOptions, number, number, number, number]>([
    ['20 new tokens by default', {}, 5, 100, 20, 0],
    ['the default length ends at the last position', {}, 90, 100, 10, 0],
    ['maxNewTokens excludes the prompt', { maxNewTokens: 3 }, 5, 100, 3, 0],
    ['maxLength includes the prompt', { maxLength: 12 }, 5, 100, 7, 0],
    ['maxNewTokens takes precedence over maxLength', { maxLength: 3, maxNewTokens: 4 }, 5, 100, 4, 0],
    ['the last token needs no position', { maxNewTokens: 11 }, 90, 100, 11, 0],
    ['maxLength counts that token', { maxLength: 101 }, 90, 100, 11, 0],
    ['minLength includes the prompt', { minLength: 9 }, 5, 100, 20, 4],
    ['a prompt longer than minLength satisfies it', { minLength: 3 }, 5, 100, 20, 0],
    ['minNewTokens takes precedence over minLength', { minLength: 30, minNewTokens: 2 }, 5, 100, 20, 2],
    ['models without maxPositions are unlimited', { maxNewTokens: 5000 }, 1, Infinity, 5000, 0],
  ])('%s', (_, options, promptLength, maxPositions, maxNewTokens, minNewTokens) => {
    expect(resolveLengths(options, promptLength, maxPositions)).toEqual({ maxNewTokens, minNewTokens });
  });

  test('a maxLength within the prompt is rejected with both lengths', () => {
    expect(() => resolveLengths({ maxLength: 5 }, 5, 100)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/maxLength must be greater than the prompt length of 5, got 5/),
      }),
    );
  });

  test('a prompt that fills all positions is rejected', () => {
    expect(() => resolveLengths({}, 100, 100)).toThrow(expect.objectContaining({ code: 'SEQUENCE_TOO_LONG' }));
    expect(() => resolveLengths({ maxNewTokens: 1 }, 101, 100)).toThrow(
      expect.objectContaining({ code: 'SEQUENCE_TOO_LONG' }),
    );
    expect(resolveLengths({ maxNewTokens: 1 }, 100, 100)).toEqual({ maxNewTokens: 1, minNewTokens: 0 });
  });

  test.each<[GenerationOptions, string]>([
    [{ maxNewTokens: 12 }, 'maxNewTokens of at most 11 after 90 positions of the prompt, got 12. Lower maxNewTokens'],
    [{ maxLength: 102 }, 'maxLength of at most 101 after 90 positions of the prompt, got 102. Lower maxLength'],
  ])('%o beyond the positions of the model is rejected instead of cut', (options, words) => {
    expect(() => resolveLengths(options, 90, 100)).toThrow(
      expect.objectContaining({ code: 'SEQUENCE_TOO_LONG', message: expect.stringContaining(words) as string }),
    );
  });

  test('a default of the caller is lowered to the room that the prompt leaves', () => {
    expect(resolveLengths({}, 5, 100, 32)).toEqual({ maxNewTokens: 32, minNewTokens: 0 });
    expect(resolveLengths({}, 90, 100, 32)).toEqual({ maxNewTokens: 11, minNewTokens: 0 });
    expect(resolveLengths({ maxNewTokens: 4 }, 90, 100, 32)).toEqual({ maxNewTokens: 4, minNewTokens: 0 });
  });
});
