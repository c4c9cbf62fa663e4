import { type AttentionMask, Blip2Error, type TokenEmbeddings } from '@blip2/interfaces';

/** Refuses a prompt whose mask has another shape, or that is longer than the model can read. */
export function expectPrompt(
  mask: AttentionMask,
  [batch, sequence]: TokenEmbeddings['dims'],
  maxPositions: number,
): void {
  if (mask.length !== batch || mask.some((row) => row.length !== sequence)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The attention mask does not fit the prompt', {
      where: 'attentionMask',
      expected: `${batch} rows of ${sequence}`,
      got: `rows of ${mask.map(({ length }) => length).join(', ')}`,
    });
  }
  if (sequence > maxPositions) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The prompt has more positions than the language model', {
      where: 'inputIds',
      expected: `at most ${maxPositions}`,
      got: String(sequence),
      fix: 'Shorten the prompt',
    });
  }
}
