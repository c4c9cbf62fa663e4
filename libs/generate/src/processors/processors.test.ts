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

const apply = (process: LogitsProcessor, logits: readonly number[], ids: readonly number[] = []): number[] => {
  const row = Float32Array.from(logits);
  process(ids, row);
  return [...row];
};

describe('edge cases not covered by the goldens', () => {
  test('topP drops the smaller ids of equal logits at the border, and no more than necessary', () => {
    expect(apply(topP(0.5), [1, 1, 1, 1])).toEqual([-Infinity, -Infinity, 1, 1]);
    expect(apply(topP(0.7), [1, 3, 1, 1])).toEqual([-Infinity, 3, -Infinity, -Infinity]);
  });

  test('minP keeps exactly minTokensToKeep, also where probabilities underflow', () => {
    expect(apply(minP(0.1, 2), [-300, 0, -200, -400])).toEqual([-Infinity, 0, -200, -Infinity]);
    expect(apply(minP(0.9, 3), [0, 1, 0, 0, 5])).toEqual([0, 1, -Infinity, -Infinity, 5]);
  });

  test('typicalP keeps the only token that is not suppressed', () => {
    expect(apply(typicalP(0.5), [-Infinity, 2, -Infinity])).toEqual([-Infinity, 2, -Infinity]);
  });

  test('a suppressed end token stays suppressed under a length penalty', () => {
    expect(apply(exponentialDecayLengthPenalty([0, 2], 0, [1]), [0, -Infinity], [5])).toEqual([0, -Infinity]);
  });

  test('ids beyond the vocabulary are not penalised', () => {
    expect(apply(repetitionPenalty(2), [1, 2], [0, 7])).toEqual([0.5, 2]);
  });

  test('biased, suppressed and forced ids beyond the vocabulary are rejected', () => {
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

  test('the later of two biases for the same sequence applies', () => {
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

  test('custom processors run after the penalties and before the sampling filters', () => {
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

  test('forcedEosTokenId requires a maximum length', () => {
    expect(() => createLogitsProcessors({ forcedEosTokenId: 1 }, { promptLength: 1 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
