import type { Logits } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { causalLoss, crossEntropy } from './cross-entropy.ts';

const logits: Logits = { type: 'float32', dims: [1, 3, 2], data: Float32Array.of(0, Math.log(3), 2, 2, 1000, -1000) };

describe('crossEntropy', () => {
  test('is the mean of −log p over the labels that are not ignored', () => {
    expect(crossEntropy(logits, [[1, -100, -100]]).data[0]).toBeCloseTo(-Math.log(3 / 4), 6);
    expect(crossEntropy(logits, [[0, 1, -100]]).data[0]).toBeCloseTo((-Math.log(1 / 4) - Math.log(1 / 2)) / 2, 6);
  });

  test('does not overflow', () => {
    expect(crossEntropy(logits, [[-100, -100, 0]]).data[0]).toBe(0);
    expect(crossEntropy(logits, [[-100, -100, 1]]).data[0]).toBe(2000);
  });

  test('is NaN if all labels are ignored', () => {
    expect(crossEntropy(logits, [[-100, -100, -100]]).data[0]).toBeNaN();
  });

  test('rejects labels of another shape and labels that are not ids', () => {
    const failure = (code: string): unknown => expect.objectContaining({ code });
    expect(() => crossEntropy(logits, [[1, 1]])).toThrow(failure('SHAPE_MISMATCH'));
    expect(() => crossEntropy(logits, [])).toThrow(failure('SHAPE_MISMATCH'));
    for (const label of [2, -1, 0.5, Number.NaN])
      expect(() => crossEntropy(logits, [[label, 0, 0]])).toThrow(failure('INVALID_ARGUMENT'));
  });
});

describe('causalLoss', () => {
  test('uses the label after each position', () => {
    expect(causalLoss(logits, [[0, 1, 0]]).data[0]).toBe(
      crossEntropy({ type: 'float32', dims: [1, 2, 2], data: logits.data.subarray(0, 4) }, [[1, 0]]).data[0],
    );
  });

  test('aligns labels with the last logits', () => {
    expect(causalLoss(logits, [[0, 1]]).data[0]).toBe(causalLoss(logits, [[-100, -100, 1]]).data[0]);
  });

  test('rejects more labels than positions', () => {
    expect(() => causalLoss(logits, [[0, 0, 0, 0]])).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
  });
});
