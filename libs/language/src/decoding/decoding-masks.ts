import { type AttentionMask, Blip2Error, type Logits, type TokenEmbeddings } from '@blip2/interfaces';

import { expectZerosAndOnes } from './expect-prompt.ts';

/** Pads a mask at the start. */
export function paddedMask(mask: readonly number[], length: number): number[] {
  return [...new Array<number>(length - mask.length).fill(0), ...mask];
}

/** Slots at the start that are padding in every row. */
export function commonPadding(mask: AttentionMask): number {
  return Math.max(0, Math.min(...mask.map((row) => row.indexOf(1))));
}

/** Positions of a row, without padding. */
export function countOnes(row: readonly number[]): number {
  return row.reduce((sum, value) => sum + value, 0);
}

/** A mask without padding over embeddings. */
export function inputsEmbedsMask({ dims: [rows, sequence] }: TokenEmbeddings): AttentionMask {
  return Array.from({ length: rows }, () => new Array<number>(sequence).fill(1));
}

/** @throws Blip2Error `SHAPE_MISMATCH`, `INVALID_ARGUMENT`. */
export function expectMask(mask: AttentionMask, { dims: [rows, sequence] }: TokenEmbeddings): void {
  if (mask.length !== rows || mask.some((row) => row.length !== sequence)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'attentionMask must have the shape of the new positions', {
      expected: `[${rows}, ${sequence}]`,
      got: `rows of ${mask.map((row) => row.length).join(', ') || 'nothing'}`,
      where: 'attentionMask',
    });
  }
  expectZerosAndOnes(mask);
}

/** Logits after the last position only. */
export function lastPosition({ dims: [rows, positions, vocabulary], data }: Logits): Logits {
  const last = new Float32Array(rows * vocabulary);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * positions * vocabulary;
    last.set(data.subarray(end - vocabulary, end), row * vocabulary);
  }
  return { type: 'float32', dims: [rows, 1, vocabulary], data: last };
}
