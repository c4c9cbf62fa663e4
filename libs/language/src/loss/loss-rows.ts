import {
  type AttentionMask,
  Blip2Error,
  expectInputs,
  expectTensor,
  type LanguageModel,
  type LossOptions,
  mustBe,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { asRows, rowsTensor } from '@blip2/runtime';

import { IGNORED_LABEL } from '../causal/cross-entropy.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import { EMBEDDING_AXES, expectTokens } from '../language-inputs.ts';

/** The checked arguments of `lossAndGradient`, one row per row of the prefix each. */
export interface LossRows {
  readonly targets: readonly TokenIds[];
  readonly prompts: readonly TokenIds[];
  readonly prefixMask: AttentionMask;
}

/**
 * Checks the arguments of `lossAndGradient`.
 * @throws Blip2Error `INVALID_ARGUMENT` for ids outside the vocabulary and rows without targets; `SHAPE_MISMATCH` for
 * another number of rows or another width; `NOT_FINITE`; `UNKNOWN_OPTION`.
 */
export function expectLossRows(
  { embeddingSize, vocabSize }: { readonly embeddingSize: number; readonly vocabSize: number },
  prefix: TokenEmbeddings,
  targets: readonly TokenIds[],
  options: LossOptions,
): LossRows {
  expectInputs('lossAndGradient', options, ['promptIds', 'attentionMask']);
  const [batch, positions, width] = expectTensor('prefix', prefix, EMBEDDING_AXES).dims;
  if (batch === 0) throw mustBe('prefix', 'at least one row', '0 rows');
  if (width !== embeddingSize)
    throw new Blip2Error('SHAPE_MISMATCH', 'prefix must have the width of the token embeddings', {
      argument: 'prefix',
      expected: String(embeddingSize),
      got: String(width),
    });
  const rows = (argument: string, given: readonly TokenIds[]): readonly TokenIds[] => {
    expectTokens(given, vocabSize, argument);
    if (given.length !== batch)
      throw new Blip2Error('SHAPE_MISMATCH', `${argument} must have one row per row of the prefix`, {
        argument,
        expected: String(batch),
        got: String(given.length),
      });
    return asRows(given, argument);
  };
  const expected = rows('targets', targets);
  const empty = expected.findIndex((row) => row.length === 0);
  if (empty >= 0) throw mustBe(`targets[${empty}]`, 'at least one id', 'none');
  const ones = Array.from({ length: batch }, () => new Array<number>(positions).fill(1));
  const prefixMask = options.attentionMask ? asRows(options.attentionMask, 'attentionMask') : ones;
  expectPrompt(prefixMask, prefix.dims, Infinity);
  const prompts = options.promptIds ? rows('promptIds', options.promptIds) : expected.map(() => []);
  return { targets: expected, prompts, prefixMask };
}

export function longest(rows: readonly TokenIds[]): number {
  return Math.max(...rows.map(({ length }) => length));
}

/** Rows of equal length: shorter ones are filled up on the right. */
export function filledRows(rows: readonly TokenIds[], value: number): number[][] {
  const length = longest(rows);
  return rows.map((row) => [...row, ...new Array<number>(length - row.length).fill(value)]);
}

/** The prefix' mask, followed by that of ids which are filled up on the right. */
export function filledMask(prefixMask: AttentionMask, ids: readonly TokenIds[]): number[][] {
  const length = longest(ids);
  return prefixMask.map((row, index) => {
    const count = ids[index]?.length ?? 0;
    return [...row, ...new Array<number>(count).fill(1), ...new Array<number>(length - count).fill(0)];
  });
}

/** Embeddings of ids that are filled up on the right, `[batch, longest row, width]`. */
export async function filledEmbeddings(
  embed: LanguageModel['embed'],
  ids: readonly TokenIds[],
  width: number,
): Promise<TokenEmbeddings> {
  // The embedding of padding is never attended to. Id 0 is in every vocabulary.
  if (longest(ids) > 0) return embed(filledRows(ids, 0));
  return { type: 'float32', dims: [ids.length, 0, width], data: new Float32Array(0) };
}

/** Labels of equal length as a tensor; ignored where rows are filled up. */
export function labelTensor(rows: readonly TokenIds[]): Tensor<'int64', [batch: number, scored: number]> {
  return rowsTensor(filledRows(rows, IGNORED_LABEL), 'targets');
}
