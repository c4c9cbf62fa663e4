import { describe, expect, test } from 'vitest';

import { generationSettings } from './generation-settings.ts';

const LIMITS = { maxNewTokens: 100 };

describe('generation settings', () => {
  test.each([
    ['nothing', {}, {}],
    ['nulls', { temperature: null, topP: null, stop: null, seed: null, maxTokens: null }, {}],
    ['temperature 0: greedy, whatever else', { temperature: 0, topP: 0.5, topK: 3, seed: 1 }, {}],
    ['topP 0: greedy', { temperature: 1, topP: 0 }, {}],
    ['more tokens than allowed', { maxTokens: 1000 }, { maxNewTokens: 100 }],
    ['fewer tokens', { maxTokens: 3 }, { maxNewTokens: 3 }],
    ['no tokens', { maxTokens: 0 }, {}],
    ['one stop string', { stop: 'a' }, { stopStrings: ['a'] }],
    ['empty stop strings', { stop: ['', 'b'] }, { stopStrings: ['b'] }],
    [
      'sampling',
      { temperature: 0.5, topP: 0.9, topK: -1, minP: 0.1, seed: -1, repetitionPenalty: 1.1 },
      { doSample: true, temperature: 0.5, topP: 0.9, topK: 0, minP: 0.1, seed: 4_294_967_295, repetitionPenalty: 1.1 },
    ],
    ['a large seed', { temperature: 1, seed: 2 ** 32 + 5 }, { doSample: true, temperature: 1, topK: 0, seed: 5 }],
  ])('%s', (_, fields, expected) => {
    expect(generationSettings(fields, LIMITS)).toEqual(expected);
  });
});
