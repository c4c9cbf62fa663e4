import {
  type AttentionMask,
  Blip2Error,
  expectInputs,
  expectTensor,
  type LanguageModel,
  type Prompt,
  type Rows,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

/** Axes of token embeddings. */
export const EMBEDDING_AXES: readonly string[] = ['batch', 'sequence', 'embeddingSize'];

export interface PromptInputs {
  /** `[batch, sequence]`. Exclusive with `inputsEmbeds`. */
  readonly inputIds?: Rows;
  readonly inputsEmbeds?: TokenEmbeddings;
  /** `[batch, sequence]`. Default: no padding. */
  readonly attentionMask?: Rows;
}

/** Names of the options of `forward`. */
export const FORWARD_OPTIONS = ['outputHiddenStates', 'outputAttentions', 'useCache'] as const;

/** The embeddings of a prompt, from `inputsEmbeds` or `inputIds`. */
export async function promptEmbeddings(
  { inputIds, inputsEmbeds }: PromptInputs,
  embed: LanguageModel['embed'],
): Promise<TokenEmbeddings> {
  if (inputsEmbeds && inputIds)
    throw new Blip2Error('INVALID_ARGUMENT', 'inputIds and inputsEmbeds are mutually exclusive', {
      got: 'inputIds and inputsEmbeds',
    });
  if (inputsEmbeds) return expectTensor('inputsEmbeds', inputsEmbeds, EMBEDDING_AXES);
  if (inputIds) return embed(asRows(inputIds));
  throw new Blip2Error('INVALID_ARGUMENT', 'inputIds or inputsEmbeds is required', {
    expected: 'inputIds or inputsEmbeds',
    got: 'neither',
  });
}

/** A mask as rows. Default: no padding among the positions of the embeddings and the `past` before them. */
export function maskRows(
  mask: Rows | undefined,
  { dims: [batch, sequence] }: TokenEmbeddings,
  past = 0,
): AttentionMask {
  return mask
    ? asRows(mask, 'attentionMask')
    : Array.from({ length: batch }, () => new Array<number>(past + sequence).fill(1));
}

/** @throws Blip2Error `INVALID_ARGUMENT` for ids outside the vocabulary. */
export function expectTokens(ids: readonly TokenIds[], vocabSize: number, argument = 'inputIds'): void {
  const unknown = asRows(ids, argument)
    .flat()
    .find((id) => id < 0 || id >= vocabSize);
  if (unknown === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', `${argument} must be token ids`, {
    where: argument,
    argument,
    expected: `0 to ${vocabSize - 1}`,
    got: String(unknown),
    fix: 'Use the tokenizer of the same checkpoint',
  });
}

/** Indices as an int64 tensor. */
export function indexTensor(indices: readonly number[]): Tensor<'int64', [count: number]> {
  return { type: 'int64', dims: [indices.length], data: BigInt64Array.from(indices, BigInt) };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/**
 * Checks the prompt of a prefill and returns it.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH`, `NOT_FINITE`.
 */
export function expectPromptInputs(prompt: Prompt): Prompt {
  // The output of `embedPrompt` also has `promptIds`, which `generate` uses.
  expectInputs('start', prompt, ['inputsEmbeds', 'attentionMask', 'decoderInputIds', 'promptIds', 'promptLength']);
  expectTensor('inputsEmbeds', prompt.inputsEmbeds, EMBEDDING_AXES);
  return { ...prompt, attentionMask: asRows(prompt.attentionMask, 'attentionMask') };
}
