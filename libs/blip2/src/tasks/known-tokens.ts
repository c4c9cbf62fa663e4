import { Blip2Error, type TokenIds } from '@blip2/interfaces';

/**
 * Refuses ids that the checkpoint's tokenizer gives and its model has no embedding for. The texts that were passed are
 * not to blame: files do not belong together.
 * @throws Blip2Error `INVALID_TOKENIZER`.
 */
export function expectKnown(rows: readonly TokenIds[], vocabularySize: number): void {
  const unknown = rows.flat().find((id) => id >= vocabularySize);
  if (unknown !== undefined) throw unknownToken({ expected: `0 to ${vocabularySize - 1}`, got: String(unknown) });
}

/** The same, of what a part says that keeps the size of its vocabulary to itself. */
export function asUnknownToken(error: unknown): unknown {
  if (!(error instanceof Blip2Error) || error.code !== 'INVALID_ARGUMENT' || error.details.argument !== 'inputIds')
    return error;
  const { expected, got } = error.details;
  return unknownToken({ ...(expected !== undefined && { expected }), ...(got !== undefined && { got }), cause: error });
}

function unknownToken(details: {
  readonly expected?: string;
  readonly got?: string;
  readonly cause?: unknown;
}): Blip2Error {
  return new Blip2Error('INVALID_TOKENIZER', 'The tokenizer gives ids that the model does not have', {
    where: 'tokenizer.json',
    ...details,
    fix: 'Take tokenizer and model from the same repository and revision',
  });
}
