import { type AttentionMask, Blip2Error, mustBe, type TokenEmbeddings } from '@blip2/interfaces';

/**
 * @throws Blip2Error `SHAPE_MISMATCH` if the mask does not have the shape of the prompt; `INVALID_ARGUMENT` for values
 * other than 0 and 1; `SEQUENCE_TOO_LONG`.
 */
export function expectPrompt(
  mask: AttentionMask,
  [batch, sequence]: TokenEmbeddings['dims'],
  maxPositions: number,
): void {
  if (mask.length !== batch || mask.some((row) => row.length !== sequence)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'attentionMask must have the shape of the prompt', {
      where: 'attentionMask',
      argument: 'attentionMask',
      expected: `${batch} rows of ${sequence}`,
      got: `rows of ${mask.map(({ length }) => length).join(', ')}`,
    });
  }
  expectZerosAndOnes(mask);
  if (sequence > maxPositions) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The prompt exceeds the positions of the language model', {
      where: 'inputIds',
      expected: `at most ${maxPositions}`,
      got: String(sequence),
      fix: 'Shorten the prompt',
    });
  }
}

/**
 * Other values mean different things in different places of Hugging Face Transformers.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectZerosAndOnes(mask: AttentionMask): void {
  for (const row of mask) {
    for (const value of row)
      if (value !== 0 && value !== 1) throw mustBe('attentionMask', '0 for padding and 1 for other positions', value);
  }
}

/**
 * Refuses rows that end in padding: the next token of a causal model follows the last position. Padding at the start
 * or between image and text has no effect.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectEndsUnpadded(mask: AttentionMask): void {
  const padded = mask.findIndex((row) => row.at(-1) === 0);
  if (padded < 0) return;
  throw new Blip2Error('INVALID_ARGUMENT', {
    argument: 'attentionMask',
    expected: '1 at the last position of every row of a decoder-only model',
    got: `0 in row ${padded}`,
    fix: "Pad on the left: pass paddingSide: 'left' to the processor or tokenizer",
  });
}
