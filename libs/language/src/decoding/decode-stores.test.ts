import type { WeightStore } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';
import { describe, expect, test } from 'vitest';

import { decodingName, decodingPhase, type StepSize, storeForStep, storesByRows } from './decode-stores.ts';

const bytes = { name: 'bytes' } as unknown as WeightStore;
const blocks = { name: 'blocks' } as unknown as WeightStore;
const fast = { store: bytes, decodeStore: blocks } as unknown as PartWeights;

/** The store of a step of single positions, as the first one of its decoding unless stated. */
function stored(
  options: Parameters<typeof storesByRows>[1],
  step: Partial<StepSize> & { readonly rows: number },
): string {
  const { rows, sequence = 1, firstRows = rows } = step;
  return storeForStep(storesByRows(fast, options), { rows, sequence, firstRows }) === blocks ? 'blocks' : 'bytes';
}

describe('the weights of a step', () => {
  test('depend on the rows of the first step', () => {
    expect([1, 4, 5, 64].map((rows) => stored({}, { rows }))).toEqual(['blocks', 'blocks', 'bytes', 'bytes']);
    // Texts that have ended leave fewer rows; beams may not have been there from the start.
    expect(stored({}, { rows: 1, firstRows: 8 })).toBe('bytes');
    expect(stored({}, { rows: 8, firstRows: 1 })).toBe('blocks');
  });

  test('change at the measured number of rows', () => {
    const threads = { fewRows: 8 };
    expect([8, 9].map((rows) => stored({ threads }, { rows }))).toEqual(['blocks', 'bytes']);
    expect([4, 5].map((rows) => stored({ threads: 2 }, { rows }))).toEqual(['blocks', 'bytes']);
    expect([4, 5].map((rows) => stored({ threads: { decode: 2 } }, { rows }))).toEqual(['blocks', 'bytes']);
  });

  test('are the same for all steps if the rows of the run are known', () => {
    for (const rows of [1, 4, 64]) {
      expect([stored({ rows: 3 }, { rows }), stored({ rows: 8 }, { rows })]).toEqual(['blocks', 'bytes']);
    }
  });

  test('of several positions depend on their number', () => {
    expect(stored({}, { rows: 2, sequence: 2, firstRows: 9 })).toBe('blocks');
    expect(stored({ rows: 1 }, { rows: 1, sequence: 5 })).toBe('bytes');
  });
});

test('a run of many rows needs one form of weights, whose session also runs prompts', () => {
  const many = storesByRows(fast, { rows: 8 });
  expect([many.decode === many.prefill, decodingName(many, many.decode)]).toEqual([true, 'decoding']);
  const few = storesByRows(fast);
  const [ofPrompts, ofTokens] = [few.prefill, few.decode];
  expect([decodingPhase(few, ofPrompts), decodingPhase(few, ofTokens)]).toEqual(['prompt', 'decode']);
  expect([decodingName(few, ofPrompts), decodingName(few, ofTokens)]).toEqual(['decoding', 'decoding of few rows']);
});

test('other precisions have one form', () => {
  const one = storesByRows({ store: bytes } as unknown as PartWeights);
  expect([one.prefill === bytes, one.decode === bytes]).toEqual([true, true]);
});
