import { describe, expect, test } from 'vitest';

import { type CrossTensor, encoderMemory } from './encoder-memory.ts';

const HEADS = 2;
const POSITIONS = 3;
const HEAD_SIZE = 2;
/** Row `i` holds nothing but `numbers[i]`. */
const crossTensor = (...numbers: readonly number[]): CrossTensor => ({
  type: 'float32',
  dims: [numbers.length, HEADS, POSITIONS, HEAD_SIZE],
  data: Float32Array.from(numbers.flatMap((number) => new Array<number>(HEADS * POSITIONS * HEAD_SIZE).fill(number))),
});
const memoryOf = (...numbers: readonly number[]): ReturnType<typeof encoderMemory> =>
  encoderMemory({
    keys: [crossTensor(...numbers)],
    values: [crossTensor(...numbers.map((number) => -number))],
    attentionMask: numbers.map((number) => [1, 1, number]),
  });

describe('the memory of an encoder', () => {
  test('each row has the keys, values and mask of its parent', () => {
    expect(memoryOf(5, 6, 7).pick([2, 0, 0, 1])).toMatchObject({
      keys: [crossTensor(7, 5, 5, 6)],
      values: [crossTensor(-7, -5, -5, -6)],
      attentionMask: [
        [1, 1, 7],
        [1, 1, 5],
        [1, 1, 5],
        [1, 1, 6],
      ],
    });
  });

  test('follows rows through several reorderings', () => {
    const beams = memoryOf(5, 6).pick([0, 0, 1, 1]);
    expect(beams.pick([3, 0, 1]).pick([0, 0]).keys).toEqual([crossTensor(6, 6)]);
    expect(beams.pick([3, 0, 1]).pick([2, 1, 0]).keys).toEqual([crossTensor(5, 5, 6)]);
  });

  test('copies nothing while beams of one prompt are reordered', () => {
    const beams = memoryOf(5, 6).pick([0, 0, 1, 1]);
    expect(beams.pick([1, 0, 3, 3])).toBe(beams);
    const prompts = memoryOf(5, 6);
    expect(prompts.pick([0, 1])).toBe(prompts);
  });
});
