import { Blip2Error, defined, type ErrorDetails, type TokenIds } from '@blip2/interfaces';

/**
 * Refuses ids of the tokenizer that the model has no embedding for: tokenizer and model do not belong together.
 * @throws Blip2Error `INVALID_TOKENIZER`.
 */
export function expectKnownTokens(rows: readonly TokenIds[], vocabularySize: number): void {
  const unknown = rows.flat().find((id) => id >= vocabularySize);
  if (unknown !== undefined) throw unknownToken({ expected: `0 to ${vocabularySize - 1}`, got: String(unknown) });
}

/** The same error for a part that does not expose the size of its vocabulary and refuses the ids itself. */
export function asUnknownToken(error: unknown): unknown {
  if (!(error instanceof Blip2Error) || error.code !== 'INVALID_ARGUMENT' || error.details.argument !== 'inputIds')
    return error;
  const { expected, got } = error.details;
  return unknownToken({ ...defined({ expected, got }), cause: error });
}

function unknownToken(details: Pick<ErrorDetails, 'expected' | 'got' | 'cause'>): Blip2Error {
  return new Blip2Error('INVALID_TOKENIZER', 'Ids of the tokenizer exceed the vocabulary of the model', {
    where: 'tokenizer.json',
    ...details,
    fix: 'Take tokenizer and model from the same repository and revision',
  });
}
