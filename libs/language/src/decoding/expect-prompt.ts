import { type AttentionMask, Blip2Error, type TokenEmbeddings } from '@blip2/interfaces';

/** @throws Blip2Error `SHAPE_MISMATCH` if the mask does not have the shape of the prompt; `SEQUENCE_TOO_LONG`. */
export function expectPrompt(
  mask: AttentionMask,
  [batch, sequence]: TokenEmbeddings['dims'],
  maxPositions: number,
): void {
  if (mask.length !== batch || mask.some((row) => row.length !== sequence)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'attentionMask must have the shape of the prompt', {
      where: 'attentionMask',
      expected: `${batch} rows of ${sequence}`,
      got: `rows of ${mask.map(({ length }) => length).join(', ')}`,
    });
  }
  if (sequence > maxPositions) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The prompt exceeds the positions of the language model', {
      where: 'inputIds',
      expected: `at most ${maxPositions}`,
      got: String(sequence),
      fix: 'Shorten the prompt',
    });
  }
}
