import type { LogitsProcessor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { createLogitsProcessors } from './create-logits-processors.ts';
import { forcedBosToken, forcedEosToken } from './forced-tokens.ts';
import { exponentialDecayLengthPenalty } from './length-limits.ts';
import { minP } from './min-p.ts';
import { repetitionPenalty } from './repetition-penalty.ts';
import { badWords, sequenceBias } from './sequence-bias.ts';
import { topP } from './top-p.ts';
import { typicalP } from './typical-p.ts';

const apply = (process: LogitsProcessor, scores: readonly number[], ids: readonly number[] = []): number[] => {
  const row = Float32Array.from(scores);
  process(ids, row);
  return [...row];
};

describe('what the goldens do not reach', () => {
  test('topP drops the smaller ids of equal scores at its border, no more than it must', () => {
    expect(apply(topP(0.5), [1, 1, 1, 1])).toEqual([-Infinity, -Infinity, 1, 1]);
    expect(apply(topP(0.7), [1, 3, 1, 1])).toEqual([-Infinity, 3, -Infinity, -Infinity]);
  });

  test('minP keeps as many as it must and no more, also where probabilities underflow', () => {
    expect(apply(minP(0.1, 2), [-300, 0, -200, -400])).toEqual([-Infinity, 0, -200, -Infinity]);
    expect(apply(minP(0.9, 3), [0, 1, 0, 0, 5])).toEqual([0, 1, -Infinity, -Infinity, 5]);
  });

  test('typicalP with everything forbidden but one keeps it', () => {
    expect(apply(typicalP(0.5), [-Infinity, 2, -Infinity])).toEqual([-Infinity, 2, -Infinity]);
  });

  test('an end token that is forbidden stays so under a length penalty', () => {
    expect(apply(exponentialDecayLengthPenalty([0, 2], 0, [1]), [0, -Infinity], [5])).toEqual([0, -Infinity]);
  });

  test('ids beyond the vocabulary are not penalised', () => {
    expect(apply(repetitionPenalty(2), [1, 2], [0, 7])).toEqual([0.5, 2]);
  });

  test('biased, forbidden and forced ids beyond the vocabulary are an error', () => {
    expect(() => apply(forcedBosToken(2), [1, 2], [0])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => apply(forcedEosToken([1, 2], 2), [1, 2], [0])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(apply(forcedEosToken([1], 2), [1, 2], [0])).toEqual([-Infinity, 0]);
    expect(() => apply(sequenceBias([[[7], 1]]), [1, 2])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => apply(badWords([[0, 7]]), [1, 2])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('of two biases of one sequence the later counts', () => {
    expect(
      apply(
        sequenceBias([
          [[1], 5],
          [[1], -1],
        ]),
        [0, 0],
      ),
    ).toEqual([0, -1]);
  });

  test('own processors come after the penalties and before the warpers', () => {
    const names = createLogitsProcessors(
      {
        doSample: true,
        temperature: 2,
        logitsProcessors: [() => undefined],
        suppressTokens: [1],
        renormalizeLogits: true,
      },
      { promptLength: 1 },
    ).map(({ name }) => name);
    expect(names).toEqual(['suppressTokens', 'logitsProcessors', 'temperature', 'topK', 'renormalizeLogits']);
  });

  test('a forced end token needs a length', () => {
    expect(() => createLogitsProcessors({ forcedEosTokenId: 1 }, { promptLength: 1 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
