import {
  type AttentionMask,
  Blip2Error,
  type LanguageModel,
  type Rows,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

export interface PromptInputs {
  /** `[batch, sequence]`; either these or `inputsEmbeds`. */
  readonly inputIds?: Rows;
  readonly inputsEmbeds?: TokenEmbeddings;
  /** `[batch, sequence]`; default: every position counts. */
  readonly attentionMask?: Rows;
}

/** The embeddings of a prompt, given as such or as ids. */
export async function promptEmbeddings(
  { inputIds, inputsEmbeds }: PromptInputs,
  embed: LanguageModel['embed'],
): Promise<TokenEmbeddings> {
  if (inputsEmbeds && inputIds)
    throw new Blip2Error('INVALID_ARGUMENT', 'A language model reads either ids or embeddings', {
      got: 'inputIds and inputsEmbeds',
    });
  if (inputsEmbeds) return inputsEmbeds;
  if (inputIds) return embed(asRows(inputIds));
  throw new Blip2Error('INVALID_ARGUMENT', 'A language model needs something to read', {
    expected: 'inputIds or inputsEmbeds',
    got: 'neither',
  });
}

/** A mask as rows; without one, every position of `embeddings` counts, and the `past` before them. */
export function maskRows(
  mask: Rows | undefined,
  { dims: [batch, sequence] }: TokenEmbeddings,
  past = 0,
): AttentionMask {
  return mask ? asRows(mask) : Array.from({ length: batch }, () => new Array<number>(past + sequence).fill(1));
}

/** Refuses ids outside the table of words. */
export function expectTokens(ids: readonly TokenIds[], vocabSize: number): void {
  const unknown = ids.flat().find((id) => id < 0 || id >= vocabSize);
  if (unknown === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'There is no such token', {
    where: 'inputIds',
    argument: 'inputIds',
    expected: `0 to ${vocabSize - 1}`,
    got: String(unknown),
    fix: 'Use the tokenizer of the same checkpoint',
  });
}

/** Indices as a graph reads them. */
export function indexTensor(indices: readonly number[]): Tensor<'int64', [count: number]> {
  return { type: 'int64', dims: [indices.length], data: BigInt64Array.from(indices, BigInt) };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
